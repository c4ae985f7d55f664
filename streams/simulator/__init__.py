"""A simulated service desk: a world with limited agents, whose queues produce the events of a desk.

Pure: no clock, no I/O; the same `World` gives the same events, byte for byte. `events` is for files, `Feed` for a live
demo, `parse` reads scenario files.
"""

from streams.simulator.feed import Feed, encode, events
from streams.simulator.scenario import Scenario, ScenarioError, duration, instant, parse
from streams.simulator.world import World

__all__ = ["Feed", "Scenario", "ScenarioError", "World", "duration", "encode", "events", "instant", "parse"]
