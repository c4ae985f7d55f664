"""The life of a ticket: created, solved, closed, reopened, merged, and what each does to clocks, silence and counts.

created ──────> solved ──> closed          merged: the end
  │              │  ^        │
  │              │  └────────┴── reopened: the resolution is reactivated, or begins a new cycle
  └─ resolution ─┘ fulfilled
"""

import msgspec

from streams.desk.policy.versions import Policy
from streams.desk.tickets.clocks import TicketClocks
from streams.desk.tickets.ledger import TicketLedger
from streams.desk.tickets.warnings.silence import Silence
from streams.desk.tickets.warnings.transfers import Transfers
from streams.models.instants import NEVER, WEEK
from streams.models.rows import Cause, FactRow

DONE = ("solved", "closed")
NO_UPDATE_OWED = ("pending", *DONE)


class LifeCycle:
    """Status and its instants."""

    __slots__ = (
        "_unknown",
        "clocks",
        "closed_at",
        "created_at",
        "ledger",
        "merged_into",
        "released_at",
        "reopened_at",
        "reopenings",
        "silence",
        "solved_at",
        "solved_fact",
        "status",
        "transferred_before",
        "transfers",
    )

    def __init__(self, ledger: TicketLedger, clocks: TicketClocks, silence: Silence, transfers: Transfers) -> None:
        self.ledger, self.clocks, self.silence, self.transfers = ledger, clocks, silence, transfers
        self.status = self.merged_into = ""
        self.created_at: int | None = None
        self.solved_at: int | None = None
        self.closed_at: int | None = None
        self.released_at = NEVER  # when the ticket is held no longer
        self.reopenings = 0
        self.reopened_at: int | None = None  # the first time
        self.solved_fact: FactRow | None = None  # the first solving, as the assignee's
        self.transferred_before = False  # from team to team, before that
        self._unknown: FactRow | None = None  # first-contact resolution counted as fcr_unknown

    def is_open(self) -> bool:
        """Whether the ticket is in the backlog."""
        return self.created_at is not None and self.status not in DONE and not self.merged_into

    def set_status(self, status: str, at: int, cause: Cause) -> None:
        """Solve, close, reopen or pause."""
        before, self.status = self.status, status
        if status == before:
            return
        policy = self.ledger.policies.at(at)
        if status in DONE:
            self._finish(before, at, cause)
        elif before in DONE:
            self._reopen(policy, at, cause)
        if status in NO_UPDATE_OWED:
            self.silence.stop(at, status)
        elif self.silence.since is None and self.created_at is not None:
            self.silence.expect_update(at)
        self.clocks.apply_pause_status(status, policy, at, cause)

    def _finish(self, before: str, at: int, cause: Cause) -> None:
        """Into solved or closed. Closed after solved only counts; solved after closed does nothing."""
        solved, closed = before not in DONE, self.status == "closed"
        if closed:
            self.closed_at = at
            self.ledger.fact(cause, "closed", 0, at, {"closed": 1})
        if solved:
            self.solved_at = at
            fact = self.ledger.fact(cause, "solved", 0, at, {"solved": 1}, agent_id=self.ledger.acting_agent)
            if self.solved_fact is None:
                self.ledger.change_set.tally.count_solved(fact)
                self.solved_fact = msgspec.structs.replace(fact, agent_id=self.ledger.agent_id)
                self.transferred_before = bool(self.transfers.count)
                if not self.ledger.customer_id:
                    self._unknown = self.ledger.fact(cause, "fcr_unknown", 0, at, {"fcr_unknown": 1})
        if solved or closed:
            self.clocks.finish(at, cause)
        if solved:
            self.transfers.stop(at, self.status)
            self.ledger.past_dims = [(at, self.ledger.dims, self.ledger.agent_id)]
        self._end(at)

    def _reopen(self, policy: Policy, at: int, cause: Cause) -> None:
        """Out of solved or closed."""
        self.reopenings += 1
        if self.reopened_at is None:
            self.reopened_at = at
        self.closed_at = self.solved_at = None
        self.released_at = NEVER
        past, self.ledger.past_dims = self.ledger.past_dims, None
        self.ledger.fact(cause, "reopened", 0, at, {"reopened": 1})
        self.ledger.signal("reopening", at)
        self.transfers.warn_if_many(at)
        self.clocks.reopen(policy, self.status, at, cause, past)

    def needed_more_than_one_contact(self) -> bool:
        """Whether the first solving did not resolve it: passed on before it, or reopened within 7 days after.

        created ── team B ── solved          no: passed on
        created ── solved ── team B          may be yes
        created ── solved ── 7 d ── reopened may be yes
        """
        if self.transferred_before:
            return True
        solved, reopened_at = self.solved_fact, self.reopened_at
        return solved is not None and reopened_at is not None and reopened_at <= solved.at + WEEK

    def merge(self, into: str, at: int, cause: Cause) -> None:
        """The ticket goes on as another one: nothing changes it any more."""
        self.clocks.cancel(at, cause)
        self.merged_into = into
        self.silence.stop(at, "merged")
        self.transfers.stop(at, "merged")
        self._end(at)

    def customer_known(self) -> None:
        """The ticket has a customer: a solving that counted as `fcr_unknown` is the customer's from now on."""
        if self._unknown is not None:
            self.ledger.change_set.uncount(self._unknown)
            self._unknown = None

    def _end(self, at: int) -> None:
        self.released_at = at + self.ledger.policies.at(at).hold_ms
