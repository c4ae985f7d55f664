"""A ticket's clocks together: which run, what falls due next, policy switches, and the ticket's place in the backlog.

first_response   ├────────────┤ fulfilled or cancelled
next_response                      ├────┤   ├────┤        each a cycle
resolution       ├───────────────────────────────┤ solved  (reopened: goes on, or a cycle more)
backlog span     |new team|  at risk  | breached |         a new span at each change
"""

from typing import Any

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies, Policy
from streams.desk.tickets.silence import TicketWarnings
from streams.desk.tickets.sla_clock import Clock, State
from streams.models.instants import NEVER
from streams.models.rows import TIMER, Cause, SpanRow

FIRST, NEXT, RESOLUTION = METRICS = ("first_response", "next_response", "resolution")
DONE = ("solved", "closed")


class TicketClocks(TicketWarnings):
    """The part of a ticket that time changes: `pass_time` fires what is due."""

    __slots__ = (
        "agent_replied",
        "clocks",
        "created_at",
        "fired_at",
        "first_unanswered",
        "merged_into",
        "next_at",
        "released_at",
        "span",
        "spans",
        "status",
        "switch",
    )

    def __init__(self, ticket_id: str, policies: Policies, change_set: ChangeSet) -> None:
        super().__init__(ticket_id, policies, change_set)
        self.created_at: int | None = None
        self.status = self.merged_into = ""
        self.clocks: list[Clock] = []  # in the order they started; of each metric the last one is current
        self.agent_replied = self.first_unanswered = False
        self.span: SpanRow | None = None  # its stretch in the backlog now
        self.spans = 0  # how many there were
        self.switch = 0  # how many switches of the policy it has seen
        self.next_at = NEVER  # the next instant at which the passing of time does something
        self.fired_at = -1  # the last such instant: an event no later than this is out of order
        self.released_at = NEVER  # when it will be held no longer

    # The passing of time

    def pass_time(self, until: int) -> None:
        """Fire what is due before `until`.

        A switch of the policy comes at the start of its instant, which is the end of the one before:

            instant    |   tau - 1            |   tau            |
                       | events  breach, risk | switch  events   |
            fires with next_at = tau - 1 ─────┴──┘
        """
        while True:
            clock, at = self._next_clock()
            switch_at = self._switch_at()
            if switch_at <= min(at, self.quiet_until) and switch_at <= until:
                self.fired_at = max(self.fired_at, switch_at - 1)
                self._switch_policy(switch_at)
            elif self.quiet_until < min(at, until):
                self.fired_at = self.quiet_until
                self.fall_silent(self.quiet_until)
            elif clock is not None and at < until:
                self.fired_at = at
                clock.fire(self)
                self._settle(at)
            else:
                break
        self._settle_next()

    def _next_clock(self) -> tuple[Clock | None, int]:
        """The clock that falls due first, and when; of several, the first by metric."""
        found, at = None, NEVER
        for clock in self.clocks:  # one that has ended, or is a shadow, never falls due
            if clock.next_at < at or (found is not None and clock.next_at == at and clock.metric < found.metric):
                found, at = clock, clock.next_at
        return found, at

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
            clock.match(self._target(clock.metric, policy), at, TIMER, self)
        self.choose_silence(policy, at)
        self._hold_still(policy, at, TIMER)
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

    def _awaits_next(self) -> bool:
        """Whether a reply of the customer starts a next_response: no other runs, and the first is over."""
        return self._active(NEXT) is None and (self.agent_replied or self.first_unanswered)

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
            self.change_set.put(self.span)

    def _close_span(self, at: int) -> None:
        span, self.span = self.span, None
        if span is None:
            return
        if span.from_at == at:
            self.spans -= 1
            self.change_set.withdraw(span)
        else:
            self.change_set.put(msgspec.structs.replace(span, to_at=at, version=0))

    def _settle_next(self) -> None:
        at = min(self._next_clock()[1], self.quiet_until)
        if self.policies.switches and (switch_at := self._switch_at()) < NEVER:
            at = min(at, switch_at - 1)
        self.next_at = at
