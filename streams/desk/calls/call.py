"""A call: offered, then answered and ended, or abandoned; or lost, if it never ended.

offered    queue            answered                ended
   |--ivr--|----- wait --------|------- leg ----------|
           |== waiting span ===|
   |<----- max_wait ... lost   |<------ max_talk ... closed

Offered, answered, abandoned and lost count once, under the first queue and team, so that answered + abandoned + lost is
what was queued. What a later event shows to be wrong is taken back:

abandoned (one phone rang out) ── answered by another:  answered, not abandoned
ended, no talk (abandoned) ────── answered, late:       answered; the end is its leg's
ended ── transferred ── answered: the transfer counts;  ended ── transferred: it does not
"""

from collections.abc import Callable
from typing import Any

import msgspec

from streams.desk.calls.legs import Leg, Legs, Talk, milliseconds
from streams.desk.calls.waiting import Waiting
from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies
from streams.models.calls import CallAbandoned, CallAnswered, CallEnded, CallOffered, CallTransferred
from streams.models.entities import CallOutcome, CallRow
from streams.models.envelope import Event, order_of
from streams.models.instants import NEVER
from streams.models.rows import TIMER, Cause, FactRow

OVER = (CallOutcome.ENDED, CallOutcome.ABANDONED)


class Call(msgspec.Struct, gc=False, eq=False):
    """A call as it stands after its events so far. A plain fold, like a ticket."""

    id: str
    policies: Policies
    change_set: ChangeSet
    legs: Legs
    waiting: Waiting
    created_at: int | None = None  # offered
    answered_at: int | None = None
    ended_at: int | None = None
    outcome: CallOutcome = CallOutcome.WAITING
    first_queue: str = ""
    first_team: str = ""
    segment: str = ""
    category: str = ""
    customer_id: str = ""
    ticket_id: str = ""
    known_at: int = 0  # since when this customer is known
    ivr_ms: int = 0
    wait_ms: int = 0
    transfers: int = 0
    next_at: int = NEVER
    fired_at: int = -1
    released_at: int = NEVER
    _answer: FactRow | None = None  # the one answer that counts
    _unanswered: FactRow | None = None  # the abandonment that counts
    _lost: FactRow | None = None
    _ends: dict[int, FactRow] = {}  # what the ends count, by number
    _last: Leg | None = None  # the leg with which the call ended
    _after_end: tuple[tuple[CallTransferred, int, int], ...] = ()  # transfers after it was over, and len(legs) then

    @property
    def queue(self) -> str:
        """The queue in force."""
        return self.waiting.queue

    @property
    def team(self) -> str:
        """The team in force."""
        return self.waiting.team

    @property
    def agent_id(self) -> str:
        """Who talked last, or talks; "" for nobody."""
        return self.legs.all[-1].agent_id if self.legs.all else ""

    def apply(self, event: Event, at: int) -> None:
        """Fold an event in, at the instant `at`. Nothing counts before the call was offered; a second offer is none."""
        if at > self.released_at or (not event.rank and self.created_at is not None):
            return
        if self.next_at < at:
            self.pass_time(at)
        data = event.data
        if isinstance(event, CallOffered) or self.created_at is not None:
            if data.customer_id and data.customer_id != self.customer_id:
                self.customer_id, self.known_at = data.customer_id, at
            if self.outcome != CallOutcome.IVR:
                _APPLY[type(event)](self, event, at)

    # Events

    def offer(self, event: CallOffered, at: int) -> None:
        """The call comes in; it waits from the end of the voice menu on."""
        data = event.data
        self.created_at = at
        self.first_queue, self.first_team = data.queue or "", data.team or ""
        self.segment, self.category = data.segment or "", data.category or ""
        self.ticket_id = data.ticket_id or ""
        self.ivr_ms = milliseconds(data.ivr_s)
        self._count(_cause(event), at, {"offered": 1})
        self.waiting.begin(at + self.ivr_ms, self.first_queue, self.first_team, self.change_set)
        self.next_at = at + self.policies.at(at).calls.max_wait_ms

    def answer_or_end(self, event: CallAnswered | CallEnded, at: int) -> None:
        """A leg begins or ends. An end without talk and without an answer is an abandonment."""
        self.ticket_id = event.data.ticket_id or self.ticket_id
        legs = self.legs
        changed = legs.add(event, at, self.waiting.since)
        if not legs.all:
            if self._unanswered is None:
                self._abandon(at, max(0, at - self.waiting.since), _cause(event))
            return
        last = legs.last()
        if self._answer is None or not legs.is_regular:
            self._answered(at)
        if self._after_end:
            self._count_transfers(last)
        self.waiting.end(legs.all[0].began_at, self.change_set)
        self._write_legs(changed, last)
        self._settle(last)

    def abandon(self, event: CallAbandoned, at: int) -> None:
        """The caller gives up: in the voice menu, or in the queue or while it rings. Not after an answer."""
        if self.legs.all or self._unanswered is not None:
            return
        wait = milliseconds(event.data.wait_s)
        if event.data.stage != "ivr":
            self._abandon(at, wait, _cause(event))
            return
        self._not_lost()
        self.outcome, self.wait_ms = CallOutcome.IVR, wait
        self._count(_cause(event), at, {"abandoned_ivr": 1})
        self.waiting.withdraw(self.change_set)
        self._close(at)

    def transfer(self, event: CallTransferred, at: int) -> None:
        """The call goes on elsewhere: counted under the queue that it leaves. After its end: only if it goes on."""
        if self.outcome in OVER:
            self._after_end += ((event, at, len(self.legs)),)
        else:
            self._transfer(event, at)

    def pass_time(self, until: int) -> None:
        """A call that neither ended nor was given up in time is closed; a later event takes that back.

        It counts as lost if nobody answered it: an answered call counts once, as answered.
        """
        if self.next_at >= until:
            return
        at, self.next_at = self.next_at, NEVER
        self.fired_at = at
        self.outcome = CallOutcome.LOST
        if self._answer is None:
            self._lost = self._count(TIMER, at, {"lost": 1})
            self.waiting.end(at, self.change_set)
        self._close(at)

    # What an event decides, and what it takes back

    def _transfer(self, event: CallTransferred, at: int) -> None:
        """Count a transfer, and move the call."""
        fact = self._fact(_cause(event), at, {"transferred": 1}, self.queue, self.team, self.agent_id)
        self.change_set.count(fact)
        self.transfers += 1
        queue, team = event.data.to_queue or self.queue, event.data.to_team or self.team
        self.waiting.move(at, event, queue, team, self.change_set)
        if self.legs.begin_after((at, order_of(event))):
            self._write_legs(self.legs.all, self._last)

    def _abandon(self, at: int, wait: int, cause: Cause) -> None:
        """Count the first abandonment."""
        self._not_lost()
        calls = self.policies.at(at).calls
        self.outcome, self.wait_ms = CallOutcome.ABANDONED, wait
        counts = {"abandoned": 1}
        if wait <= calls.answer_within_ms:
            counts["abandoned_in_target"] = 1
        if wait <= calls.short_abandon_ms:
            counts["short_abandoned"] = 1
        self._unanswered = self._count(cause, at, counts)
        self.waiting.end(at, self.change_set)
        self._close(at)

    def _not_lost(self) -> None:
        if self._lost is not None:
            self.change_set.uncount(self._lost)
            self._lost = None

    def _answered(self, known_at: int) -> None:
        """Count the first answer, reported or derived, once it is `known_at`; take back what it refutes."""
        self._not_lost()
        if self._unanswered is not None:
            self.change_set.uncount(self._unanswered)
            self._unanswered = None
        leg = self.legs.first_answered()
        if leg.answer is not None:
            at, cause, agent_id = leg.answer.at, leg.answer.cause, leg.answer.agent_id
            wait = leg.answer.wait_ms
        else:
            assert leg.end is not None
            at, cause, agent_id = leg.began_at, leg.end.cause, leg.agent_id
            wait = at - self.waiting.since
        counts = {"answered": 1, "wait_ms": wait}
        if wait <= self.policies.at(at).calls.answer_within_ms:
            counts["answered_in_target"] = 1
        self.answered_at, self.wait_ms = at, wait
        known, self._answer = self._answer, self._fact(cause, at, counts, self.first_queue, self.first_team, agent_id)
        self.change_set.replace_fact(known, self._answer, known_at)

    def _count_transfers(self, last: Leg | None) -> None:
        """Count the transfers after an end that turns out not to be the call's: those before its `last` leg's."""
        waiting, self._after_end = self._after_end, ()
        for transfer, at, n in waiting:
            if last is None or last.end is None or n <= last.end.n:
                self._transfer(transfer, at)
            else:
                self._after_end += ((transfer, at, n),)

    def _settle(self, last: Leg | None) -> None:
        """The call ends, once, with its `last` leg; None: one is open, and is closed after max_talk."""
        if last is None:
            since = self.legs.open_since()
            self.outcome, self.ended_at, self.released_at = CallOutcome.ANSWERED, None, NEVER
            self.next_at = since + self.policies.at(since).calls.max_talk_ms
        else:
            assert last.end is not None
            self.outcome = CallOutcome.ENDED
            self._close(last.end.at)

    def _close(self, at: int) -> None:
        self.ended_at, self.next_at = at, NEVER
        self.released_at = at + self.policies.at(at).hold_ms

    # Legs

    def _write_legs(self, changed: list[Leg], last: Leg | None) -> None:
        """Write these legs, and count their ends; `last`: the one with which the call ends."""
        former = self._last
        if former is not None and former is not last and self.legs.is_regular and former not in changed:
            changed = [former, *changed]  # the call did not end with it
        for leg in changed:
            if leg.place is not None:
                leg.queue, leg.team = self.waiting.before(leg.place)
            elif leg.end is None:
                leg.queue, leg.team = self.queue, self.team
            self.change_set.put(leg.row(self.id))
            if leg.end is not None:
                self._count_end(leg.end, self._leg_fact(leg, leg.end, is_last=leg is last))
        for end in self.legs.lonely:
            self._count_end(end, None)
        self._last = last

    def _leg_fact(self, leg: Leg, end: Talk, *, is_last: bool) -> FactRow:
        counts = {"legs": 1, "talk_ms": end.talk_ms, "hold_ms": end.hold_ms, "wrapup_ms": end.wrapup_ms}
        if is_last:
            counts["ended"] = 1
        return self._fact(end.cause, end.at, counts, leg.queue, leg.team, leg.agent_id)

    def _count_end(self, end: Talk, fact: FactRow | None) -> None:
        """Count what an end tells of its leg, or no longer, if it has none."""
        known = self._ends.pop(end.n, None)
        if fact is not None:
            self._ends[end.n] = fact
        self.change_set.replace_fact(known, fact)

    # Facts and rows

    def _fact(
        self, cause: Cause, at: int, counts: dict[str, int], queue: str, team: str, agent_id: str = ""
    ) -> FactRow:
        """A fact named by the first of `counts`."""
        return FactRow(
            "call", self.id, *cause, next(iter(counts)), 0, at,
            team, "phone", "", "", self.segment, self.category, "", agent_id, queue, "", counts,
        )  # fmt: skip

    def _count(self, cause: Cause, at: int, counts: dict[str, int]) -> FactRow:
        """Count under the first queue and team."""
        fact = self._fact(cause, at, counts, self.first_queue, self.first_team)
        self.change_set.count(fact)
        return fact

    def entity_row(self) -> CallRow | None:
        """The call as it stands; None as long as it was not offered."""
        if self.created_at is None:
            return None
        talk_ms = hold_ms = wrapup_ms = 0
        for leg in self.legs.all:
            if (end := leg.end) is not None:
                talk_ms, hold_ms, wrapup_ms = talk_ms + end.talk_ms, hold_ms + end.hold_ms, wrapup_ms + end.wrapup_ms
        return CallRow(
            self.id, self.outcome, self.created_at, self.answered_at, self.ended_at, self.first_queue, self.queue,
            self.team, self.segment, self.category, self.agent_id, self.customer_id, self.ticket_id, self.ivr_ms,
            self.wait_ms, talk_ms, hold_ms, wrapup_ms, self.transfers,
        )  # fmt: skip


def new_call(call_id: str, policies: Policies, change_set: ChangeSet) -> Call:
    """A call to which nothing has happened yet."""
    return Call(call_id, policies, change_set, Legs(), Waiting(call_id))


def _cause(event: Event) -> Cause:
    return event.source, event.id


_APPLY: dict[type[Event], Callable[[Call, Any, int], None]] = {
    CallOffered: Call.offer,
    CallAnswered: Call.answer_or_end,
    CallAbandoned: Call.abandon,
    CallTransferred: Call.transfer,
    CallEnded: Call.answer_or_end,
}
