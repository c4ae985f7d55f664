"""A ticket: what each of its events does to its properties, its clocks, its counts and its place in the backlog.

created ──> assigned/updated ──> replied ... ──> solved ──> closed          merged: the end
  │            retarget            │              │  ^
  ├─ first_response ───────────────┘ fulfilled    │  └── reopened: `reactivated`, or a new cycle
  └─ resolution ──────────────────────────────────┘ fulfilled
"""

from collections.abc import Callable
from typing import Any

import msgspec

from streams.desk.book import Book, Cause, Dimensions, Passing, tags_of
from streams.desk.clock import NEVER, Clock, State
from streams.desk.policy import Policies, Policy
from streams.desk.sheet import Sheet
from streams.models import tickets as events
from streams.models.envelope import Event
from streams.models.rows import SpanRow, TicketRow

FIRST, NEXT, RESOLUTION = METRICS = ("first_response", "next_response", "resolution")
DONE = ("solved", "closed")


class Ticket(Book):
    """A ticket as it stands after its events so far. A plain fold: `apply` events in order, `pass_time` in between."""

    __slots__ = (
        "agent_replied",
        "clocks",
        "closed_at",
        "created_at",
        "customer_id",
        "ended_at",
        "fired_at",
        "first_replied_at",
        "first_unanswered",
        "hops",
        "merged_into",
        "next_at",
        "parent_id",
        "policies",
        "reassignments",
        "released_at",
        "reopenings",
        "replies",
        "severity",
        "solved_at",
        "span",
        "spans",
        "stage",
        "stage_since",
        "status",
        "switch",
        "tags",
        "updated_at",
    )

    def __init__(self, ticket_id: str, policies: Policies, sheet: Sheet) -> None:
        super().__init__(ticket_id, sheet)
        self.policies = policies
        self.created_at: int | None = None
        self.status = self.customer_id = self.stage = self.severity = self.parent_id = self.merged_into = ""
        self.tags: tuple[str, ...] = ()
        self.clocks: list[Clock] = []  # in the order they started; of each metric the last one is current
        self.agent_replied = self.first_unanswered = False
        self.first_replied_at: int | None = None
        self.solved_at: int | None = None
        self.closed_at: int | None = None
        self.ended_at: int | None = None  # solved, closed or merged, and not reopened since
        self.updated_at = self.stage_since = 0
        self.replies = self.hops = self.reassignments = self.reopenings = 0
        self.span: SpanRow | None = None  # its stretch in the backlog now
        self.spans = 0  # how many there were
        self.switch = 0  # how many switches of the policy it has seen
        self.next_at = NEVER  # the next instant at which the passing of time does something
        self.fired_at = -1  # the last such instant: an event no later than this is out of order
        self.released_at = NEVER  # when it will be held no longer

    # Events

    def apply(self, event: Event, at: int) -> None:
        """Fold an event in, at the instant `at` (its own, or that of the creation if it was timed before it)."""
        if self.merged_into or at > self.released_at or (not event.rank and self.created_at is not None):
            return
        if self.next_at < at:
            self.pass_time(at)
        cause = (event.source, event.id)
        self.updated_at = at
        _APPLY[type(event)](self, event.data, at, cause)
        self._settle(at)

    def create(self, data: events.Created, at: int, cause: Cause) -> None:
        """The ticket starts, and with it the clocks for the first response and the resolution."""
        self.created_at, self.status = at, "new"
        self.dims = (
            data.team or "",
            data.channel or "",
            data.priority or "normal",
            data.kind or "question",
            data.segment or "",
            data.category or "",
            data.product or "",
        )
        self.agent_id, self.customer_id = data.agent_id or "", data.customer_id or ""
        self.severity, self.url, self.parent_id = data.severity or "", data.url or "", data.parent_id or ""
        self.tags = tags_of(data.tags)
        policy = self.policies.at(at)
        self.fact(cause, "created", 0, at, {"created": 1})
        self._start(FIRST, 1, policy, at, cause)
        self._start(RESOLUTION, 1, policy, at, cause)

    def assign(self, data: events.Assigned, at: int, cause: Cause) -> None:
        """Team or agent change; a change from one to another is a transfer, a reassignment."""
        counts: dict[str, int] = {}
        team, agent_id = data.team or self.dims[0], data.agent_id or self.agent_id
        if self.dims[0] and team != self.dims[0]:
            counts["transferred"] = 1
            self.hops += 1
        if self.agent_id and agent_id != self.agent_id:
            counts["reassigned"] = 1
            self.reassignments += 1
        self.customer_id = data.customer_id or self.customer_id
        self.agent_id = agent_id
        self._change((team, *self.dims[1:]), at, cause)
        if counts:
            self.fact(cause, next(iter(counts)), 0, at, counts)

    def update(self, data: events.Updated, at: int, cause: Cause) -> None:
        """Properties change; the clocks' targets may change with them."""
        team, channel, priority, kind, segment, category, product = self.dims
        self.severity = data.severity or self.severity
        self.customer_id = data.customer_id or self.customer_id
        if data.tags is not None:
            self.tags = tags_of(data.tags)
        dims = (
            team,
            channel,
            data.priority or priority,
            data.kind or kind,
            data.segment or segment,
            data.category or category,
            data.product or product,
        )
        self._change(dims, at, cause)

    def reply(self, data: events.Replied, at: int, cause: Cause) -> None:
        """A public, not automatic reply: an agent's fulfils what waits for one, a customer's starts to wait."""
        if data.public is False or data.auto:
            return
        if data.author == "agent":
            self.replies += 1
            self.agent_replied = True
            if self.first_replied_at is None:
                self.first_replied_at = at
            self.fact(cause, "replied", 0, at, {"replied": 1})
            for clock in self._active(FIRST), self._active(NEXT):
                if clock is not None:
                    clock.fulfil(at, cause, self)
        elif data.author == "customer" and self.created_at is not None and self._awaits_next():
            cycle = sum(clock.metric == NEXT for clock in self.clocks) + 1
            self._start(NEXT, cycle, self.policies.at(at), at, cause)

    def _awaits_next(self) -> bool:
        """Whether a reply of the customer starts a next_response: no other runs, and the first is over."""
        return self._active(NEXT) is None and (self.agent_replied or self.first_unanswered)

    def set_stage(self, data: events.StageChanged, at: int, cause: Cause) -> None:
        """The complaint procedure goes on: count the time in the stage left."""
        if self.stage and data.stage != self.stage:
            self.fact(cause, "stage", 0, at, {f"stage_ms.{self.stage}": at - self.stage_since})
        if data.stage != self.stage:
            self.stage, self.stage_since = data.stage, at

    def set_status(self, data: events.StatusChanged, at: int, cause: Cause) -> None:
        """The life cycle: solving, closing, reopening, pausing."""
        before, self.status = self.status, data.status
        if data.status == before:
            return
        policy = self.policies.at(at)
        if data.status in DONE:
            self._finish(before, at, cause)
        elif before in DONE:
            self._reopen(policy, at, cause)
        self._hold_still(policy, at, cause)

    def merge(self, data: events.Merged, at: int, cause: Cause) -> None:
        """The ticket goes on as another one: nothing changes it any more."""
        for clock in self._active_clocks():
            clock.cancel(at, cause, self)
        self.merged_into = data.into
        self._end(at)

    def exempt_clock(self, data: events.Exempted, at: int, cause: Cause) -> None:
        """Take a breach out of the rates: of the cycle named, else the latest."""
        for clock in reversed(self.clocks):
            if clock.metric == data.metric and data.cycle in (None, clock.cycle):
                clock.exempt(at, cause, self)
                return

    # The passing of time

    def pass_time(self, until: int) -> None:
        """Fire what is due before `until`.

        A switch of the policy comes at the start of its instant, which is the end of the one before:

            instant    |   tau - 1            |   tau            |
                       | events  breach, risk | switch  events   |
            fires with next_at = tau - 1 ─────┴──┘
        """
        while True:
            clock = min(self._active_clocks(), key=lambda clock: clock.next_at, default=None)
            at = NEVER if clock is None else clock.next_at
            switch_at = self._switch_at()
            if switch_at <= at and switch_at <= until:
                self.fired_at = max(self.fired_at, switch_at - 1)
                self._switch_policy(switch_at)
            elif clock is not None and at < until:
                self.fired_at = at
                clock.fire(self)
                self._settle(at)
            else:
                break
        self._settle_next()

    def _switch_at(self) -> int:
        """The next switch of the policy that matters to this ticket."""
        switches = self.policies.switches
        if self.switch >= len(switches) or not self._active_clocks():
            return NEVER
        return switches[self.switch]

    def _switch_policy(self, at: int) -> None:
        self.switch += 1
        policy = self.policies.at(at)
        for clock in self._active_clocks():
            clock.match(self._target(clock.metric, policy), at, Passing, self)
        self._hold_still(policy, at, Passing)
        self._settle(at)

    # Parts

    def _target(self, metric: str, policy: Policy) -> Any:
        return policy.target(metric, self.dims, self.tags)

    def _start(self, metric: str, cycle: int, policy: Policy, at: int, cause: Cause) -> None:
        self.switch = self.policies.switched(at)
        clock = Clock(metric, cycle, at)
        self.clocks.append(clock)
        clock.match(self._target(metric, policy), at, cause, self)
        if self.status in policy.clocks[metric].pause_on:
            clock.pause(at, cause, self)

    def _active(self, metric: str) -> Clock | None:
        for clock in self.clocks:
            if clock.state < State.FULFILLED and clock.metric == metric:
                return clock
        return None

    def _active_clocks(self) -> list[Clock]:
        """The clocks that have not ended, by metric."""
        active = [clock for clock in self.clocks if clock.state < State.FULFILLED]
        if len(active) > 1:
            active.sort(key=lambda clock: clock.metric)  # first_response, next_response, resolution
        return active

    def _change(self, dims: Dimensions, at: int, cause: Cause) -> None:
        """Take new dimensions, and choose policy and target anew."""
        if self.past_dims is not None:
            self.past_dims.append((at, dims, self.agent_id))
        self.dims = dims
        if active := self._active_clocks():
            policy = self.policies.at(at)
            for clock in active:
                clock.match(self._target(clock.metric, policy), at, cause, self)

    def _finish(self, before: str, at: int, cause: Cause) -> None:
        """Into solved or closed."""
        counts: dict[str, int] = {}
        if before not in DONE:
            counts["solved"] = 1
            self.solved_at = at
        if self.status == "closed":
            counts["closed"] = 1
            self.closed_at = at
        if counts:
            self.fact(cause, next(iter(counts)), 0, at, counts)
        for clock in self._active_clocks() if counts else ():  # solved after closed ends nothing
            if clock.metric == RESOLUTION:
                clock.fulfil(at, cause, self)
            else:
                self.first_unanswered |= clock.metric == FIRST
                clock.cancel(at, cause, self)
        if before not in DONE:
            self.past_dims = [(at, self.dims, self.agent_id)]
        self._end(at)

    def _end(self, at: int) -> None:
        self.ended_at = at
        self.released_at = at + self.policies.at(at).hold_ms

    def _reopen(self, policy: Policy, at: int, cause: Cause) -> None:
        """Out of solved or closed."""
        self.reopenings += 1
        self.ended_at = self.closed_at = self.solved_at = None
        self.released_at = NEVER
        past, self.past_dims = self.past_dims, None
        self.fact(cause, "reopened", 0, at, {"reopened": 1})
        last = next((clock for clock in reversed(self.clocks) if clock.metric == RESOLUTION), None)
        if last is None or last.state != State.FULFILLED:
            return
        self.switch = self.policies.switched(at)
        mode = policy.clocks[RESOLUTION].reopen
        if mode == "restart_cycle":
            self._start(RESOLUTION, last.cycle + 1, policy, at, cause)
            return
        self.past_dims = past and [*past, (at, self.dims, self.agent_id)]
        last.reactivate(at, mode == "continue", cause, self)
        self.past_dims = None
        last.match(self._target(RESOLUTION, policy), at, cause, self)

    def _hold_still(self, policy: Policy, at: int, cause: Cause) -> None:
        """Pause the clocks that stand still in this status, resume the others."""
        for clock in self._active_clocks():
            still = self.status in policy.clocks[clock.metric].pause_on
            if still and clock.state == State.RUNNING:
                clock.pause(at, cause, self)
            elif not still and clock.state == State.PAUSED:
                clock.resume(at, cause, self)

    # What follows from each change

    def _settle(self, at: int) -> None:
        """Keep the backlog span and the next instant in step."""
        self._settle_next()
        if self.created_at is None or self.status in DONE or self.merged_into:
            self._close_span(at)
            return
        at_risk = breached = False
        for clock in self.clocks:
            if clock.state < State.FULFILLED and clock.matched:
                breached |= clock.breached_at is not None
                at_risk |= clock.at_risk
        at_risk &= not breached
        span = self.span
        if span is None or (span.team, span.at_risk, span.breached) != (self.dims[0], at_risk, breached):
            self._close_span(at)
            self.spans += 1
            team, created_at = self.dims[0], self.created_at
            self.span = SpanRow("ticket", self.id, self.spans, team, created_at, at, None, int(at_risk), int(breached))
            self.sheet.put(self.span)

    def _close_span(self, at: int) -> None:
        span, self.span = self.span, None
        if span is None:
            return
        if span.from_at == at:
            self.spans -= 1
            self.sheet.withdraw(span)
        else:
            self.sheet.put(msgspec.structs.replace(span, to_at=at, version=0))

    def _settle_next(self) -> None:
        next_at = min((clock.next_at for clock in self.clocks if clock.state < State.FULFILLED), default=NEVER)
        if self.policies.switches and (switch_at := self._switch_at()) < NEVER:
            next_at = min(next_at, switch_at - 1)
        self.next_at = next_at

    def standing(self) -> TicketRow:
        """The ticket as it stands."""
        team, channel, priority, kind, segment, category, product = self.dims
        return TicketRow(
            self.id,
            self.status,
            self.created_at,
            self.first_replied_at,
            self.solved_at,
            self.closed_at,
            self.updated_at,
            team,
            channel,
            priority,
            kind,
            segment,
            category,
            product,
            self.agent_id,
            self.severity,
            self.customer_id,
            self.stage,
            list(self.tags),
            self.url,
            self.parent_id,
            self.merged_into,
            self.replies,
            self.hops,
            self.reassignments,
            self.reopenings,
            {clock.metric: clock.outcome() for clock in self.clocks if clock.seq},
        )


_APPLY: dict[type[Event], Callable[[Ticket, Any, int, Cause], None]] = {
    events.TicketCreated: Ticket.create,
    events.TicketAssigned: Ticket.assign,
    events.TicketUpdated: Ticket.update,
    events.TicketReplied: Ticket.reply,
    events.TicketStageChanged: Ticket.set_stage,
    events.TicketStatusChanged: Ticket.set_status,
    events.TicketExempted: Ticket.exempt_clock,
    events.TicketMerged: Ticket.merge,
}
