"""The desk: all that one partition knows. It folds the input topics' records and says what a checkpoint must hold.

    record ──decode──> event ──> its subject's fold ──> change_set ──cut──> entries (the changelog) + outputs (the topics)
                  └──> dead letter                        ^
    time passes ──> deadlines ────────────────────────────┘

The partition's time is the wall clock, or, in a replay, the least watermark of its input topics.
What a checkpoint holds: see `streams.desk.track.snapshot`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from streams.desk.track.reference_events import KINDS
from streams.desk.track.snapshot import FULL, DeskCheckpoints
from streams.desk.track.subject import ACTION, AGENT, CALL, CALLBACK, SURVEY, TICKET
from streams.models import calls, surveys, tickets
from streams.models.codec import Rejected, Unknown, decode, structured
from streams.models.envelope import Event
from streams.models.instants import DAY, HOUR, parse_instant
from streams.models.records import Record
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

LARGE = 16 << 10  # bytes of a record after which the size of the checkpoint is looked at

_KINDS: dict[type[Event], tuple[str, Callable[[Any], str | None]]] = {
    **{event: (TICKET, event.key) for event in tickets.EVENTS},
    **{event: (CALL, event.key) for event in calls.EVENTS},
    **{event: (SURVEY, event.key) for event in (*surveys.EVENTS, ReviewCompleted)},
    **dict.fromkeys((CallbackDue, CallbackRescheduled, CallbackDone), (CALLBACK, lambda event: event.data.callback_id)),
    **dict.fromkeys((ActionOpened, ActionDone), (ACTION, lambda event: event.data.action_id)),
    AgentStateChanged: (AGENT, AgentStateChanged.key),
}
"""By event, the kind of its subject, and the subject's id."""


class Desk(DeskCheckpoints):
    """The state of one partition (`streams.desk.partition_state.PartitionState`).

    `restate`: the policies may change what was written, which is then counted anew. `limit` of dead letters. `homes`:
    where customers' facts go. `cached_subjects`: so many subjects stay unpacked.
    """

    # Events

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Fold records[start:], or as many of them as fit in a checkpoint; returns the index of the next one.

        Raises TooManyDeadLetters, PolicyRefused.
        """
        if self.refusals.stopping() or not self._go_on_restating():
            return start
        end = self._feed(topic, records, start)
        self.refusals.read(topic, end - start)
        return end

    def _feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        for i in range(start, len(records)):
            record = records[i]
            event = decode(record.value, record.headers, self._now)
            if isinstance(event, Event):
                raw = record.value
                if record.headers:
                    raw = structured(raw, record.headers)
                assert raw is not None
                if not self.fold(event, raw, topic, self._full):
                    return i
            elif not self._refuse(event, topic, record, i - start + 1):
                return i
            self._folded = True
            if (not i & 63 or len(record.value or b"") > LARGE) and self._full():
                return i + 1
        return len(records)

    def fold(self, event: Event, raw: bytes, topic: str, full: Callable[[], bool] = lambda: False) -> bool:
        """Fold one event; `raw` is its JSON. False: not yet, for a checkpoint is `full`; fold it again after it."""
        found = _KINDS.get(type(event))
        if found is not None:
            kind, subject_of = found
            at, clock = event.at, self.subjects.clock
            self._arrived[topic, at - at % HOUR, "events"] += 1
            if clock >= 0 and at < clock and at < clock - self.policy.followed.at(at).lateness_ms:
                self._count(topic, at, "late", 1)
            self.watermarks.see(topic, at)
            self.subjects.take(kind, subject_of(event) or event.id, event, raw, topic)
        elif isinstance(event, ClockAdvanced):
            self.watermarks.advance(topic, parse_instant(event.data.to))
        else:
            if isinstance(event, DeskClosed):
                count = partial(self._count, topic, event.at)
                if not self.closures.take(event, raw, full, count):
                    return False
            elif isinstance(event, KINDS):
                self.notes.take(event, raw, self._oldest(), partial(self._count, topic, event.at))
            self._arrived[topic, event.at - event.at % HOUR, "events"] += 1
            self.watermarks.see(topic, event.at)
        return True

    def _refuse(self, refused: Rejected | Unknown, topic: str, record: Record, nth: int) -> bool:
        """Pass over, or put aside, the `nth` record of this run; False: not yet, for the checkpoint is full."""
        if isinstance(refused, Unknown):
            self._count(topic, record.timestamp, "unknown", 1)
            return True
        pending = self.pending_bytes()
        if self.refusals.stop or (pending and pending + len(record.value or b"") > FULL):
            return False
        self._count(topic, record.timestamp, "dead_letters", 1)
        self.refusals.refuse(topic, record, refused.reason, nth)
        return True

    # Policy

    def _go_on_restating(self) -> bool:
        """If the given policy is not the one that is followed, count what is held anew, or more of it; whether all is.

        Until then no event is folded, and no time passes. Raises PolicyRefused.
        """
        policy = self.policy
        if policy.next is None:
            if policy.given is policy.followed or self.closures.under_way is not None:
                return True
            policy.differs(max(self.clock, self.watermarks.latest))
            former = self.closures.over(policy.followed)
            self.subjects.begin_change(former, self.closures.over(policy.begin()))
        if not self.subjects.go_on_changing(self._full):
            return False
        policy.finish()
        self._folded = True
        return policy.given is policy.followed

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass up to `now` (wall), or up to the watermarks."""
        self._now = now
        if self.refusals.stopping() or not self._go_on_restating():
            return
        clock = self.watermarks.clock() if now is None or not self.wall else now
        if clock > self.subjects.clock:
            before = self.subjects.clock
            self.subjects.pass_time(clock, self._full)
            if before // DAY != self.subjects.clock // DAY:
                self.notes.release(self._oldest(), self.subjects.held.__contains__)

    def _oldest(self) -> int:
        """The instant before which a note comes too late: a day more than the hold ago."""
        return self.clock - self.policy.followed.at(max(0, self.clock)).hold_ms - DAY
