"""A call: offered, then answered and ended, or abandoned; or lost, if it never ended.

offered    queue            answered                ended
   |--ivr--|----- wait --------|------- talk ----------|
           |== waiting span ===|
   |<----- max_wait ... lost   |<------ max_talk ... lost
"""

from collections.abc import Callable
from typing import Any

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies
from streams.models import calls as events
from streams.models.dimensions import Dimensions
from streams.models.entities import CallOutcome, CallRow
from streams.models.envelope import Event
from streams.models.instants import NEVER
from streams.models.rows import TIMER, Cause, FactRow, SpanRow, fact_of


def milliseconds(seconds: float | None) -> int:
    """Seconds on the wire in whole ms."""
    return round((seconds or 0.0) * 1000)


class Call:
    """A call as it stands after its events so far. A plain fold, like a ticket."""

    __slots__ = (
        "agent_id",
        "answered_at",
        "category",
        "change_set",
        "created_at",
        "customer_id",
        "ended_at",
        "fired_at",
        "first_queue",
        "id",
        "known_at",
        "lost",
        "next_at",
        "outcome",
        "policies",
        "queue",
        "released_at",
        "row",
        "segment",
        "span",
        "team",
        "ticket_id",
        "transfers",
    )

    def __init__(self, call_id: str, policies: Policies, change_set: ChangeSet) -> None:
        self.id, self.policies, self.change_set = call_id, policies, change_set
        self.created_at: int | None = None  # offered
        self.answered_at: int | None = None
        self.ended_at: int | None = None
        self.outcome = CallOutcome.WAITING
        self.queue = self.first_queue = self.team = self.segment = self.category = ""
        self.agent_id = self.customer_id = self.ticket_id = ""
        self.known_at = 0  # since when this customer is known
        self.row = {"ivr": 0, "wait": 0, "talk": 0, "hold": 0, "wrapup": 0}  # ms
        self.transfers = 0
        self.span: SpanRow | None = None
        self.lost: FactRow | None = None
        self.next_at, self.fired_at, self.released_at = NEVER, -1, NEVER

    def apply(self, event: Event, at: int) -> None:
        """Fold an event in, at the instant `at`. Nothing counts before the call was offered; a second offer is none."""
        if at > self.released_at or (not event.rank and self.created_at is not None):
            return
        if self.next_at < at:
            self.pass_time(at)
        data = event.data
        if isinstance(event, events.CallOffered) or self.created_at is not None:
            if data.customer_id and data.customer_id != self.customer_id:
                self.customer_id, self.known_at = data.customer_id, at
            _APPLY[type(event)](self, data, at, (event.source, event.id))

    def offer(self, data: events.Offered, at: int, cause: Cause) -> None:
        """The call comes in; it waits from the end of the voice menu on."""
        self.created_at = at
        self.queue = self.first_queue = data.queue or ""
        self.team, self.segment, self.category = data.team or "", data.segment or "", data.category or ""
        self.ticket_id = data.ticket_id or ""
        self.row["ivr"] = milliseconds(data.ivr_s)
        self._count(cause, at, self.first_queue, {"offered": 1})
        queued_at = at + self.row["ivr"]
        self.span = SpanRow("call", self.id, 1, self.team, queued_at, queued_at, None, 0, 0)
        self.change_set.put(self.span)
        self.next_at = at + self.policies.at(at).calls.max_wait_ms

    def answer(self, data: events.Answered, at: int, cause: Cause) -> None:
        """An agent takes the call: counted once, under its first queue."""
        if self.answered_at is not None or self.outcome not in (CallOutcome.WAITING, CallOutcome.LOST):
            return
        self._not_lost()
        self.answered_at, self.outcome = at, CallOutcome.ANSWERED
        self.agent_id = data.agent_id or self.agent_id
        calls = self.policies.at(at).calls
        wait = self.row["wait"] = milliseconds(data.wait_s)
        counts = {"answered": 1, "wait_ms": wait}
        if wait <= calls.answer_within_ms:
            counts["answered_in_target"] = 1
        self._count(cause, at, self.first_queue, counts)
        self._stop_waiting(at)
        self.span = None
        self.next_at = at + calls.max_talk_ms

    def abandon(self, data: events.Abandoned, at: int, cause: Cause) -> None:
        """The caller gives up: in the voice menu, or in the queue or while it rings."""
        if self.outcome not in (CallOutcome.WAITING, CallOutcome.LOST) or self.answered_at is not None:
            return
        self._not_lost()
        calls = self.policies.at(at).calls
        wait = self.row["wait"] = milliseconds(data.wait_s)
        if data.stage == "ivr":
            self.outcome, counts = CallOutcome.IVR, {"abandoned_ivr": 1}
        else:
            self.outcome, counts = CallOutcome.ABANDONED, {"abandoned": 1}
            if wait <= calls.answer_within_ms:
                counts["abandoned_in_target"] = 1
            if wait <= calls.short_abandon_ms:
                counts["short_abandoned"] = 1
        self._count(cause, at, self.first_queue, counts)
        self._end(at)

    def transfer(self, data: events.Transferred, at: int, cause: Cause) -> None:
        """The call goes on elsewhere: counted under the queue that it leaves."""
        self._count(cause, at, self.queue, {"transferred": 1})
        self.transfers += 1
        self.queue, self.team = data.to_queue or self.queue, data.to_team or self.team
        self.agent_id = data.agent_id or self.agent_id

    def end(self, data: events.Ended, at: int, cause: Cause) -> None:
        """The call is over: talk, hold and wrap-up count once, under the queue it came to."""
        if self.outcome not in (CallOutcome.WAITING, CallOutcome.ANSWERED, CallOutcome.LOST):
            return
        self._not_lost()
        self.outcome = CallOutcome.ENDED
        self.agent_id = data.agent_id or self.agent_id
        parts = {"talk": data.talk_s, "hold": data.hold_s, "wrapup": data.wrapup_s}
        self.row.update({name: milliseconds(seconds) for name, seconds in parts.items()})
        self._count(cause, at, self.queue, {"ended": 1, **{f"{name}_ms": self.row[name] for name in parts}})
        self._end(at)

    def pass_time(self, until: int) -> None:
        """A call that neither ended nor was given up in time is lost; a later event takes that back."""
        if self.next_at < until:
            at, self.next_at = self.next_at, NEVER
            self.fired_at = at
            self.outcome = CallOutcome.LOST
            self.lost = self._count(TIMER, at, self.first_queue, {"lost": 1})
            self._end(at)

    def _not_lost(self) -> None:
        if self.lost is not None:
            self.change_set.uncount(self.lost)
            self.lost, self.ended_at, self.released_at = None, None, NEVER

    def _end(self, at: int) -> None:
        self._stop_waiting(at)
        self.ended_at, self.next_at = at, NEVER
        self.released_at = at + self.policies.at(at).hold_ms

    def _stop_waiting(self, at: int) -> None:
        """Close the waiting span, now or, if the call had been lost, anew."""
        if self.span is None:
            return
        if at <= self.span.from_at or self.outcome == CallOutcome.IVR:  # it never reached the queue
            self.change_set.withdraw(self.span)
        else:
            self.change_set.put(msgspec.structs.replace(self.span, to_at=at, version=0, is_deleted=0))

    def _count(self, cause: Cause, at: int, queue: str, counts: dict[str, int]) -> FactRow:
        dims = Dimensions(self.team, "phone", segment=self.segment, category=self.category)
        fact = fact_of("call", self.id, cause, next(iter(counts)), at, dims, self.agent_id, counts, queue=queue)
        self.change_set.count(fact)
        return fact

    def entity_row(self) -> CallRow | None:
        """The call as it stands; None as long as it was not offered."""
        if self.created_at is None:
            return None
        return CallRow(
            self.id,
            self.outcome,
            self.created_at,
            self.answered_at,
            self.ended_at,
            self.first_queue,
            self.queue,
            self.team,
            self.segment,
            self.category,
            self.agent_id,
            self.customer_id,
            self.ticket_id,
            self.row["ivr"],
            self.row["wait"],
            self.row["talk"],
            self.row["hold"],
            self.row["wrapup"],
            self.transfers,
        )


_APPLY: dict[type[Event], Callable[[Call, Any, int, Cause], None]] = {
    events.CallOffered: Call.offer,
    events.CallAnswered: Call.answer,
    events.CallAbandoned: Call.abandon,
    events.CallTransferred: Call.transfer,
    events.CallEnded: Call.end,
}
