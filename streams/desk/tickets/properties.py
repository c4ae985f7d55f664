"""A ticket's properties: what creation, assignment and updates set, and what follows from a change of them.

dimensions, tags  ──change──> targets of the clocks and the silence, chosen anew
team, agent       ──change──> transferred, reassigned
customer          ──named───> a solving counts as the customer's
kind, severity    ──change──> a severe complaint, counted once
"""

from sys import intern

from streams.desk.tickets.complaint_signals import ComplaintSignals
from streams.desk.tickets.ledger import TicketLedger
from streams.desk.tickets.lifecycle import DONE, LifeCycle
from streams.models import tickets as events
from streams.models.dimensions import Dimensions, shared, tags_of
from streams.models.envelope import FIRST_RESPONSE, RESOLUTION
from streams.models.rows import Cause


class Properties:
    """Sets a ticket's properties in its ledger. `known_at`: since when the customer is known."""

    __slots__ = (
        "_last_agent",
        "_last_team",
        "_severe_complaint",
        "known_at",
        "ledger",
        "life",
        "reassignments",
        "risk",
    )

    def __init__(self, ledger: TicketLedger, life: LifeCycle, risk: ComplaintSignals) -> None:
        self.ledger, self.life, self.risk = ledger, life, risk
        self.known_at = self.reassignments = 0
        self._severe_complaint = False  # it was one, once
        self._last_team = self._last_agent = ""  # the last that were not empty

    def create(self, data: events.Created, at: int, cause: Cause) -> None:
        """The ticket starts, and with it the clocks for the first response and the resolution."""
        ledger, life = self.ledger, self.life
        life.created_at, life.status = at, "new"
        ledger.dims = shared(data.dimensions())
        ledger.agent_id, ledger.tags = intern(data.agent_id or ""), tags_of(data.tags)
        self._last_team, self._last_agent = ledger.dims.team, ledger.agent_id
        ledger.url, ledger.parent_id = data.url or "", data.parent_id or ""
        self.risk.severity = data.severity or ""
        policy = self.ledger.policies.at(at)
        counts = {"created": 1}
        if self._becomes_severe_complaint():
            counts["severe_complaints"] = 1
        ledger.fact(cause, "created", 0, at, counts)
        self._identify_customer(data.customer_id, at)
        self.risk.record_properties(at)
        self.life.clocks.start(FIRST_RESPONSE, 1, policy, life.status, at, cause)
        self.life.clocks.start(RESOLUTION, 1, policy, life.status, at, cause)
        self.life.silence.expect_update(at)

    def assign(self, data: events.Assigned, at: int, cause: Cause) -> None:
        """Team or agent change; a change from one to another is a transfer, a reassignment.

        An empty text clears. That is neither; the next one is compared with the last that was not empty:

            team    A ──── "" ──── A      no transfer
            team    A ──── "" ──── B      a transfer
        """
        ledger = self.ledger
        counts: dict[str, int] = {}
        team = ledger.dims.team if data.team is None else data.team
        agent_id = ledger.agent_id if data.agent_id is None else data.agent_id
        if team and self._last_team and team != self._last_team:
            counts["transferred"] = 1
            self.life.transfers.add(at)
        if agent_id and self._last_agent and agent_id != self._last_agent:
            counts["reassigned"] = 1
            self.reassignments += 1
        self._last_team, self._last_agent = team or self._last_team, agent_id or self._last_agent
        self._identify_customer(data.customer_id, at)
        ledger.agent_id = intern(agent_id)
        dims = ledger.dims if team == ledger.dims.team else Dimensions(team, *ledger.dims[1:])
        self._set_dims(dims, at, cause)
        if counts:
            ledger.fact(cause, next(iter(counts)), 0, at, counts)
        if "transferred" in counts and self.life.status not in DONE:
            self.life.transfers.warn_if_many(at)

    def update(self, data: events.Updated, at: int, cause: Cause) -> None:
        """Properties change; the clocks' targets may change with them."""
        dims = self.ledger.dims
        if data.parent_id is not None:
            self.ledger.link(data.parent_id, at)
        self.risk.severity = data.severity or self.risk.severity
        self._identify_customer(data.customer_id, at)
        if data.tags is not None:
            self.ledger.tags = tags_of(data.tags)
        self._set_dims(data.change(dims), at, cause)
        if self.life.created_at is not None and self._becomes_severe_complaint():
            self.ledger.fact(cause, "severe_complaints", 0, at, {"severe_complaints": 1})
        self.risk.record_properties(at)

    def _set_dims(self, dims: Dimensions, at: int, cause: Cause) -> None:
        """Take new dimensions, and choose policy and target anew."""
        ledger, clocks = self.ledger, self.life.clocks
        dims = shared(dims)
        if ledger.past_dims is not None:
            ledger.past_dims.append((at, dims, ledger.agent_id))
        ledger.dims = dims
        for clock in clocks.all:
            if clock.breached_at == at:
                ledger.correct_breach(clock)
        if active := clocks.active_clocks():
            policy = self.ledger.policies.at(at)
            clocks.choose_targets(active, policy, at, cause)
            self.life.silence.choose_target(policy, at)

    def _identify_customer(self, customer_id: str | None, at: int) -> None:
        if customer_id and customer_id != self.ledger.customer_id:
            self.ledger.customer_id, self.known_at = customer_id, at
            self.life.customer_known()

    def _becomes_severe_complaint(self) -> bool:
        """Whether this is a severe complaint, and was none before: it counts when it becomes one."""
        severe = self.ledger.dims.kind == "complaint" and self.risk.severity in ("major", "critical")
        if self._severe_complaint or not severe:
            return False
        self._severe_complaint = True
        return True
