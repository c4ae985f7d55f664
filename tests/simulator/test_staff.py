"""Agents are limited: the queue, the order of service, and the effect of overload on the service level."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.simulator import Scenario, World, events
from streams.simulator.kernel import DAY, HOUR, Event, Kernel, Process, Turn
from streams.simulator.scenario import Shortage
from streams.simulator.staff import team_sizes
from streams.simulator.world import TEAMS

from .conftest import MONDAY


def service_level(run: list[Event]) -> float:
    """Answered within 20 s of answered and abandoned (voice menu left out)."""
    first: dict[str, bool] = {}
    for event in run:
        if event["type"] == "call.answered":
            first.setdefault(event["subject"], event["data"]["wait_s"] <= 20)
        elif event["type"] == "call.abandoned" and event["data"]["stage"] != "ivr":
            first.setdefault(event["subject"], False)
    return sum(first.values()) / len(first)


def test_service_level_falls_when_the_desk_is_overloaded() -> None:
    def at(contacts: float) -> float:
        return service_level(list(events(World(2, MONDAY, MONDAY + 3 * DAY, agents=40, contacts_a_day=contacts))))

    quiet, usual, overloaded = at(300), at(800), at(3200)
    assert quiet > usual > overloaded
    assert usual > 0.7
    assert overloaded < 0.4


def test_a_shortage_lowers_the_service_level_of_its_days() -> None:
    gap = Scenario(shortages=(Shortage(MONDAY + DAY, MONDAY + 2 * DAY, 0.7, "hotline"),))
    short = [
        event
        for event in events(World(2, MONDAY, MONDAY + 2 * DAY, agents=40, scenario=gap))
        if event["time"].startswith("2026-10-13")
    ]
    full = [
        event
        for event in events(World(2, MONDAY, MONDAY + 2 * DAY, agents=40))
        if event["time"].startswith("2026-10-13")
    ]
    assert service_level(short) < service_level(full) - 0.15


@pytest.mark.parametrize("hour", [3, 10])
def test_a_run_that_starts_within_a_day_finds_agents_at_work(hour: int) -> None:
    """At 10:00 those of the morning, at 03:00 those who came at 22:00 the day before."""
    start = MONDAY + DAY + hour * HOUR
    run = events(World(1, start, start + HOUR, agents=60))
    present = {event["subject"] for event in run if event["type"] == "agent.state_changed"}
    assert len(present) >= (20 if hour == 10 else 1)


@given(st.integers(len(TEAMS), 5000))
def test_every_agent_has_one_team_and_every_team_an_agent(agents: int) -> None:
    sizes = team_sizes(agents)
    assert sum(sizes.values()) == agents
    assert min(sizes.values()) >= 1


def test_a_desk_needs_an_agent_in_each_team() -> None:
    with pytest.raises(ValueError, match="too small"):
        World(1, MONDAY, agents=3)


def test_a_turn_is_served_or_gives_up_never_both() -> None:
    """Patience 10; an agent comes free after 4, and after 10 for the second, at the instant its patience ends:

    first   0 ──── 4 served
    second  0 ──────────── 10 gives up (it asked first), the agent stays free
    """
    kernel = Kernel(0, 1, ZoneInfo("UTC"))
    waiting: list[Turn] = []
    got: list[tuple[int, object]] = []

    def customer() -> Process:
        agent = yield Turn(waiting.append, 10)
        got.append((kernel.now, agent))

    def free(after: int, agent: str) -> Process:
        yield after
        turn = waiting.pop(0)
        if not turn.over:
            kernel.serve(turn, agent)

    kernel.spawn(customer())
    kernel.spawn(customer())
    kernel.spawn(free(4, "one"))
    kernel.spawn(free(10, "two"))
    for _ in range(9):
        kernel.step()
    assert got == [(4, "one"), (10, None)]
