"""A simulated ticket: its creation, and the changes that its process emits."""

from __future__ import annotations

from typing import Any

from streams.simulator.kernel import SECOND
from streams.simulator.simulation import Choice, Simulation, Visit, known
from streams.simulator.staff import Agent
from streams.simulator.world import CHANNELS, KINDS, PRODUCTS, STAGES

_CHANNELS = Choice(CHANNELS)
_KINDS = Choice(KINDS)
_PRODUCTS = Choice(PRODUCTS)
_PRIORITIES = Choice({"low": 0.18, "normal": 0.58, "high": 0.18, "urgent": 0.06})
_SEVERITIES = Choice({"minor": 0.7, "major": 0.24, "critical": 0.06})
_TAGS = ("refund", "legal_threat", "media", "repeat", "app_crash", "late_delivery", "wrong_item")
RANKS = {"urgent": 0, "high": 1, "normal": 2, "low": 3}


class Case:
    """The state of a simulated ticket: its present dimensions and its history."""

    __slots__ = (
        "agent_id", "channel", "created_at", "id", "kind", "mood", "priority", "reopened", "replied", "stage",
        "status", "team", "transfers", "visit",
    )  # fmt: skip

    def __init__(self, id_: str, visit: Visit, channel: str, kind: str, priority: str, team: str, now: int) -> None:
        self.id = id_
        self.visit = visit
        self.channel = channel
        self.kind = kind
        self.priority = priority
        self.team = team
        self.created_at = now
        self.agent_id = ""
        self.status = "new"
        self.stage = -1
        self.mood = 0.0
        self.reopened = 0
        self.transfers = 0
        self.replied = False

    @property
    def rank(self) -> int:
        """Its place in the queue: urgent before high before normal before low; vip before others of its priority."""
        return 2 * RANKS[self.priority] + (self.visit.segment != "vip")


def open_case(sim: Simulation, visit: Visit, channel: str = "", team: str = "", **more: Any) -> Case:
    """Create a ticket: draws the missing values, emits `ticket.created`."""
    chance = sim.chance
    surge = visit.surge
    kind = "incident" if surge is not None and surge.outage else _KINDS.draw(chance())
    channel = channel or _CHANNELS.draw(chance())
    priority = _PRIORITIES.draw(chance())
    if not team:
        second_line = kind == "problem" or (kind == "incident" and chance() < 0.4)
        team = "complaints" if kind == "complaint" else "technical" if second_line else "online"
    case = Case(sim.id("T"), visit, channel, kind, priority, team, sim.now)
    data = known(
        ticket_id=case.id,
        customer_id=visit.customer_id if chance() < 0.95 else "",  # one in twenty is not identified
        priority=priority,
        kind=kind,
        channel=channel,
        team=team,
        category=visit.category,
        segment=visit.segment,
        product=_PRODUCTS.draw(chance()),
        url=f"https://desk.example/tickets/{case.id}",
        **more,
    )
    if kind in ("complaint", "incident", "problem"):
        data["severity"] = _SEVERITIES.draw(chance())
    if chance() < 0.12:
        data["tags"] = [_TAGS[int(chance() * len(_TAGS))]]
    if surge is not None and surge in sim.parents:
        data["parent_id"] = sim.parents[surge]
    sim.emit("ticket.created", case.id, data)
    visit.ticket_id = case.id
    return case


def assign(sim: Simulation, case: Case, team: str, agent: Agent | None) -> None:
    """Give a ticket to a team, or to one of its agents."""
    case.team = team
    case.agent_id = agent.id if agent else case.agent_id
    late_known = case.visit.customer_id if agent and sim.chance() < 0.03 else ""
    sim.emit("ticket.assigned", case.id, known(
        ticket_id=case.id, team=team, agent_id=agent.id if agent else "", customer_id=late_known,
    ))  # fmt: skip


def set_status(sim: Simulation, case: Case, status: str, reason: str = "", agent_id: str = "") -> None:
    """Change a ticket's status, if it differs."""
    if case.status != status:
        case.status = status
        data = known(ticket_id=case.id, status=status, agent_id=agent_id, reason=reason)
        sim.emit("ticket.status_changed", case.id, data)


def reply(
    sim: Simulation, case: Case, author: str, agent_id: str = "", public: bool = True, auto: bool = False
) -> None:
    """Emit an entry of the conversation, public or private; some of the customers' entries are scored."""
    data: dict[str, Any] = {"ticket_id": case.id, "author": author, "public": public}
    if auto:
        data["auto"] = True
    if agent_id:
        data["agent_id"] = agent_id
    sim.emit("ticket.replied", case.id, data)
    if author == "customer" and sim.chance() < 0.2:
        score = sim.random.gauss(0.15 + case.mood - 0.5 * (case.kind == "complaint"), 0.4)
        sim.emit("sentiment.scored", case.id, {
            "score": round(max(-1.0, min(1.0, score)), 3), "ticket_id": case.id, "customer_id": case.visit.customer_id,
        })  # fmt: skip


def advance_stage(sim: Simulation, case: Case, stage: str) -> None:
    """Move a complaint to a stage; other tickets have none, and no stage repeats."""
    to = STAGES.index(stage)
    if case.kind == "complaint" and to > case.stage:
        case.stage = to
        data = known(ticket_id=case.id, stage=stage, agent_id=case.agent_id)
        sim.emit("ticket.stage_changed", case.id, data)


def update(sim: Simulation, case: Case) -> None:
    """Correct one of a ticket's fields, as agents do once they have understood it."""
    data: dict[str, Any] = {"ticket_id": case.id}
    field = sim.chance()
    if field < 0.5:
        case.priority = data["priority"] = _PRIORITIES.draw(sim.chance())
    elif field < 0.75:
        data["tags"] = [_TAGS[int(sim.chance() * len(_TAGS))]]
    elif field < 0.9:
        data["severity"] = _SEVERITIES.draw(sim.chance())
    else:
        data["product"] = _PRODUCTS.draw(sim.chance())
    sim.emit("ticket.updated", case.id, data)


GREETING = 3 * SECOND
"""How long a bot takes to answer (median)."""
