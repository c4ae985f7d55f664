"""Surveys after a contact: a fifth is answered, some days late, some corrected; scores follow the contact's course."""

from __future__ import annotations

from typing import Any

from streams.simulator.kernel import DAY, HOUR, MINUTE, Process
from streams.simulator.simulation import Choice, Simulation

RESPONSE_SHARE = 0.21
_METRICS = Choice({"csat": 0.72, "nps": 0.14, "ces": 0.07, "resolution": 0.07})
_SCALES = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7), "resolution": (0, 1)}
_ASPECTS = ("attitude", "efficiency", "resolution", "transparency")


def survey(sim: Simulation, about: dict[str, str], mood: float, handled_by: str, dimensions: dict[str, str]) -> Process:
    """Offer a survey about a contact; it may be answered.

    `about` names the ticket or call; `mood` (-1..1) is added to the chance of satisfaction; `dimensions` are agent_id,
    team, channel and segment: half of the answers carry them, the others omit them.
    """
    chance = sim.chance
    survey_id = sim.id("S")
    subject = next(iter(about.values()), survey_id)
    metric = _METRICS.draw(chance())
    sim.emit("survey.offered", subject, {"survey_id": survey_id, "metric": metric, **about})
    if chance() >= RESPONSE_SHARE:
        return
    late = chance() < 0.08
    yield sim.spread(1.5 * DAY, 0.5) if late else sim.spread(25 * MINUTE, 1.2)
    satisfied = chance() < min(0.97, max(0.05, 0.92 + mood))
    data = _answer(sim, metric, satisfied)
    data = {"survey_id": survey_id, **data, **about, "handled_by": handled_by}
    if chance() < 0.5:
        data.update(dimensions)
    sim.emit("survey.responded", subject, data)
    if chance() < 0.02:
        yield sim.spread(2 * HOUR)
        sim.emit("survey.responded", subject, {**data, **_answer(sim, metric, chance() < 0.5)})


def _answer(sim: Simulation, metric: str, satisfied: bool) -> dict[str, Any]:
    low, high = _SCALES[metric]
    data: dict[str, Any] = {
        "metric": metric,
        "score": _score(sim, low, high, satisfied),
        "scale_min": low,
        "scale_max": high,
    }
    if metric == "csat" and sim.chance() < 0.3:
        data["dimensions"] = {aspect: _score(sim, low, high, satisfied) for aspect in _ASPECTS}
    return data


def _score(sim: Simulation, low: int, high: int, satisfied: bool) -> int:
    """Satisfied customers give the highest score or one below; the others any lower one."""
    chance = sim.chance
    if high - low == 1:
        return high if satisfied else low
    if satisfied:
        return high if chance() < 0.65 else high - 1
    return low + int(chance() * (high - low - 1))
