"""The process of a ticket, from creation to closing.

created ─> (bot) ─> queue ─> assigned, open ─> replies ─┬─> pending ─> customer ─> queue
                     ^                                  ├─> on_hold ─> queue
                     ├── transferred to a team <────────┤
                     └── reopened <── hours, days ── solved ── 3 days ──> closed
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from streams.simulator.cases import GREETING, Case, advance_stage, assign, open_case, reply, set_status, update
from streams.simulator.kernel import DAY, HOUR, MINUTE, Process, Wait
from streams.simulator.signals import callback, review
from streams.simulator.simulation import Simulation, Visit, known, mood
from streams.simulator.staff import Agent
from streams.simulator.surveys import survey

_LIVE = ("chat", "in_person")  # channels on which the customer stays and waits
_EXEMPTIONS = ("force majeure", "customer unreachable", "waiting for the authorities")


def ticket(sim: Simulation, visit: Visit) -> Process:
    """A ticket that the customer opened in writing, or a chat."""
    case = open_case(sim, visit)
    if sim.chance() < 0.012:
        sim.spawn(_duplicate(sim, case), sim.spread(20 * MINUTE))
    if sim.chance() < (0.8 if case.channel == "chat" else 0.4):
        yield sim.spread(GREETING, 0.3)
        reply(sim, case, "bot" if case.channel in ("chat", "app") else "system", auto=True)
        if case.channel in ("chat", "app") and case.kind in ("question", "order") and sim.chance() < 0.22:
            yield from _bot(sim, case)
            yield from _after(sim, case, None, "bot")
            return
    yield from _until_solved(sim, case)


def ticket_of_call(sim: Simulation, visit: Visit, agent: Agent, call_id: str) -> Process:
    """A ticket that an agent creates after a call: mostly solved at once, else for the second line."""
    case = open_case(sim, visit, "phone", "hotline", agent_id=agent.id, attributes={"call_id": call_id})
    case.agent_id = agent.id
    yield 5_000
    reply(sim, case, "agent", agent.id, public=sim.chance() < 0.7)
    case.replied = True
    yield 5_000
    if case.kind != "complaint" and sim.chance() < 0.62:
        set_status(sim, case, "solved", agent_id=agent.id)
        yield from _after(sim, case, agent, "human")
        return
    team = "complaints" if case.kind == "complaint" else "technical" if sim.chance() < 0.4 else "online"
    assign(sim, case, team, None)
    case.transfers += 1
    yield 1_000
    yield from _until_solved(sim, case)


def _until_solved(sim: Simulation, case: Case) -> Process:
    """Alternate between waiting, work, and waiting for others."""
    chance = sim.chance
    while True:
        agent: Agent | None = yield from _queue(sim, case)
        if agent is None:
            set_status(sim, case, "solved", "customer left")
            yield from _after(sim, case, None, "human")
            return
        yield from _work(sim, case, agent)
        next_ = chance()
        if next_ < 0.09 and case.transfers < 5:
            team = "technical" if case.team in ("online", "hotline") else "online"
            case.transfers += 1
            assign(sim, case, team, None)
            sim.staff.release(agent)
            yield 1_000
        elif next_ < 0.33:
            set_status(sim, case, "pending", agent_id=agent.id)
            sim.staff.release(agent)
            if chance() < 0.15:
                sim.spawn(callback(sim, case.visit, case.id))
            if not (yield from _customer(sim, case)):
                set_status(sim, case, "solved", "no answer")
                yield from _after(sim, case, agent, "human")
                return
        elif next_ < 0.39:
            set_status(sim, case, "on_hold", "third party", agent.id)
            sim.staff.release(agent)
            yield sim.spread(7 * HOUR, 0.9)
            set_status(sim, case, "open")
        else:
            advance_stage(sim, case, "propose")
            set_status(sim, case, "solved", agent_id=agent.id)
            sim.staff.release(agent)
            yield from _after(sim, case, agent, "human")
            return


def _queue(sim: Simulation, case: Case) -> Generator[Wait, Any, Agent | None]:
    """Wait for an agent of the team; returns it, or None if a waiting customer left. Other customers write again."""
    since = sim.now
    live = case.channel in _LIVE and not case.replied
    patience = sim.spread(9 * MINUTE, 0.7) if live else sim.spread(10 * HOUR)
    agent: Agent | None = yield sim.staff.turn(case.team, case.rank, patience)
    if agent is None and not live:
        reply(sim, case, "customer")
        agent = yield sim.staff.turn(case.team, case.rank - 1)
    case.mood += mood(sim.now - since, 5 * MINUTE if live else 6 * HOUR)
    return agent


def _work(sim: Simulation, case: Case, agent: Agent) -> Process:
    """One agent's work: read, note, talk, reply."""
    chance = sim.chance
    sim.staff.state(agent, "on_contact")
    assign(sim, case, agent.team, agent)
    yield sim.spread(20_000)
    set_status(sim, case, "open", agent_id=agent.id)
    if case.kind == "complaint" and case.stage < 0:
        advance_stage(sim, case, "soothe")
        yield sim.spread(MINUTE)
    if chance() < 0.08:
        update(sim, case)
    if chance() < 0.2:
        yield sim.spread(MINUTE)
        reply(sim, case, "agent", agent.id, public=False)
    advance_stage(sim, case, "record")
    exchanges = 1 + int(chance() * 4) if case.channel == "chat" else 1
    for left in range(exchanges, 0, -1):
        yield sim.spread((5.5 if exchanges == 1 else 2) * MINUTE)
        reply(sim, case, "agent", agent.id)
        if left > 1:
            yield sim.spread(35_000)
            reply(sim, case, "customer")
    case.replied = True
    advance_stage(sim, case, "determine")
    yield sim.spread(30_000)


def _customer(sim: Simulation, case: Case) -> Generator[Wait, Any, bool]:
    """A pending ticket waits for its customer; returns whether they answered within three days."""
    if sim.chance() < 0.15:
        yield 3 * DAY
        return False
    yield sim.spread(2.5 * HOUR, 1.1)
    reply(sim, case, "customer")
    yield 500
    set_status(sim, case, "open")
    return True


def _bot(sim: Simulation, case: Case) -> Process:
    """The bot talks with the customer and solves it."""
    for _ in range(1 + int(sim.chance() * 3)):
        yield sim.spread(25_000)
        reply(sim, case, "customer")
        yield sim.spread(2_000, 0.2)
        reply(sim, case, "bot")
    yield sim.spread(30_000)
    set_status(sim, case, "solved", "bot")


def _after(sim: Simulation, case: Case, agent: Agent | None, handled_by: str) -> Process:
    """A solved ticket: survey, inspection, and either reopened or closed after three days."""
    chance = sim.chance
    if chance() < 0.55:
        dimensions = known(
            agent_id=case.agent_id, team=case.team, channel=case.channel, segment=case.visit.segment
        )  # fmt: skip
        felt = case.mood - 0.25 * case.reopened - 0.15 * (case.kind == "complaint")
        asked = survey(sim, {"ticket_id": case.id, "customer_id": case.visit.customer_id}, felt, handled_by, dimensions)
        sim.spawn(asked, sim.spread(15 * MINUTE))
    if agent is not None and chance() < (0.5 if case.kind == "complaint" else 0.12):
        sim.spawn(review(sim, {"ticket_id": case.id}, agent), sim.spread(8 * HOUR))
    if case.reopened < 2 and chance() < 0.058:
        yield min(3 * DAY, sim.spread(9 * HOUR, 0.9))
        case.reopened += 1
        reply(sim, case, "customer")
        yield 500
        set_status(sim, case, "open")
        yield from _until_solved(sim, case)
        return
    if chance() < 0.015:
        yield sim.spread(10 * HOUR)
        reason = _EXEMPTIONS[int(chance() * len(_EXEMPTIONS))]
        metric = "resolution" if chance() < 0.7 else "first_response"
        data = {"ticket_id": case.id, "metric": metric, "by": "supervisor-1", "reason": reason}
        sim.emit("ticket.exempted", case.id, data)
    yield DAY
    advance_stage(sim, case, "follow_up")
    yield 2 * DAY
    set_status(sim, case, "closed")
    yield HOUR
    advance_stage(sim, case, "archive")


def _duplicate(sim: Simulation, case: Case) -> Process:
    """The customer writes the same again; somebody notices and merges it."""
    again = open_case(sim, Visit(case.visit.customer_id, case.visit.segment, case.visit.category, "", None))
    yield sim.spread(12 * MINUTE)
    sim.emit("ticket.merged", again.id, {"ticket_id": again.id, "into": case.id})
