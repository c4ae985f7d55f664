"""A ticket's clocks together: which run, which falls due next, what replies, status changes and policies do to them.

first_response   ├────────────┤ fulfilled or cancelled
next_response                      ├────┤   ├────┤        each a cycle
resolution       ├───────────────────────────────┤ solved  (reopened: goes on, or a cycle more)
"""

from streams.desk.policy.versions import Policy
from streams.desk.tickets.ledger import PastDimensions, TicketLedger
from streams.desk.tickets.sla_clock import ClockState, SlaClock
from streams.models.envelope import FIRST_RESPONSE, NEXT_RESPONSE, RESOLUTION
from streams.models.instants import NEVER
from streams.models.rows import Cause


class TicketClocks:
    """The clocks of one ticket, in the order they started; of each metric the last one is current."""

    __slots__ = ("agent_replied", "all", "first_cancelled", "ledger", "replied_while_closed", "switches_seen")

    def __init__(self, ledger: TicketLedger) -> None:
        self.ledger = ledger
        self.all: list[SlaClock] = []
        self.agent_replied = self.first_cancelled = False
        self.replied_while_closed = False  # the customer, and no agent has answered since
        self.switches_seen = 0  # of the policies' switches

    # The passing of time

    def next_due(self) -> tuple[SlaClock | None, int]:
        """The clock that falls due first, and when; of several, the first by metric."""
        found, at = None, NEVER
        for clock in self.all:  # one that has ended, or is untracked, never falls due
            if clock.next_at < at or (found is not None and clock.next_at == at and clock.metric < found.metric):
                found, at = clock, clock.next_at
        return found, at

    def switch_at(self) -> int:
        """The next switch of the policy that matters to this ticket."""
        switches = self.ledger.policies.switches
        if self.switches_seen >= len(switches) or not self.active_clocks():
            return NEVER
        return switches[self.switches_seen]

    # Which run

    def active(self, metric: str) -> SlaClock | None:
        """The clock of a metric that has not ended."""
        for clock in self.all:
            if clock.state < ClockState.FULFILLED and clock.metric == metric:
                return clock
        return None

    def active_clocks(self) -> list[SlaClock]:
        """The clocks that have not ended, by metric."""
        active = [clock for clock in self.all if clock.state < ClockState.FULFILLED]
        if len(active) > 1:
            active.sort(key=lambda clock: clock.metric)  # first_response, next_response, resolution
        return active

    def exposure(self) -> tuple[bool, bool]:
        """(at risk, breached): whether an active clock is, a breach hiding a risk."""
        at_risk = breached = False
        for clock in self.all:
            if clock.state < ClockState.FULFILLED and clock.matched:
                breached |= clock.breached_at is not None
                at_risk |= clock.at_risk
        return at_risk and not breached, breached

    # What changes them

    def start(self, metric: str, cycle: int, policy: Policy, status: str, at: int, cause: Cause) -> None:
        """Start a clock; in a pausing status it is activated and paused at the same instant."""
        ledger = self.ledger
        self.switches_seen = ledger.policies.switched(at)
        clock = SlaClock(metric, cycle, at)
        self.all.append(clock)
        clock.match(ledger.target(metric, policy), at, cause, ledger)
        if status in policy.clocks[metric].pause_on:
            clock.pause(at, cause, ledger)

    def choose_targets(self, active: list[SlaClock], policy: Policy, at: int, cause: Cause) -> None:
        """Properties or policy changed: choose the targets of the active clocks anew."""
        for clock in active:
            clock.match(self.ledger.target(clock.metric, policy), at, cause, self.ledger)

    def apply_pause_status(self, status: str, policy: Policy, at: int, cause: Cause) -> None:
        """Pause the clocks that stand still in this status, resume the others."""
        for clock in self.active_clocks():
            pauses = status in policy.clocks[clock.metric].pause_on
            if pauses and clock.state == ClockState.RUNNING:
                clock.pause(at, cause, self.ledger)
            elif not pauses and clock.state == ClockState.PAUSED:
                clock.resume(at, cause, self.ledger)

    def agent_reply(self, at: int, cause: Cause) -> None:
        """A public reply of an agent fulfils what waits for one."""
        self.agent_replied, self.replied_while_closed = True, False
        for clock in self.active(FIRST_RESPONSE), self.active(NEXT_RESPONSE):
            if clock is not None:
                clock.fulfil(at, cause, self.ledger)

    def customer_reply(self, status: str, at: int, cause: Cause) -> None:
        """A public reply of the customer starts a next_response: if none runs, and the first response is over.

        While the ticket is closed it starts none; if the ticket is reopened before an agent replies, it starts then:

            closed ── customer ─────────── reopened ══ next_response ══ agent
            closed ── customer ── agent ── reopened
        """
        if status == "closed":
            self.replied_while_closed = True
        elif self.active(NEXT_RESPONSE) is None and (self.agent_replied or self.first_cancelled):
            cycle = sum(clock.metric == NEXT_RESPONSE for clock in self.all) + 1
            self.start(NEXT_RESPONSE, cycle, self.ledger.policies.at(at), status, at, cause)

    def finish(self, at: int, cause: Cause) -> None:
        """The ticket is solved or closed: the resolution is fulfilled, responses are cancelled."""
        for clock in self.active_clocks():
            if clock.metric == RESOLUTION:
                clock.fulfil(at, cause, self.ledger)
            else:
                self.first_cancelled |= clock.metric == FIRST_RESPONSE
                clock.cancel(at, cause, self.ledger)

    def cancel(self, at: int, cause: Cause) -> None:
        """The ticket was merged: cancel all."""
        for clock in self.active_clocks():
            clock.cancel(at, cause, self.ledger)

    def reopen(self, policy: Policy, status: str, at: int, cause: Cause, past: PastDimensions | None) -> None:
        """The ticket is open again: the resolution goes on, or begins a cycle more, as the policy says.

        `past`: the dimensions since the solving, for a breach that lies between it and now.
        """
        if self.replied_while_closed:
            self.replied_while_closed = False
            self.customer_reply(status, at, cause)
        ledger = self.ledger
        last = next((clock for clock in reversed(self.all) if clock.metric == RESOLUTION), None)
        if last is None or last.state != ClockState.FULFILLED:
            return
        mode = policy.clocks[RESOLUTION].reopen
        if mode == "restart_cycle":
            self.start(RESOLUTION, last.cycle + 1, policy, status, at, cause)
            return
        self.switches_seen = ledger.policies.switched(at)
        ledger.past_dims = past and [*past, (at, ledger.dims, ledger.agent_id)]
        last.reactivate(at, mode == "continue", cause, ledger)
        ledger.past_dims = None
        last.match(ledger.target(RESOLUTION, policy), at, cause, ledger)
