"""The story of a phone call: voice menu, queue, agent, perhaps a second team, wrap-up, perhaps a ticket.

    offered ──ivr──> queue ──wait──> answered ──talk──> [transferred ──> answered] ──talk + wrap-up──> ended
               └─> abandoned(ivr)  └─> abandoned(queue, ring)

`call.ended` is timed at the end of the wrap-up, when all its durations are known. One call in a thousand never ends:
the telephone system lost the event.
"""

from __future__ import annotations

from streams.simulator.kernel import HOUR, MINUTE, SECOND, Process
from streams.simulator.signals import callback, review
from streams.simulator.simulation import Choice, Simulation, Visit, known, mood
from streams.simulator.staff import Agent
from streams.simulator.surveys import survey
from streams.simulator.tickets import ticket_of_call
from streams.simulator.world import QUEUES

_QUEUES = Choice(QUEUES)
_SECOND_LINES = Choice({"technical": 0.6, "complaints": 0.4})


def call(sim: Simulation, visit: Visit) -> Process:
    """One call from the first ring to its survey."""
    chance = sim.chance
    call_id = sim.id("C")
    vip = visit.segment == "vip"
    queue = "vip" if vip else "billing" if visit.category in ("billing", "payment") else _QUEUES.draw(chance())
    identified = chance() < 0.85
    ivr = sim.spread(22 * SECOND, 0.5)
    sim.emit("call.offered", call_id, known(
        call_id=call_id, customer_id=visit.customer_id if identified else "", queue=queue, team="hotline",
        segment=visit.segment if identified else "", ivr_s=ivr / 1000, ticket_id=visit.ticket_id,
        category=visit.category if chance() < 0.9 else "",
    ))  # fmt: skip
    yield ivr
    if chance() < 0.06:
        sim.emit("call.abandoned", call_id, {"call_id": call_id, "wait_s": 0, "stage": "ivr"})
        return
    queued_at = sim.now
    patience = sim.spread(4 * MINUTE if vip else 3 * MINUTE, 0.8)
    agent: Agent | None = yield sim.staff.turn("hotline", 0 if vip else 1, patience)
    wait = sim.now - queued_at
    ringing = sim.spread(4 * SECOND, 0.4)
    if agent is None:
        sim.emit("call.abandoned", call_id, {"call_id": call_id, "wait_s": wait / 1000, "stage": "queue"})
    elif wait + ringing > patience:
        yield max(0, patience - wait)
        data = {"call_id": call_id, "wait_s": max(wait, patience) / 1000, "stage": "ring"}
        sim.emit("call.abandoned", call_id, data)
        sim.staff.release(agent)
    else:
        yield ringing
        yield from _talk(sim, visit, call_id, agent, wait + ringing)
        return
    if chance() < 0.3:
        sim.spawn(callback(sim, visit, ""))


def _talk(sim: Simulation, visit: Visit, call_id: str, agent: Agent, wait: int) -> Process:
    chance = sim.chance
    talked = sim.spread(3.2 * MINUTE, 0.6)
    hold = sim.spread(35 * SECOND) if chance() < 0.15 else 0
    sim.emit("call.answered", call_id, {"call_id": call_id, "agent_id": agent.id, "wait_s": wait / 1000})
    sim.staff.state(agent, "on_contact")
    yield talked + hold
    if chance() < 0.06:
        team = _SECOND_LINES.draw(chance())
        data = {"call_id": call_id, "to_queue": team, "to_team": team}
        sim.emit("call.transferred", call_id, data)
        sim.staff.release(agent)
        transferred_at = sim.now
        second: Agent | None = yield sim.staff.turn(team, 0, sim.spread(4 * MINUTE))
        if second is None:
            sim.emit("call.ended", call_id, {"call_id": call_id, "talk_s": talked / 1000, "hold_s": hold / 1000})
            return
        agent = second
        waited = sim.now - transferred_at
        sim.emit("call.answered", call_id, {"call_id": call_id, "agent_id": agent.id, "wait_s": waited / 1000})
        sim.staff.state(agent, "on_contact")
        more = sim.spread(4 * MINUTE)
        talked += more
        yield more
    yield from _finish(sim, visit, call_id, agent, wait, talked, hold)


def _finish(sim: Simulation, visit: Visit, call_id: str, agent: Agent, wait: int, talked: int, hold: int) -> Process:
    chance = sim.chance
    sim.staff.state(agent, "wrapup")
    wrapup = sim.spread(50 * SECOND)
    if chance() < 0.28:
        sim.spawn(ticket_of_call(sim, visit, agent, call_id), wrapup // 2)
    yield wrapup
    if chance() >= 0.001:
        sim.emit("call.ended", call_id, {
            "call_id": call_id, "agent_id": agent.id, "talk_s": talked / 1000, "hold_s": hold / 1000,
            "wrapup_s": wrapup / 1000,
        })  # fmt: skip
    sim.staff.release(agent)
    if chance() < 0.35:
        dimensions = known(agent_id=agent.id, team=agent.team, channel="phone", segment=visit.segment)
        sim.spawn(survey(sim, {"call_id": call_id}, mood(wait, MINUTE), "human", dimensions), 30 * SECOND)
    if chance() < 0.1:
        sim.spawn(review(sim, {"call_id": call_id}, agent), sim.spread(5 * HOUR))
