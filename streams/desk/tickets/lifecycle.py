"""The life of a ticket after its creation: solved, closed, reopened, merged, and what that does to clocks and counts.

created ──────> solved ──> closed          merged: the end
  │              │  ^        │
  │              │  └────────┴── reopened: the resolution is `reactivated`, or begins a new cycle
  └─ resolution ─┘ fulfilled
"""

from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies, Policy
from streams.desk.tickets.clocks import DONE, FIRST, RESOLUTION
from streams.desk.tickets.risk_signals import TicketSignals
from streams.desk.tickets.silence import LOOP
from streams.desk.tickets.sla_clock import State
from streams.models import tickets as events
from streams.models.instants import NEVER
from streams.models.rows import Cause

RESTING = ("pending", *DONE)  # statuses in which the desk owes the customer no word


class TicketLife(TicketSignals):
    """The part of a ticket that its status changes."""

    __slots__ = ("closed_at", "ended_at", "reopenings", "solved_at")

    def __init__(self, ticket_id: str, policies: Policies, change_set: ChangeSet) -> None:
        super().__init__(ticket_id, policies, change_set)
        self.solved_at: int | None = None
        self.closed_at: int | None = None
        self.ended_at: int | None = None  # solved, closed or merged, and not reopened since
        self.reopenings = 0

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
        if data.status in RESTING:
            self.rest(at)
            self.stop_waiting(at, data.status)
        elif self.quiet_since is None and self.created_at is not None:
            self.speak(at)
            self.await_update(at)
        self._hold_still(policy, at, cause)

    def _finish(self, before: str, at: int, cause: Cause) -> None:
        """Into solved or closed."""
        counts: dict[str, int] = {}
        if before not in DONE:
            counts["solved"] = 1
            self.solved_at = at
            if self.solved_fact is None and not self.customer_id:
                counts["fcr_unknown"] = 1  # whose it is: see TicketSignals.know
        if self.status == "closed":
            counts["closed"] = 1
            self.closed_at = at
        if counts:
            fact = self.fact(cause, next(iter(counts)), 0, at, counts)
            if self.solved_fact is None and "solved" in counts:
                self.solved_fact = fact
                self.change_set.tally.count_solved(fact)
        for clock in self._active_clocks() if counts else ():  # solved after closed ends nothing
            if clock.metric == RESOLUTION:
                clock.fulfil(at, cause, self)
            else:
                self.first_unanswered |= clock.metric == FIRST
                clock.cancel(at, cause, self)
        if before not in DONE:
            self.clear(self, LOOP, at, self.status)
            self.past_dims = [(at, self.dims, self.agent_id)]
        self._end(at)

    def _reopen(self, policy: Policy, at: int, cause: Cause) -> None:
        """Out of solved or closed."""
        self.reopenings += 1
        self.ended_at = self.closed_at = self.solved_at = None
        self.released_at = NEVER
        past, self.past_dims = self.past_dims, None
        self.fact(cause, "reopened", 0, at, {"reopened": 1})
        self.signal("reopening", at)
        self.watch_transfers(at)
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

    def merge(self, data: events.Merged, at: int, cause: Cause) -> None:
        """The ticket goes on as another one: nothing changes it any more."""
        for clock in self._active_clocks():
            clock.cancel(at, cause, self)
        self.merged_into = data.into
        self.rest(at)
        self.stop_waiting(at, "merged")
        self.clear(self, LOOP, at, "merged")
        self._end(at)

    def _end(self, at: int) -> None:
        self.ended_at = at
        self.released_at = at + self.policies.at(at).hold_ms
