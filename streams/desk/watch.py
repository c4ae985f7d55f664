"""The stage that judges the window rules: sums over all partitions, a verdict for each minute that all have passed.

    desk 0 ──tallies, progress──┐                          ┌─> cases (one for each rule and subject) ──> warnings
    desk 1 ──tallies, progress──┼──> minutes, the usual ───┤
    desk 2 ──tallies, progress──┘                          └─> announcements ──> warnings

A tally is a difference: a message of a desk's checkpoint counts once, told by (version, number within it), which rise.
The changelog holds the minutes' sums, the usual, the announcements and the warnings; cases are built from them, and,
under a policy that takes effect in the past (`streams.desk.policy_change`), go back to where it begins to differ.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from streams.desk import messages
from streams.desk.announcements import Announcements
from streams.desk.case import Case
from streams.desk.clock import NEVER
from streams.desk.policy import Policies
from streams.desk.policy_change import FOLLOWED, Following
from streams.desk.rule_warning import raised
from streams.desk.rules import SHORT_NOTICE, SURGE, InForce, Key, Rules, Verdict, judge_rate
from streams.desk.sheet import amend
from streams.desk.stage import Stage
from streams.desk.surge import KEPT as USUAL_KEPT
from streams.desk.surge import Usual, judge_surge
from streams.models.instants import DAY, HOUR, MINUTE
from streams.models.rows import Identity, Row, WarningRow
from streams.models.watch import ANNOUNCEMENTS, TALLIES, AnnouncementRow, LateTallyRow, Tallies, TallyRow

TALLY, USUAL, WARNING, ANNOUNCEMENT, HEARD = b"m", b"u", b"w", b"a", b"s"  # first bytes of its changelog keys
LONGEST = DAY  # of the windows
DIMENSIONS = ("team", "channel", "segment", "category", "queue", "agent")
Combination = tuple[str, str, str, str, str, str]


class _Announced(msgspec.Struct):
    rows: list[AnnouncementRow]


class _Heard(msgspec.Struct, array_like=True):
    """Of each partition the last message of tallies; the first quarter of an hour on record; the first minute's end
    that some case is still to be judged at.
    """

    last: dict[int, tuple[int, int]]
    since: int | None
    next_at: int = NEVER


_tallies = msgspec.json.Decoder(Tallies).decode
_announced = msgspec.json.Decoder(_Announced).decode
_pack = msgspec.msgpack.encode
_minute = msgspec.msgpack.Decoder(list[TallyRow]).decode
_quarters = msgspec.msgpack.Decoder(dict[int, int]).decode
_warning = msgspec.msgpack.Decoder(WarningRow).decode
_announcement = msgspec.msgpack.Decoder(AnnouncementRow).decode
_heard = msgspec.msgpack.Decoder(_Heard).decode


class Watch(Stage):
    """See the module. `desks`: how many partitions there are. `restate`: as the desk has it."""

    name = "watch"
    reports = ("risk-warnings",)

    def __init__(self, desks: int, policies: Policies, restate: bool = False) -> None:
        super().__init__(0, [(messages.WATCH_ROLLUPS, partition) for partition in range(desks)])
        self.policy = Following(0, policies, restate)
        self.policies, self.rules = policies, Rules(policies)
        self.zones = {policy.version: ZoneInfo(policy.timezone) for policy in policies.versions}
        self.minutes: dict[int, dict[Combination, dict[str, int]]] = {}  # minute -> dimensions -> counts
        self.usual, self.announcements = Usual(), Announcements()
        self.cases: dict[tuple[Key, str], Case] = {}
        self.notices: dict[str, list[WarningRow]] = {}  # of short notice, by change
        self.last: dict[int, tuple[int, int]] = {}
        self._changed: set[int] = set()  # minutes
        self._queue: list[tuple[int, int, Case]] = []
        self._pushes = 0
        self._new_changes: set[str] = set()
        self._put_away_at = 0
        self._loaded: dict[bytes, bytes] = {}

    # What comes

    def take(self, kind: str, data: msgspec.Raw) -> None:
        """Take tallies or announcements."""
        if kind == TALLIES:
            message = _tallies(data)
            place = message.version, message.first
            if place > self.last.get(message.partition, (-1, -1)):
                self.last[message.partition] = place
                self._take_tallies(message)
        elif kind == ANNOUNCEMENTS:
            for row in _announced(data).rows:
                if self.announcements.take(row):
                    self.keep(_announcement_key(row), _pack(row))
                    self._heard_of(row)
        else:
            raise ValueError(f"role watch knows no message of type {kind}")

    def _take_tallies(self, message: Tallies) -> None:
        """Count them, but those that come too late: what was judged so long ago stays.

        Which those are depends on nothing but the order of the messages: not on when this stage looked at its clock.
        """
        earliest = self._earliest(self.sources.clock())
        for number, row in enumerate(message.rows, message.first):
            if row.minute < earliest:
                self.totals["late"] += 1
                told = row.minute, *_combination(row), row.counts
                self.sheet.put(LateTallyRow(message.partition, message.version, number, *told))
            else:
                self._count(row)

    def leave_out(self, rows: Sequence[TallyRow]) -> None:
        """Take back, before time passes, what was counted here but came too late elsewhere."""
        for row in rows:
            counts = {name: -number for name, number in row.counts.items()}
            self._count(msgspec.structs.replace(row, counts=counts))
        if rows:
            self.usual.begin(minute for minute, found in self.minutes.items() if any(map(_contacts, found.values())))

    def _count(self, row: TallyRow) -> None:
        sums = self.minutes.setdefault(row.minute, {}).setdefault(_combination(row), {})
        for name, number in row.counts.items():
            sums[name] = sums.get(name, 0) + number
        self._changed.add(row.minute)
        self._spread(row)
        if contacts := _contacts(row.counts):
            self.usual.add(row.category, row.minute, contacts)

    def _spread(self, row: TallyRow) -> None:
        """Add a tally to the cases it concerns."""
        values = {"all": "", **dict(zip(DIMENSIONS, _combination(row), strict=True))}
        for key in self.rules.keys:
            value = values[key[1]]
            if not value and key[1] != "all":
                continue
            in_force = self.rules.at(key, row.minute) or self.rules.any(key)
            part, whole = in_force.measure().of(row.counts)
            if part or whole:
                case = self.cases.get((key, value))
                if case is None:
                    case = self.cases[key, value] = Case(key, value, self.rules)
                case.add(row.minute, part, whole)
                self._push(case)

    def _heard_of(self, row: AnnouncementRow) -> None:
        """A change became known: what was judged since it took effect may name it."""
        self._new_changes.add(row.change_id)
        since = max(row.at, row.effective_at, self._earliest(self.clock))
        for (key, _), case in self.cases.items():
            if key[0] == SURGE and any(warning.raised_at >= since for warning in case.warnings):
                case.go_back(since - since % MINUTE - MINUTE)
                self._push(case)

    def _earliest(self, clock: int) -> int:
        """The earliest minute that can still change at the instant `clock`."""
        if clock < 0:
            return 0
        return clock - self.policies.at(clock).lateness_ms

    # Time

    def pass_time(self, to: int) -> None:
        """Judge every minute that has ended by `to`."""
        if to < 0:
            return
        while self._queue and self._queue[0][0] <= to:
            if self.full():
                return
            case = heappop(self._queue)[2]
            case.queued_at = NEVER
            if case.next_at <= to:
                case.run(to, self._judge, self._make)
                amend(self.sheet, _standing(case.written), _standing(case.warnings))
                case.written = list(case.warnings)
            self._push(case)
        self.clock = to
        for change_id in sorted(self._new_changes | self._open_notices()):
            before = _standing(self.notices.get(change_id, ()))
            self.notices[change_id] = self.announcements.warnings(change_id, self.rules, to)
            amend(self.sheet, before, _standing(self.notices[change_id]))
        self._new_changes = {change_id for change_id in self._new_changes if self._to_come(change_id)}
        if self.clock >= self._put_away_at:
            self._put_away()

    def _open_notices(self) -> set[str]:
        return {name for name, rows in self.notices.items() if rows and rows[-1].cleared_at is None}

    def _to_come(self, change_id: str) -> bool:
        """Whether an announcement is timed after the clock: one desk is ahead of the others."""
        return any(row.at > self.clock for row in self.announcements.changes.get(change_id, {}).values())

    def _push(self, case: Case) -> None:
        if case.next_at < case.queued_at:
            case.queued_at = case.next_at
            self._pushes += 1
            heappush(self._queue, (case.next_at, self._pushes, case))

    def _judge(self, case: Case, in_force: InForce, at: int, part: int, whole: int) -> Verdict:
        rule = in_force.rule
        if rule.rule != SURGE:
            return judge_rate(rule, in_force.measure().low, part, whole)
        return judge_surge(rule, self.usual, case.value, at, whole, self.zones[in_force.policy.version])

    def _make(self, case: Case, in_force: InForce, at: int, verdict: Verdict) -> WarningRow:
        (name, dimension), value = case.key, case.value
        cause = self.announcements.blamed(value, at) if name == SURGE else ""
        severity, version = in_force.rule.severity, in_force.policy.version
        return raised(name, dimension, value, at, severity, version, measures=verdict.measures, cause=cause)

    def _put_away(self) -> None:
        """Forget, now and then, what can matter no longer."""
        self._put_away_at = self.clock + 6 * HOUR
        horizon = self._earliest(self.clock)
        before = horizon - LONGEST - MINUTE
        for minute in [minute for minute in self.minutes if minute < before]:
            del self.minutes[minute]
            self._changed.discard(minute)
            self.keep(_minute_key(minute), None)
        for name, case in list(self.cases.items()):
            for row in case.put_away(before, horizon):
                self.keep(_warning_key(row), None)
            if not case.minutes and not case.warnings:
                del self.cases[name]
        for category, day in self.usual.put_away(self.clock - USUAL_KEPT):
            self.keep(_usual_key(category, day), None)
        for announcement in self.announcements.put_away(self.clock):
            self.keep(_announcement_key(announcement), None)
            for row in self.notices.pop(announcement.change_id, ()):
                self.keep(_warning_key(row), None)

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed."""
        return bool(self._changed) or super().unsaved()

    def pending_bytes(self) -> int:
        """About the size of the next checkpoint."""
        return super().pending_bytes() + 600 * len(self._changed) + 100 * len(self.usual.changed)

    def cut(self, version: int, offsets: dict[str, int]) -> Any:
        """All that changed since the last cut, and the outputs made since."""
        for row in self.sheet.rows.values():
            if isinstance(row, WarningRow):
                self.keep(_warning_key(row), None if row.is_deleted else _pack(row))
        for minute in self._changed:
            self.keep(_minute_key(minute), self.entry(_minute_key(minute)))
        for category, day in self.usual.changed:
            self.keep(_usual_key(category, day), self.entry(_usual_key(category, day)))
        self.keep(HEARD, self.entry(HEARD))
        self.entries |= self.policy.entries
        self.policy.entries = {}
        self._changed, self.usual.changed = set(), set()
        return super().cut(version, offsets)

    def entry(self, key: bytes) -> bytes | None:
        """What the changelog should hold under a key."""
        kind, name = key[:1], key[1:].decode()
        if kind == HEARD:
            return _pack(_Heard(self.last, self.usual.since, self._queue[0][0] if self._queue else NEVER))
        if kind == FOLLOWED:
            return self.policy.entry(key)
        if kind == TALLY:
            found = self.minutes.get(int(name))
            rows = found and [TallyRow(int(name), *combination, counts) for combination, counts in found.items()]
            return _pack(rows) if rows else None
        if kind == USUAL:
            day, _, category = name.partition("/")
            quarters = self.usual.days.get(category, {}).get(int(day))
            return None if quarters is None else _pack(quarters)
        if kind == WARNING:
            warnings = [row for case in self.cases.values() for row in case.warnings]
            warnings += [row for rows in self.notices.values() for row in rows]
            return next((_pack(row) for row in warnings if row.warning_id == name), None)
        announced = [row for known in self.announcements.changes.values() for row in known.values()]
        return next((_pack(row) for row in announced if _announcement_key(row) == key), None)

    # Restore

    def load_entry(self, key: bytes, value: bytes | None) -> None:
        """Take one of its entries from the changelog."""
        if key[:1] == FOLLOWED:
            self.policy.load(key, value)
        elif value is None:
            self._loaded.pop(key, None)
        else:
            self._loaded[key] = value

    def restored(self) -> None:
        """Build what follows from the entries: each case stands where it can go on from. Raises PolicyRefused."""
        warnings: list[WarningRow] = []
        judged_at = self._stands_until()
        for key, value in self._loaded.items():
            kind, name = key[:1], key[1:].decode()
            if kind == HEARD:
                heard = _heard(value)
                self.last, self.usual.since = heard.last, heard.since
                judged_at = min(judged_at, heard.next_at - MINUTE)
            elif kind == USUAL:
                day, _, category = name.partition("/")
                self.usual.days.setdefault(category, {})[int(day)] = _quarters(value)
            elif kind == WARNING:
                warnings.append(_warning(value))
            elif kind == ANNOUNCEMENT:
                self.announcements.take(_announcement(value))
        self._new_changes = set(self.announcements.changes)
        rows = [row for key, value in self._loaded.items() if key[:1] == TALLY for row in _minute(value)]
        for row in sorted(rows, key=lambda row: row.minute):
            self.minutes.setdefault(row.minute, {})[_combination(row)] = row.counts
            self._spread(row)
        for warning in sorted(warnings, key=lambda row: row.raised_at):
            self._restore_warning(warning)
        for case in self.cases.values():
            case.restored(judged_at - judged_at % MINUTE if judged_at >= 0 else -1)
            self._push(case)
        self._loaded = {}

    def _stands_until(self) -> int:
        """The instant up to which all that was judged stands: the clock, or where the given policy begins to differ."""
        self.policy.restore(False, self.clock, busy=False)
        if self.policy.followed is self.policy.given:
            return self.clock
        since = self.policy.since(self.clock)
        self.policy.follow()
        return min(self.clock, -(-since // MINUTE) * MINUTE - MINUTE)  # the minute it falls into is judged by the next

    def _restore_warning(self, row: WarningRow) -> None:
        if row.rule == SHORT_NOTICE:
            self.notices.setdefault(row.value, []).append(row)
            return
        key = row.rule, row.dimension
        case = self.cases.get((key, row.value))
        if case is None:
            case = self.cases[key, row.value] = Case(key, row.value, self.rules)
        case.warnings.append(row)


def _standing(rows: Iterable[WarningRow]) -> dict[Identity, Row]:
    found: dict[Identity, Row] = {}
    for row in rows:
        row.version = 0  # set by a checkpoint: no difference
        found[row.identity()] = row
    return found


def _combination(row: TallyRow) -> Combination:
    """In the order of DIMENSIONS."""
    return row.team, row.channel, row.segment, row.category, row.queue, row.agent_id


def _contacts(counts: Mapping[str, int]) -> int:
    return counts.get("created", 0) + counts.get("offered", 0)


def _minute_key(minute: int) -> bytes:
    return TALLY + str(minute).encode()


def _usual_key(category: str, day: int) -> bytes:
    return USUAL + f"{day}/{category}".encode()


def _warning_key(row: WarningRow) -> bytes:
    return WARNING + row.warning_id.encode()


def _announcement_key(row: AnnouncementRow) -> bytes:
    return ANNOUNCEMENT + f"{row.source}\0{row.id}".encode()
