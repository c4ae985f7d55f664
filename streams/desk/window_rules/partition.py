"""The stage that judges the window rules: sums over all partitions, and a verdict for each completed minute.

    desk 0 ──tallies, progress──┐                               ┌─> evaluations (rule × subject) ──> warnings
    desk 1 ──tallies, progress──┼──> minute sums, the baseline ─┤
    desk 2 ──tallies, progress──┘                               └─> announcements ──> warnings

A tally is a difference: a message of a desk's checkpoint counts once: (version, number within it) rises.
The changelog holds the sums, the baseline, the announcements and the warnings; evaluations are built from them. Under a
policy that takes effect in the past (`streams.desk.policy.restatement`) they go back to the first difference.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.partition_state import Snapshot
from streams.desk.policy.restatement import FOLLOWED, Following
from streams.desk.policy.versions import Policies
from streams.desk.saved import FULL, SavedValue
from streams.desk.stage import Stage
from streams.desk.window_rules.announcements import Announcements
from streams.desk.window_rules.baseline import KEPT as BASELINE_KEPT
from streams.desk.window_rules.baseline import Baseline
from streams.desk.window_rules.evaluations import Evaluations
from streams.desk.window_rules.measures import SHORT_NOTICE, Rules
from streams.desk.window_rules.minutes import MinuteSums, contacts_of
from streams.desk.window_rules.saved_warnings import SavedWarnings
from streams.models.instants import DAY, HOUR, MINUTE, NEVER
from streams.models.records import Record
from streams.models.rows import WarningRow
from streams.models.tallies import ANNOUNCEMENTS, TALLIES, AnnouncementRow, LateTallyRow, Tallies, TallyRow
from streams.models.topics import WATCH, WATCH_ROLLUPS, WATCH_TOPICS

RECEIVED = b"s"  # changelog key
MAX_WINDOW = DAY
FORGET_EVERY = 6 * HOUR


class _Announcements(msgspec.Struct):
    rows: list[AnnouncementRow]


class _Received(msgspec.Struct, array_like=True):
    """The progress of the input, and of the verdicts.

    Attributes:
        last: by partition, the last message of tallies: its version and the number of its first row.
        since: the first quarter of an hour of the baseline.
        next_at: the end of the first minute still to be judged by some evaluation.
    """

    last: dict[int, tuple[int, int]]
    since: int | None
    next_at: int = NEVER


_tallies = msgspec.json.Decoder(Tallies).decode
_announcements = msgspec.json.Decoder(_Announcements).decode
_received = msgspec.msgpack.Decoder(_Received).decode
_encode = msgspec.msgpack.Encoder().encode


class Watch:
    """The state of the stage, which has one partition (`streams.desk.partition_state.PartitionState`).

    Arguments:
        desks: the number of partitions of track.
        policies: the policy to follow.
        restate: see :class:`streams.desk.track.partition.Desk`.
    """

    def __init__(self, desks: int, policies: Policies, restate: bool = False) -> None:
        self.policies, self.rules = policies, Rules(policies)
        self.policy = Following(0, policies, restate, prefix=FOLLOWED)
        self.change_set = ChangeSet()
        self.minutes, self.baseline, self.announcements = MinuteSums(), Baseline(), Announcements()
        self.evaluations = Evaluations(policies, self.rules, self.baseline, self.announcements)
        self._saved_warnings = SavedWarnings(self.change_set, self._warnings)
        self._last: dict[int, tuple[int, int]] = {}
        self._judged_next_at = NEVER  # while restoring
        self._forget_at = 0
        parts = (self.minutes, self.baseline, self.announcements, self._saved_warnings, self.policy)
        received = SavedValue(RECEIVED, self._dump_received, self._load_received)
        upstream = [(WATCH_ROLLUPS, partition) for partition in range(desks)]
        self.stage = Stage(WATCH, 0, WATCH_TOPICS, upstream, self.change_set, [*parts, received])
        self.totals = self.stage.totals

    @property
    def business_time(self) -> int:
        """The instant (ms) up to which all due rows were written; -1 before any."""
        return self.stage.business_time

    # Messages

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Fold records[start:], or as many as fit in a snapshot; returns the index of the next record."""
        return self.stage.feed(topic, records, start, self._fold_message, self.full)

    def _fold_message(self, kind: str, data: msgspec.Raw) -> None:
        if kind == TALLIES:
            self._fold_tallies(_tallies(data))
        elif kind == ANNOUNCEMENTS:
            for row in _announcements(data).rows:
                if self.announcements.add(row):
                    earliest = self._earliest(self.business_time)
                    self.evaluations.reattribute(max(row.at, row.effective_at, earliest))
        else:
            raise ValueError(f"role watch knows no message of type {kind}")

    def _fold_tallies(self, message: Tallies) -> None:
        """Count tallies, except those that are too late: old verdicts are final.

        Lateness depends only on the order of the messages, not on when this stage advanced its time.
        """
        position = message.version, message.first
        if position <= self._last.get(message.partition, (-1, -1)):
            return
        self._last[message.partition] = position
        earliest = self._earliest(self.stage.upstream.watermark())
        for number, row in enumerate(message.rows, message.first):
            if row.minute < earliest:
                self.totals["late"] += 1
                tally = row.minute, *row.combination(), row.counts
                self.change_set.put(LateTallyRow(message.partition, message.version, number, *tally))
            else:
                self._count(row)

    def exclude_late(self, rows: Sequence[TallyRow]) -> None:
        """Subtract, before time passes, tallies that were counted here but were too late elsewhere."""
        for row in rows:
            counts = {name: -number for name, number in row.counts.items()}
            self._count(msgspec.structs.replace(row, counts=counts))
        if rows:
            self.baseline.begin(self.minutes.minutes_with_contacts())

    def _count(self, row: TallyRow) -> None:
        self.minutes.add(row)
        self.evaluations.count(row)
        if contacts := contacts_of(row.counts):
            self.baseline.add(row.category, row.minute, contacts)

    def _earliest(self, business_time: int) -> int:
        """The earliest minute that can still change at this business time."""
        return 0 if business_time < 0 else business_time - self.policies.at(business_time).lateness_ms

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass up to the least progress of all partitions; `now` is ignored."""
        self.stage.advance(self._pass_time)

    def _pass_time(self, until: int) -> None:
        """Judge every minute that has ended by `until`."""
        if until < 0 or not self.evaluations.run(until, self.change_set, self.full):
            return
        self.stage.business_time = until
        self.announcements.judge(self.rules, until, self.change_set)
        if until >= self._forget_at:
            self._forget_at = until + FORGET_EVERY
            self._forget(until)

    def _forget(self, now: int) -> None:
        """Forget state that no longer matters."""
        horizon = self._earliest(now)
        before = horizon - MAX_WINDOW - MINUTE
        self.minutes.forget(before)
        self._saved_warnings.forget(self.evaluations.forget(before, horizon))
        self.baseline.forget(now - BASELINE_KEPT)
        self._saved_warnings.forget(self.announcements.forget(now))

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed."""
        pending = self.announcements.pending.entries or self._saved_warnings.pending.entries
        return bool(self.stage.unsaved() or self.minutes.unsaved() or self.baseline.unsaved() or pending)

    def pending_bytes(self) -> int:
        """The approximate size of the next snapshot, bytes."""
        entries = self.announcements.pending.bytes + self._saved_warnings.pending.bytes
        return self.stage.pending_bytes() + self.minutes.pending_bytes() + self.baseline.pending_bytes() + entries

    def full(self) -> bool:
        """Whether a checkpoint has to be written before anything else."""
        return self.pending_bytes() > FULL

    def urgent(self) -> bool:
        """Whether a warning waits to be sent."""
        return self.change_set.urgent

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """All changes and outputs since the last snapshot."""
        return self.stage.snapshot(version)

    def _dump_received(self) -> bytes:
        return _encode(_Received(self._last, self.baseline.since, self.evaluations.next_at()))

    def _warnings(self) -> Iterator[WarningRow]:
        return chain(self.evaluations.warnings(), *self.announcements.short_notice_warnings.values())

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Write this stage's own values of these keys with the next snapshot."""
        self.stage.rewrite_keys(keys)

    # Restore

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog."""
        self.stage.load(key, value)

    def _load_received(self, value: bytes) -> None:
        received = _received(value)
        self._last, self.baseline.since, self._judged_next_at = received.last, received.since, received.next_at

    def restored(self) -> None:
        """All entries are loaded: build the evaluations; each continues where it can. Raises PolicyRefused."""
        judged_at = min(self._valid_until(), self._judged_next_at - MINUTE)
        for row in self.minutes.rows():
            self.evaluations.count(row)
        warnings = self._saved_warnings.take_loaded()
        self.announcements.restored(row for row in warnings if row.rule == SHORT_NOTICE)
        judged = [row for row in warnings if row.rule != SHORT_NOTICE]
        self.evaluations.restored(judged, judged_at - judged_at % MINUTE if judged_at >= 0 else -1)

    def _valid_until(self) -> int:
        """The instant up to which all verdicts are valid: business time, or the given policy's first difference."""
        self.policy.restore(restating=False, until=self.business_time, busy=False)
        if self.policy.followed is self.policy.given:
            return self.business_time
        since = self.policy.since(self.business_time)
        self.policy.follow_given()
        return min(self.business_time, -(-since // MINUTE) * MINUTE - MINUTE)  # the new policy judges its minute
