"""One partition of track: folds the records of the input topics, and provides the snapshots.

    record ──decode──> event ──> fold of its subject ──> change set ──snapshot──> entries (the changelog)
                  └──> dead letter                        ^                  └──> outputs (the topics)
    time passes ──> deadlines ────────────────────────────┘

Business time is the wall clock, or, in a replay, the least watermark of the input topics.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from streams.desk.customers.homes import SINGLE_PARTITION, CustomerPartitioner
from streams.desk.output.release import silently
from streams.desk.output.said_rows import SaidRows
from streams.desk.partition_state import Snapshot
from streams.desk.policy.versions import Policies
from streams.desk.saved import FULL
from streams.desk.track.arrivals import EVENTS
from streams.desk.track.dead_letter_limit import NO_LIMIT, DeadLetterLimit
from streams.desk.track.parts import DeskParts
from streams.desk.track.reference_events import KINDS
from streams.desk.track.snapshot import DeskSnapshot
from streams.desk.track.subject import ACTION, AGENT, CALL, CALLBACK, SURVEY, TICKET
from streams.desk.track.subjects import released_with
from streams.models import calls, surveys, tickets
from streams.models.codec import Rejected, Unknown, decode, structured
from streams.models.envelope import Event
from streams.models.instants import DAY, QUARTER, parse_instant
from streams.models.records import Record
from streams.models.rows import ReleasedRow, Row
from streams.models.signals import (
    ActionDone,
    ActionOpened,
    AgentStateChanged,
    CallbackDone,
    CallbackDue,
    CallbackRescheduled,
    ClockAdvanced,
    DeskClosed,
    ReviewCompleted,
)

LARGE_RECORD = 16 << 10  # bytes; after a larger record, the snapshot's size is checked at once
LOOK_EVERY = 64  # records

_SUBJECTS: dict[type[Event], tuple[str, Callable[[Any], str | None]]] = {
    **{event: (TICKET, event.key) for event in tickets.EVENTS},
    **{event: (CALL, event.key) for event in calls.EVENTS},
    **{event: (SURVEY, event.key) for event in (*surveys.EVENTS, ReviewCompleted)},
    **dict.fromkeys((CallbackDue, CallbackRescheduled, CallbackDone), (CALLBACK, lambda event: event.data.callback_id)),
    **dict.fromkeys((ActionOpened, ActionDone), (ACTION, lambda event: event.data.action_id)),
    AgentStateChanged: (AGENT, AgentStateChanged.key),
}
"""For each event type: the kind of its subject, and the subject's id."""


def subject_of(raw: bytes | None) -> str | None:
    """The name with which the subject of an event is released; None if it is no event, or has no subject."""
    event: Any = decode(raw)
    found = _SUBJECTS.get(type(event))
    return None if found is None else released_with(found[0], found[1](event) or event.id, event)


class Desk:
    """The state of one partition (`streams.desk.partition_state.PartitionState`).

    Arguments:
        partition: its number.
        policies: the policy to follow.
        wall: whether business time is the wall clock.
        restate: whether a changed policy may restate rows already written.
        limit: of dead letters.
        homes: the partitions that receive a customer's facts, and the warnings of a parent's children.
        cached_subjects: maximum number of subjects kept hydrated.
        say: called with a sentence when a restatement by this release's rules is done.
    """

    def __init__(
        self,
        partition: int,
        policies: Policies,
        *,
        wall: bool,
        restate: bool = False,
        limit: DeadLetterLimit = NO_LIMIT,
        homes: CustomerPartitioner = SINGLE_PARTITION,
        cached_subjects: int = 12_000,
        say: Callable[[str], None] = silently,
    ) -> None:
        self._parts = parts = DeskParts(
            partition,
            policies,
            wall=wall,
            restate=restate,
            limit=limit,
            homes=homes,
            cached_subjects=cached_subjects,
            say=say,
        )
        self.partition, self.wall, self.policy = partition, wall, parts.policy
        self.subjects, self.watermarks, self.panes = parts.subjects, parts.watermarks, parts.panes
        self.dead_letters, self.totals = parts.dead_letters, parts.arrivals.totals
        self._arrived, self._deadlines = parts.arrivals.by_quarter, parts.subjects.deadlines
        self._snapshot = DeskSnapshot(parts)
        self._now: int | None = None
        self.full: Callable[[], bool] = self._snapshot.is_full

    @property
    def business_time(self) -> int:
        """The instant (ms) up to which all due rows were written; -1 before the first event."""
        return self._deadlines.business_time

    # Events

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Fold records[start:], or as many as fit in a snapshot; returns the index of the next record.

        Raises TooManyDeadLetters, PolicyRefused.
        """
        if self.dead_letters.is_stopping() or not self._is_restated():
            return start
        end = self._feed(topic, records, start)
        self.dead_letters.count_read(topic, end - start)
        return end

    def _feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Fold the records in one loop. Arrival counts are summed, and written at the end."""
        snapshot, now, fold_event = self._snapshot, self._now, self.subjects.fold_event
        business_time = self._deadlines.business_time
        latest, quarters = -1, dict[int, int]()
        try:
            for i in range(start, len(records)):
                record = records[i]
                event: Any = decode(record.value, record.headers, now)
                found = _SUBJECTS.get(type(event))
                if found is not None:
                    kind, id_of = found
                    at = event.at
                    quarter = at - at % QUARTER
                    quarters[quarter] = quarters.get(quarter, 0) + 1
                    if at < business_time:
                        self._count_if_late(topic, at)
                    if at > latest:
                        latest = at
                    raw = structured(record.value, record.headers) if record.headers else record.value
                    assert raw is not None
                    if not fold_event(kind, id_of(event) or event.id, event, raw, topic):
                        self._leave_out(event, topic, record)
                elif isinstance(event, Event):
                    if latest >= 0:
                        self.watermarks.see(topic, latest)
                        latest = -1
                    raw = structured(record.value, record.headers) if record.headers else record.value
                    assert raw is not None
                    if not self._fold_reference(event, raw, topic, record):
                        return i
                elif not self._reject(event, topic, record, i - start + 1):
                    return i
                snapshot.folded = True
                if (not i % LOOK_EVERY or len(record.value or b"") > LARGE_RECORD) and self.full():
                    return i + 1
            return len(records)
        finally:
            for quarter, number in quarters.items():
                self._arrived[topic, quarter, EVENTS] += number
            if latest >= 0:
                self.watermarks.see(topic, latest)

    def _count_if_late(self, topic: str, at: int) -> None:
        if at < self.business_time - self.policy.followed.at(at).lateness_ms:
            self._parts.arrivals.count(topic, at, "late", 1)

    def _leave_out(self, event: Event, topic: str, record: Record) -> None:
        """Mark an event that came after the release of its subject: it changes nothing, here and in `verify`."""
        self._parts.arrivals.count(topic, event.at, "released", 1)
        self._parts.change_set.put(ReleasedRow(topic, record.partition, record.offset))

    def _fold_reference(self, event: Event, raw: bytes, topic: str, record: Record) -> bool:
        """Fold an event without a subject: time, a closure, or a reference event. False: a checkpoint comes first."""
        if isinstance(event, ClockAdvanced):
            self.watermarks.advance(topic, parse_instant(event.data.to))
        else:
            count = partial(self._parts.arrivals.count, topic, event.at)
            if isinstance(event, DeskClosed):
                if not self._parts.closures.apply(event, raw, self.full, count):
                    return False
            elif isinstance(event, KINDS) and not self._parts.references.add(event, raw, self._oldest(), count):
                self._leave_out(event, topic, record)
            self._arrived[topic, event.at - event.at % QUARTER, EVENTS] += 1
            self.watermarks.see(topic, event.at)
        return True

    def _reject(self, rejected: Rejected | Unknown, topic: str, record: Record, nth: int) -> bool:
        """Skip or dead-letter the `nth` record of this run; False: a checkpoint is needed first."""
        if isinstance(rejected, Unknown):
            self._parts.arrivals.count(topic, record.timestamp, "unknown", 1)
            return True
        pending = self.pending_bytes()
        if self.dead_letters.stop or (pending and pending + len(record.value or b"") > FULL):
            return False
        self._parts.arrivals.count(topic, record.timestamp, "dead_letters", 1)
        self.dead_letters.reject(topic, record, rejected.reason, nth)
        return True

    # Policy

    def _is_restated(self) -> bool:
        """Whether all subjects follow this release's rules and the given policy; if not, begin or continue restating.

        Until they do, no event is folded, and no time passes. The rules come first, each subject under the policy that
        it follows by then. Raises PolicyRefused.
        """
        policy, parts = self.policy, self._parts
        if parts.release.progress is not None:
            self._snapshot.folded = True
            if not parts.held_rows.go_on(self.full):
                return False
        if policy.next is None and (policy.given is policy.followed or self._parts.closures.under_way is not None):
            return True
        followed = policy.followed
        until = max(self.business_time, self.watermarks.latest)
        done = policy.go_on_restating(until, self._begin_restating, lambda: self.subjects.go_on_restating(self.full))
        self._snapshot.folded |= policy.followed is not followed
        return done

    def _begin_restating(self, policies: Policies) -> None:
        self.subjects.begin_restating(
            self._parts.closures.over(self.policy.followed), self._parts.closures.over(policies)
        )

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass up to `now` (wall), or up to the watermarks."""
        self._now = now
        if self.dead_letters.is_stopping() or not self._is_restated():
            return
        until = self.watermarks.least() if now is None or not self.wall else now
        before = self.business_time
        if until > before:
            self.subjects.pass_time(until, self.full)
            if before // DAY != self.business_time // DAY:
                self._parts.references.release(self._oldest(), self.subjects.cache.__contains__)

    def _oldest(self) -> int:
        """The instant before which a reference event is too late: the hold and one more day ago."""
        return self.business_time - self.policy.followed.at(max(0, self.business_time)).hold_ms - DAY

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed, or an idle partition has to report its progress again."""
        return self._snapshot.unsaved()

    def pending_bytes(self) -> int:
        """The approximate size of the next snapshot, bytes."""
        return self._snapshot.pending_bytes()

    def urgent(self) -> bool:
        """Whether a warning waits to be sent."""
        return self._parts.change_set.urgent

    def rows(self) -> list[Row]:
        """All rows changed since the last snapshot, except panes."""
        return self._snapshot.rows()

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """All changes and outputs since the last snapshot."""
        return self._snapshot.take(version, offsets)

    def said_rows(self) -> SaidRows | None:
        """The rows to be read back before anything is folded, if the checkpoint is of other rules."""
        return self._parts.release.to_read()

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog."""
        self._snapshot.load(key, value)

    def restored(self) -> None:
        """Refold every subject. Raises PolicyRefused."""
        self._snapshot.restored()

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Write our own values of these keys with the next snapshot."""
        self._snapshot.rewrite_keys(keys)
