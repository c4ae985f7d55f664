"""One simulated week, shared by the tests."""

import pytest

from streams.simulator import World, events, instant
from streams.simulator.kernel import DAY, Event

MONDAY = instant("2026-10-12T00:00:00+08:00")


@pytest.fixture(scope="session")
def world() -> World:
    return World(seed=7, start=MONDAY, end=MONDAY + 7 * DAY, agents=40)


@pytest.fixture(scope="session")
def week(world: World) -> list[Event]:
    return list(events(world))
