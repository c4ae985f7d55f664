"""The arrivals of customers: a Poisson stream whose rate follows the hour, the weekday and the scenario.

The rate is constant within a quarter of an hour; an arrival beyond the quarter's end is drawn again from there, which
is exact for a Poisson process.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from streams.simulator.calls import call
from streams.simulator.kernel import DAY, QUARTER, Process
from streams.simulator.scenario import Surge
from streams.simulator.simulation import Simulation
from streams.simulator.tickets import ticket
from streams.simulator.world import HOUR_MEAN, HOURS, PHONE_SHARE, WEEKDAYS


def arrivals(sim: Simulation) -> Process:
    """All contacts of a run; each starts its own process."""
    per_ms = sim.world.contacts_per_day / DAY
    surges = sim.world.scenario.surges
    random = sim.random
    while True:
        now = sim.now
        ends_at = now - now % QUARTER + QUARTER
        present = [surge for surge in surges if surge.begins_at <= now < surge.ends_at] if surges else ()
        rate = per_ms * rhythm(sim.kernel.today()) * (1 + sum(surge.factor - 1 for surge in present))
        next_at = now + random.expovariate(rate)
        while next_at < ends_at:
            yield int(next_at) - sim.now
            visit = sim.visit(_surge(random.random(), present))
            sim.spawn(call(sim, visit) if random.random() < PHONE_SHARE else ticket(sim, visit))
            next_at += random.expovariate(rate)
        yield ends_at - sim.now


def rhythm(local: datetime) -> float:
    """The load of a local hour; 1 is the mean of the week."""
    return HOURS[local.hour] / HOUR_MEAN * WEEKDAYS[local.weekday()]


def _surge(chance: float, present: Sequence[Surge]) -> Surge | None:
    """The surge that caused a contact: each has the weight factor - 1, ordinary demand has 1."""
    at = chance * (1 + sum(surge.factor - 1 for surge in present)) - 1
    for surge in present:
        if at < 0:
            break
        at -= surge.factor - 1
        if at < 0:
            return surge
    return None
