"""The stage that judges the window rules: sums over all partitions, a verdict for each minute that all have passed.

    desk 0 ──tallies, progress──┐                          ┌─> cases (one for each rule and subject) ──> warnings
    desk 1 ──tallies, progress──┼──> minutes, the usual ───┤
    desk 2 ──tallies, progress──┘                          └─> announcements ──> warnings

A tally is a difference: a message of a desk's checkpoint counts once, told by (version, number within it), which rise.
The changelog holds the minutes' sums, the usual, the announcements and the warnings; cases are built from them, and,
under a policy that takes effect in the past (`streams.desk.policy.restatement`), go back to where it begins to differ.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from streams.desk.policy.restatement import FOLLOWED, Following
from streams.desk.policy.versions import Policies
from streams.desk.stage import Stage
from streams.desk.window_rules.announcements import Announcements
from streams.desk.window_rules.cases import Cases
from streams.desk.window_rules.measures import SHORT_NOTICE, Rules
from streams.desk.window_rules.surge import KEPT as USUAL_KEPT
from streams.desk.window_rules.surge import Baseline
from streams.models.instants import DAY, HOUR, MINUTE, NEVER
from streams.models.rows import WarningRow
from streams.models.tallies import ANNOUNCEMENTS, TALLIES, AnnouncementRow, Combination, LateTallyRow, Tallies, TallyRow
from streams.models.topics import WATCH_ROLLUPS

TALLY, USUAL, WARNING, ANNOUNCEMENT, HEARD = b"m", b"u", b"w", b"a", b"s"  # first bytes of its changelog keys
LONGEST = DAY  # of the windows


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
        super().__init__(0, [(WATCH_ROLLUPS, partition) for partition in range(desks)])
        self.policy = Following(0, policies, restate)
        self.policies, self.rules = policies, Rules(policies)
        self.minutes: dict[int, dict[Combination, dict[str, int]]] = {}  # minute -> dimensions -> counts
        self.usual, self.announcements = Baseline(), Announcements()
        self.cases = Cases(policies, self.rules, self.usual, self.announcements)
        self.last: dict[int, tuple[int, int]] = {}
        self._changed: set[int] = set()  # minutes
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
                    self.cases.reattribute(max(row.at, row.effective_at, self._earliest(self.clock)))
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
                told = row.minute, *row.combination(), row.counts
                self.change_set.put(LateTallyRow(message.partition, message.version, number, *told))
            else:
                self._count(row)

    def exclude_late(self, rows: Sequence[TallyRow]) -> None:
        """Take back, before time passes, what was counted here but came too late elsewhere."""
        for row in rows:
            counts = {name: -number for name, number in row.counts.items()}
            self._count(msgspec.structs.replace(row, counts=counts))
        if rows:
            self.usual.begin(minute for minute, found in self.minutes.items() if any(map(_contacts, found.values())))

    def _count(self, row: TallyRow) -> None:
        sums = self.minutes.setdefault(row.minute, {}).setdefault(row.combination(), {})
        for name, number in row.counts.items():
            sums[name] = sums.get(name, 0) + number
        self._changed.add(row.minute)
        self.cases.count(row)
        if contacts := _contacts(row.counts):
            self.usual.add(row.category, row.minute, contacts)

    def _earliest(self, clock: int) -> int:
        """The earliest minute that can still change at the instant `clock`."""
        if clock < 0:
            return 0
        return clock - self.policies.at(clock).lateness_ms

    # Time

    def pass_time(self, to: int) -> None:
        """Judge every minute that has ended by `to`."""
        if to < 0 or not self.cases.run(to, self.change_set, self.full):
            return
        self.clock = to
        self.announcements.judge(self.rules, to, self.change_set)
        if self.clock >= self._put_away_at:
            self._put_away()

    def _put_away(self) -> None:
        """Forget, now and then, what can matter no longer."""
        self._put_away_at = self.clock + 6 * HOUR
        horizon = self._earliest(self.clock)
        before = horizon - LONGEST - MINUTE
        for minute in [minute for minute in self.minutes if minute < before]:
            del self.minutes[minute]
            self._changed.discard(minute)
            self.keep(_minute_key(minute), None)
        for warning in self.cases.put_away(before, horizon):
            self.keep(_warning_key(warning), None)
        for category, day in self.usual.put_away(self.clock - USUAL_KEPT):
            self.keep(_usual_key(category, day), None)
        announced, notices = self.announcements.put_away(self.clock)
        for announcement in announced:
            self.keep(_announcement_key(announcement), None)
        for notice in notices:
            self.keep(_warning_key(notice), None)

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed."""
        return bool(self._changed) or super().unsaved()

    def pending_bytes(self) -> int:
        """About the size of the next checkpoint."""
        return super().pending_bytes() + 600 * len(self._changed) + 100 * len(self.usual.changed)

    def snapshot(self, version: int, offsets: dict[str, int]) -> Any:
        """All that changed since the last cut, and the outputs made since."""
        for row in self.change_set.rows.values():
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
        return super().snapshot(version, offsets)

    def entry(self, key: bytes) -> bytes | None:
        """What the changelog should hold under a key."""
        kind, name = key[:1], key[1:].decode()
        if kind == HEARD:
            return _pack(_Heard(self.last, self.usual.since, self.cases.next_at()))
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
            warnings = chain(self.cases.warnings(), *self.announcements.notices.values())
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
        rows = [row for key, value in self._loaded.items() if key[:1] == TALLY for row in _minute(value)]
        for row in sorted(rows, key=lambda row: row.minute):
            self.minutes.setdefault(row.minute, {})[row.combination()] = row.counts
            self.cases.count(row)
        warnings.sort(key=lambda row: row.raised_at)
        self.announcements.restored([row for row in warnings if row.rule == SHORT_NOTICE])
        judged = [row for row in warnings if row.rule != SHORT_NOTICE]
        self.cases.restored(judged, judged_at - judged_at % MINUTE if judged_at >= 0 else -1)
        self._loaded = {}

    def _stands_until(self) -> int:
        """The instant up to which all that was judged stands: the clock, or where the given policy begins to differ."""
        self.policy.restore(False, self.clock, busy=False)
        if self.policy.followed is self.policy.given:
            return self.clock
        since = self.policy.since(self.clock)
        self.policy.follow()
        return min(self.clock, -(-since // MINUTE) * MINUTE - MINUTE)  # the minute it falls into is judged by the next


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
