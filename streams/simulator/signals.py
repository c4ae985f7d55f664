"""Events beside the contacts: inspections, callbacks, announcements, and the desk's weekly routine.

every hour   clock.advanced
Mon          action.opened (done within days)           every day  metric.reported, contact.proactive,
Tue          policy.announced                                      customer.linked, evaluation.completed
Thu          desk.closed (a maintenance window on Saturday night)
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from streams.simulator.cases import open_case
from streams.simulator.kernel import DAY, HOUR, MINUTE, Process
from streams.simulator.scenario import Announcement, Closure, Surge
from streams.simulator.simulation import Simulation, Visit, known
from streams.simulator.staff import Agent
from streams.simulator.world import TEAMS

_ERRORS = ("greeting", "identification", "wrong_information", "tone", "documentation", "no_solution")
_OCCASIONS = ("delivery_delay", "renewal", "birthday", "outage_information", "after_complaint")
_TITLES = ("New return rules", "Delivery fees change", "Identity check at payment", "Points expire at year's end")
_ACTIONS = ("Rewrite the delivery macro", "Train refunds", "Mend the voice menu", "Publish a help page on billing")


def review(sim: Simulation, about: dict[str, str], agent: Agent) -> Process:
    """A quality inspection of a finished contact."""
    yield 0
    chance = sim.chance
    errors = [error for error in _ERRORS if chance() < 0.07]
    review_id = sim.id("R")
    score = 100 - 12 * len(errors) - int(chance() * 8)
    sim.emit("review.completed", next(iter(about.values())), {
        "review_id": review_id, "passed": score >= 80, **about, "agent_id": agent.id, "team": agent.team,
        "score": score, "mystery": chance() < 0.03, "errors": errors,
    })  # fmt: skip


def callback(sim: Simulation, visit: Visit, ticket_id: str) -> Process:
    """A promise to call back: kept in time, postponed, late or sometimes forgotten."""
    yield MINUTE
    chance = sim.chance
    callback_id = sim.id("B")
    subject = ticket_id or callback_id
    whose = known(callback_id=callback_id, customer_id=visit.customer_id, segment=visit.segment, ticket_id=ticket_id)
    ms = sim.spread(3 * HOUR)
    sim.emit("callback.due", subject, {**whose, "due_at": sim.kernel.time(sim.now + ms)})
    if chance() < 0.15:
        yield ms * 3 // 4
        ms = sim.spread(5 * HOUR)
        sim.emit("callback.rescheduled", subject, {**whose, "due_at": sim.kernel.time(sim.now + ms)})
    if chance() < 0.04:
        return
    yield int(ms * (0.5 + 0.45 * chance()) if chance() < 0.85 else ms * (1 + chance()))
    reached = chance() < 0.75
    sim.emit("callback.done", subject, {**whose, "reached": reached, "recorded": chance() < 0.95})


def outage(sim: Simulation, surge: Surge) -> Process:
    """The parent ticket of an outage; tickets of the surge name it."""
    visit = Visit("", "", surge.category, "", surge)
    case = open_case(sim, visit, "api", "technical", attributes={"title": surge.title})
    sim.parents[surge] = case.id
    yield max(1, surge.ends_at - sim.now)
    sim.emit("ticket.status_changed", case.id, {"ticket_id": case.id, "status": "solved", "reason": "outage over"})


def announce(sim: Simulation, change: Announcement) -> Process:
    """The announcement of a policy change."""
    yield 0
    change_id = sim.id("P")
    sim.emit("policy.announced", change_id, {
        "change_id": change_id, "announced_at": sim.kernel.time(sim.now),
        "effective_at": sim.kernel.time(change.effective_at), "title": change.title, "tags": list(change.tags),
    })  # fmt: skip


def close(sim: Simulation, closure: Closure) -> Process:
    """The announcement of an ad-hoc closure."""
    yield 0
    sim.emit("desk.closed", closure.calendar, known(
        calendar=closure.calendar, reason=closure.reason,
        **{"from": sim.kernel.time(closure.begins_at), "to": sim.kernel.time(closure.ends_at)},
    ))  # fmt: skip


def clock(sim: Simulation) -> Process:
    """Emit `clock.advanced` every full hour."""
    while True:
        yield HOUR - sim.now % HOUR
        sim.emit("clock.advanced", "clock", {"to": sim.kernel.time(sim.now)})


def days(sim: Simulation) -> Process:
    """Start the desk's own events of each local day."""
    day = sim.kernel.today().date()
    while True:
        midnight = _at(sim, datetime.combine(day, time()))
        if midnight >= sim.now:  # a partial first day has none
            _today(sim, day.weekday(), day.isoformat())
        day += timedelta(days=1)
        yield _at(sim, datetime.combine(day, time())) - sim.now


def _at(sim: Simulation, wall: datetime) -> int:
    return int(wall.replace(tzinfo=sim.world.zone).timestamp() * 1000)


def _today(sim: Simulation, weekday: int, date: str) -> None:
    """Spread the day's signals over its office hours."""
    spawn, staff = sim.spawn, sim.staff.agents

    def hour() -> int:
        return int(sim.random.uniform(9, 18) * HOUR)

    spawn(_report(sim, date), 6 * HOUR)
    for agent in staff:
        if sim.chance() < 0.12:
            spawn(_evaluate(sim, agent, date[:7]), hour())
    for _ in range(1 + len(staff) // 8):
        spawn(_reach_out(sim), hour())
        spawn(_link(sim), hour())
    if weekday == 0:
        for title in _ACTIONS:
            spawn(_act(sim, title), hour())
    if weekday == 1:
        title = _TITLES[int(sim.chance() * len(_TITLES))]
        notice = int(sim.random.uniform(24, 150)) * HOUR
        spawn(announce(sim, Announcement(sim.now, sim.now + DAY + notice, title, ("routine",))), hour())
    if weekday == 3:
        window = sim.now + 2 * DAY + 22 * HOUR
        spawn(close(sim, Closure(window, window + 4 * HOUR, "office", "maintenance")), hour())


def _report(sim: Simulation, date: str) -> Process:
    yield 0
    random = sim.random
    for agent in sim.staff.agents:
        if random.random() < 0.2:
            data = {"name": "training_hours", "value": round(random.uniform(0.5, 3), 1), "period": date, "unit": "h"}
            sim.emit("metric.reported", "training_hours", {**data, "agent_id": agent.id, "team": agent.team})
    for team in TEAMS:
        data = {"name": "retention", "value": round(random.uniform(0.8, 0.97), 3), "period": date, "unit": "share"}
        sim.emit("metric.reported", "retention", {**data, "team": team})
    orders = int(sim.world.contacts_per_day * random.uniform(8, 12))
    sim.emit("metric.reported", "orders", {"name": "orders", "value": orders, "period": date})
    lag = {"name": "crm_lag", "value": round(random.expovariate(1 / 40), 1), "period": date, "unit": "s"}
    sim.emit("metric.reported", "crm_lag", lag)


def _evaluate(sim: Simulation, agent: Agent, period: str) -> Process:
    yield 0
    for rater in ("self", "peer", "manager", "customer"):
        score = round(min(100.0, max(40.0, sim.random.gauss(84, 8))), 1)
        data = {"agent_id": agent.id, "rater": rater, "score": score, "period": period, "scheme": "360"}
        sim.emit("evaluation.completed", agent.id, data)
        yield 20 * MINUTE


def _reach_out(sim: Simulation) -> Process:
    yield 0
    contact_id = sim.id("O")
    agent = sim.staff.agents[int(sim.chance() * len(sim.staff.agents))]
    sim.emit("contact.proactive", contact_id, {
        "contact_id": contact_id, "customer_id": sim.customer_id(), "agent_id": agent.id, "team": agent.team,
        "occasion": _OCCASIONS[int(sim.chance() * len(_OCCASIONS))],
    })  # fmt: skip


def _link(sim: Simulation) -> Process:
    yield 0
    one, other = sim.customer_id(), sim.customer_id()
    if one != other:
        sim.emit("customer.linked", one, {"customer_id": one, "other_id": other})


def _act(sim: Simulation, title: str) -> Process:
    yield 0
    action_id = sim.id("N")
    owner = f"supervisor-{1 + int(sim.chance() * 3)}"
    due_at = sim.kernel.time(sim.now + 3 * DAY)
    data = {"action_id": action_id, "owner": owner, "due_at": due_at, "title": title}
    sim.emit("action.opened", action_id, data)
    if sim.chance() < 0.9:
        yield sim.spread(2 * DAY, 0.4)
        sim.emit("action.done", action_id, data)
