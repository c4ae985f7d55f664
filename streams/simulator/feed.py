"""The events of a world: all in order, or those due by an instant of another clock."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import msgspec

from streams.simulator.demand import arrivals
from streams.simulator.kernel import Event
from streams.simulator.scenario import instant
from streams.simulator.signals import announce, clock, close, days, outage
from streams.simulator.simulation import Simulation
from streams.simulator.world import World


def events(world: World) -> Iterator[Event]:
    """The world's events in time order, created on demand: memory holds only open contacts."""
    sim = Simulation(world)
    sim.spawn(days(sim))
    sim.spawn(clock(sim))
    sim.spawn(arrivals(sim))
    scenario = world.scenario
    for surge in scenario.surges:
        if surge.outage:
            sim.spawn(outage(sim, surge), max(0, surge.begins_at - world.start))
    for change in scenario.announcements:
        sim.spawn(announce(sim, change), max(0, change.at - world.start))
    for closure in scenario.closures:
        sim.spawn(close(sim, closure), max(0, closure.begins_at - world.start))
    kernel = sim.kernel
    end = world.end
    while True:
        kernel.step()
        if kernel.emitted:
            if end is not None and kernel.now >= end:
                return
            yield from kernel.emitted
            kernel.emitted.clear()


def encode(event: Event) -> bytes:
    """One event as a line of JSON, without the line's end."""
    return msgspec.json.encode(event)


class Feed:
    """A world mapped to a clock: the events due at an instant of that clock. It never waits.

    At instant `start` (ms) of the clock, the world is at its own start. It runs `speed` times as fast until it has
    caught up with the clock; then it keeps pace, so that no event is ever ahead of the clock:

        clock   start ────────────────┬──────────────> now
        world   world.start ──speed x──┴── 1x ────────> now

    `position(now)` is the world's present instant, `due(now)` yields the events since the last call, and `next_at()` is
    the instant of the clock at which the next event is due (None: the world is over).
    """

    def __init__(self, world: World, start: int, speed: float = 1.0) -> None:
        if not 0 < speed < inf or world.start > start:
            raise ValueError("A feed needs a speed above 0 and a world that does not start after the clock.")
        self._world_start = world.start
        self._start = start
        self._ms, self._per = speed.as_integer_ratio()  # ms of the world per ms of the clock, exactly
        self._events = events(world)
        self._next: Event | None = None
        self._next_time = 0
        self._draw()

    def position(self, now: int) -> int:
        """The world's instant (ms) when the clock shows `now`."""
        return min(now, self._world_start + (now - self._start) * self._ms // self._per)

    def due(self, now: int) -> Iterator[Event]:
        """The events up to and including the world's instant at `now`, each once, in time order."""
        until = self.position(now)
        while self._next is not None and self._next_time <= until:
            yield self._next
            self._draw()

    def next_at(self) -> int | None:
        """The first instant of the clock at which an event is due."""
        if self._next is None:
            return None
        behind = -(self._next_time - self._world_start) * self._per // self._ms  # rounded so as not to be early
        return max(self._next_time, self._start - behind)

    def _draw(self) -> None:
        self._next = next(self._events, None)
        if self._next is not None:
            self._next_time = instant(self._next["time"])
