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
from streams.models.instants import NEVER
from streams.models.rows import Cause, FactRow

DONE = ("solved", "closed")
NO_UPDATE_OWED = ("pending", *DONE)


class LifeCycle:
    """Status and its instants."""

    __slots__ = (
        "clocks",
        "closed_at",
        "created_at",
        "ledger",
        "merged_into",
        "released_at",
        "reopenings",
        "silence",
        "solved_at",
        "solved_fact",
        "status",
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
        self.solved_fact: FactRow | None = None  # what the first solving counted

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
        counts: dict[str, int] = {}
        if before not in DONE:
            counts["solved"] = 1
            self.solved_at = at
            if self.solved_fact is None and not self.ledger.customer_id:
                counts["fcr_unknown"] = 1
        if self.status == "closed":
            counts["closed"] = 1
            self.closed_at = at
        if counts:
            fact = self.ledger.fact(cause, next(iter(counts)), 0, at, counts)
            if self.solved_fact is None and "solved" in counts:
                self.solved_fact = fact
                self.ledger.change_set.tally.count_solved(fact)
            self.clocks.finish(at, cause)
        if before not in DONE:
            self.transfers.stop(at, self.status)
            self.ledger.past_dims = [(at, self.ledger.dims, self.ledger.agent_id)]
        self._end(at)

    def _reopen(self, policy: Policy, at: int, cause: Cause) -> None:
        """Out of solved or closed."""
        self.reopenings += 1
        self.closed_at = self.solved_at = None
        self.released_at = NEVER
        past, self.ledger.past_dims = self.ledger.past_dims, None
        self.ledger.fact(cause, "reopened", 0, at, {"reopened": 1})
        self.ledger.signal("reopening", at)
        self.transfers.warn_if_many(at)
        self.clocks.reopen(policy, self.status, at, cause, past)

    def merge(self, into: str, at: int, cause: Cause) -> None:
        """The ticket goes on as another one: nothing changes it any more."""
        self.clocks.cancel(at, cause)
        self.merged_into = into
        self.silence.stop(at, "merged")
        self.transfers.stop(at, "merged")
        self._end(at)

    def customer_known(self) -> None:
        """The ticket has a customer: a solving that counted as `fcr_unknown` is the customer's from now on."""
        fact = self.solved_fact
        if fact is not None and "fcr_unknown" in fact.counts:
            change_set = self.ledger.change_set
            change_set.uncount(fact)
            counts = {name: number for name, number in fact.counts.items() if name != "fcr_unknown"}
            self.solved_fact = msgspec.structs.replace(fact, counts=counts, version=0, is_deleted=0)
            change_set.add(self.solved_fact)

    def _end(self, at: int) -> None:
        self.released_at = at + self.ledger.policies.at(at).hold_ms
