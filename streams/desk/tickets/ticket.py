"""A ticket: what each of its events does to its properties, its clocks, its counts and its place in the backlog.

created ──> assigned/updated ──> replied ... ──> solved, closed, reopened, merged: see `ticket_life`
  │            retarget            │              │
  ├─ first_response ───────────────┘ fulfilled    │
  └─ resolution ──────────────────────────────────┘ fulfilled
"""

from collections.abc import Callable
from sys import intern
from typing import Any

from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies
from streams.desk.reviews import in_sample
from streams.desk.tickets.clocks import DONE, FIRST, NEXT, RESOLUTION
from streams.desk.tickets.lifecycle import TicketLife
from streams.models import tickets as events
from streams.models.dimensions import Dimensions, shared, tags_of
from streams.models.entities import TicketRow
from streams.models.envelope import Event
from streams.models.rows import Cause


class Ticket(TicketLife):
    """A ticket as it stands after its events so far. A plain fold: `apply` events in order, `pass_time` in between."""

    __slots__ = (
        "complained",
        "first_replied_at",
        "reassignments",
        "replies",
        "sampled",
        "stage",
        "stage_since",
        "updated_at",
    )

    def __init__(self, ticket_id: str, policies: Policies, change_set: ChangeSet) -> None:
        super().__init__(ticket_id, policies, change_set)
        self.stage = ""
        self.sampled: bool | None = None  # in the sample for quality inspection, by the policy of its first event
        self.first_replied_at: int | None = None
        self.updated_at = self.stage_since = 0
        self.complained = False  # it was a severe complaint, once
        self.replies = self.reassignments = 0

    # Events

    def apply(self, event: Event, at: int) -> None:
        """Fold an event in, at the instant `at` (its own, or that of the creation if it was timed before it)."""
        if self.merged_into or at > self.released_at or (not event.rank and self.created_at is not None):
            return
        if self.next_at < at:
            self.pass_time(at)
        if self.sampled is None:
            self.sampled = in_sample(self.id, self.policies.at(at).quality.sample_ppm)
        cause = (event.source, event.id)
        self.updated_at = at
        _APPLY[type(event)](self, event.data, at, cause)
        self._settle(at)

    def create(self, data: events.Created, at: int, cause: Cause) -> None:
        """The ticket starts, and with it the clocks for the first response and the resolution."""
        self.created_at, self.status = at, "new"
        dims = (
            data.team or "",
            data.channel or "",
            data.priority or "normal",
            data.kind or "question",
            data.segment or "",
            data.category or "",
            data.product or "",
        )
        self.dims = shared(dims)
        self.agent_id = intern(data.agent_id or "")
        self.severity, self.url, self.parent_id = data.severity or "", data.url or "", data.parent_id or ""
        self.tags = tags_of(data.tags)
        policy = self.policies.at(at)
        counts = {"created": 1}
        if self._complains_severely():
            counts["severe_complaints"] = 1
        self.fact(cause, "created", 0, at, counts)
        self.know(data.customer_id, at)
        self.mark(at)
        self.speak(at)
        self._start(FIRST, 1, policy, at, cause)
        self._start(RESOLUTION, 1, policy, at, cause)
        self.await_update(at)

    def _complains_severely(self) -> bool:
        """Whether this is a severe complaint, and was none before: it counts when it becomes one."""
        if self.complained or self.dims[3] != "complaint" or self.severity not in ("major", "critical"):
            return False
        self.complained = True
        return True

    def assign(self, data: events.Assigned, at: int, cause: Cause) -> None:
        """Team or agent change; a change from one to another is a transfer, a reassignment."""
        counts: dict[str, int] = {}
        team, agent_id = data.team or self.dims[0], data.agent_id or self.agent_id
        if self.dims[0] and team != self.dims[0]:
            counts["transferred"] = 1
            self.hops += 1
            self.signal("transfer", at)
        if self.agent_id and agent_id != self.agent_id:
            counts["reassigned"] = 1
            self.reassignments += 1
        self.know(data.customer_id, at)
        self.agent_id = intern(agent_id)
        self._change((team, *self.dims[1:]), at, cause)
        if counts:
            self.fact(cause, next(iter(counts)), 0, at, counts)
        if "transferred" in counts and self.status not in DONE:
            self.watch_transfers(at)

    def update(self, data: events.Updated, at: int, cause: Cause) -> None:
        """Properties change; the clocks' targets may change with them."""
        team, channel, priority, kind, segment, category, product = self.dims
        self.severity = data.severity or self.severity
        self.know(data.customer_id, at)
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
        if self.created_at is not None and self._complains_severely():
            self.fact(cause, "severe_complaints", 0, at, {"severe_complaints": 1})
        self.mark(at)

    def reply(self, data: events.Replied, at: int, cause: Cause) -> None:
        """A public, not automatic reply: an agent's fulfils what waits for one, a customer's starts to wait."""
        if data.public is False or data.auto:
            return
        if data.author == "agent":
            self.replies += 1
            self.agent_replied = True
            if self.first_replied_at is None:
                self.first_replied_at = at
            self.tell(at)
            self.fact(cause, "replied", 0, at, {"replied": 1})
            if self.quiet_since is not None:
                self.speak(at)
            for clock in self._active(FIRST), self._active(NEXT):
                if clock is not None:
                    clock.fulfil(at, cause, self)
        elif data.author == "customer" and self.created_at is not None and self._awaits_next():
            cycle = sum(clock.metric == NEXT for clock in self.clocks) + 1
            self._start(NEXT, cycle, self.policies.at(at), at, cause)

    def set_stage(self, data: events.StageChanged, at: int, cause: Cause) -> None:
        """The complaint procedure goes on: count the time in the stage left."""
        if self.stage and data.stage != self.stage:
            self.fact(cause, "stage", 0, at, {f"stage_ms.{self.stage}": at - self.stage_since})
        if data.stage != self.stage:
            self.stage, self.stage_since = data.stage, at

    def exempt_clock(self, data: events.Exempted, at: int, cause: Cause) -> None:
        """Take a breach out of the rates: of the cycle named, else the latest."""
        for clock in reversed(self.clocks):
            if clock.metric == data.metric and data.cycle in (None, clock.cycle):
                clock.exempt(at, cause, self)
                return

    def _change(self, dims: Dimensions, at: int, cause: Cause) -> None:
        """Take new dimensions, and choose policy and target anew."""
        dims = shared(dims)
        if self.past_dims is not None:
            self.past_dims.append((at, dims, self.agent_id))
        self.dims = dims
        for clock in self.clocks:
            if clock.breached_at == at:
                self.restate_breach(clock)
        if active := self._active_clocks():
            policy = self.policies.at(at)
            for clock in active:
                clock.match(self._target(clock.metric, policy), at, cause, self)
            self.choose_silence(policy, at)

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
            int(bool(self.sampled)),
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
