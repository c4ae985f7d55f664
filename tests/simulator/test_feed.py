"""The feed: the events due at an instant of another clock."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.simulator import Feed, World, events, instant
from streams.simulator.kernel import DAY, HOUR, MINUTE

from .conftest import MONDAY

NINE = MONDAY + 9 * HOUR
WORLD = World(seed=5, start=NINE, end=NINE + 2 * HOUR, agents=8)
ALL = list(events(WORLD))


@given(st.lists(st.integers(0, 3 * HOUR), max_size=30), st.sampled_from([0.5, 1.0, 60.0]))
@settings(max_examples=40, deadline=None)
def test_any_cutting_of_time_gives_every_event_once_in_order(steps: list[int], speed: float) -> None:
    feed = Feed(WORLD, NINE, speed)
    got = [event for step in sorted(steps) for event in feed.due(NINE + step)]
    got += feed.due(NINE + 5 * HOUR)
    assert got == ALL
    assert feed.next_at() is None


@given(st.integers(0, 4 * HOUR), st.sampled_from([0.5, 1.0, 7.0, 60.0]))
@settings(max_examples=40, deadline=None)
def test_no_event_is_ahead_of_the_clock_and_none_due_is_held_back(step: int, speed: float) -> None:
    now = NINE + HOUR + step
    feed = Feed(WORLD, NINE + HOUR, speed)
    got = list(feed.due(now))
    assert all(instant(event["time"]) <= feed.position(now) <= now for event in got)
    assert got == [event for event in ALL if instant(event["time"]) <= feed.position(now)]


@pytest.mark.parametrize("speed", [0.3, 1.0, 60.0])
def test_next_at_is_the_first_instant_at_which_something_is_due(speed: float) -> None:
    feed = Feed(WORLD, NINE + HOUR, speed)
    for _ in range(100):
        at = feed.next_at()
        if at is None:
            break
        assert list(feed.due(at - 1)) == []
        assert list(feed.due(at)) != []
    assert len(ALL) > 100


def test_a_world_that_starts_in_the_past_catches_up_and_keeps_pace() -> None:
    """Started at 10:00 with a world from 09:00, at 4 times its speed:

    clock   10:00 ─────── 10:15 ─────── 10:20 ──────── 10:30
    world   09:00 ──4x──> 10:00 ──4x──> 10:20 ──1x───> 10:30
    """
    feed = Feed(World(5, NINE), NINE + HOUR, 4.0)
    ten = NINE + HOUR
    positions = [(feed.position(ten + m * MINUTE) - NINE) // MINUTE for m in (0, 15, 20, 30)]
    assert positions == [0, 60, 80, 90]


def test_a_world_without_end_goes_on() -> None:
    feed = Feed(World(5, MONDAY, agents=4), MONDAY)
    assert sum(1 for _ in feed.due(MONDAY + 9 * DAY)) > 1000
    assert feed.next_at() is not None


def test_a_feed_refuses_a_world_of_the_future() -> None:
    with pytest.raises(ValueError, match="does not start after"):
        Feed(WORLD, NINE - 1)
