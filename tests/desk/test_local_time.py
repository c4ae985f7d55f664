"""Local intervals where the clock is moved, with instants reckoned by hand (UTC in the code, local in the drawings)."""

import itertools
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.desk.calendars.local_time import LocalTime
from streams.models.instants import DAY, HOUR, MINUTE, QUARTER, parse_instant

ZONES = (
    "UTC",
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Nuuk",
)


def local(zone: str) -> LocalTime:
    return LocalTime([(0, ZoneInfo(zone))])


@pytest.mark.parametrize(
    ("zone", "at", "begins"),
    [
        # Shanghai 07:30 on the 12th is 23:30Z on the 11th; its hour began at 07:00 local.
        ("Asia/Shanghai", "2026-10-11T23:30:00Z", "2026-10-11T23:00:00Z"),
        # Kathmandu is 5:45 ahead: 10:10 local is 04:25Z, 10:00 local is 04:15Z.
        ("Asia/Kathmandu", "2026-10-12T04:25:00Z", "2026-10-12T04:15:00Z"),
        # Berlin, back an hour at 01:00Z: 02:30 local comes twice.
        ("Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z"),
        ("Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z"),
        # Lord Howe, back half an hour at 15:00Z (02:00 -> 01:30): hour 1 goes on, from 14:00Z, for 90 minutes.
        ("Australia/Lord_Howe", "2026-04-04T15:20:00Z", "2026-04-04T14:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:40:00Z", "2026-04-04T15:30:00Z"),
        # Lord Howe, forward half an hour at 15:30Z (02:00 -> 02:30): hour 2 has 30 minutes.
        ("Australia/Lord_Howe", "2026-10-03T15:45:00Z", "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T16:05:00Z", "2026-10-03T16:00:00Z"),
    ],
)
def test_hours(zone: str, at: str, begins: str) -> None:
    assert local(zone).begin(parse_instant(at), HOUR) == parse_instant(begins)


def test_days_of_23_and_25_hours() -> None:
    berlin = local("Europe/Berlin")
    starts = [berlin.begin(parse_instant(f"2026-{day}T12:00:00Z"), DAY) for day in ("03-28", "03-29", "03-30")]
    assert [b - a for a, b in itertools.pairwise(starts)] == [24 * HOUR, 23 * HOUR]
    starts = [berlin.begin(parse_instant(f"2026-{day}T12:00:00Z"), DAY) for day in ("10-24", "10-25", "10-26")]
    assert [b - a for a, b in itertools.pairwise(starts)] == [24 * HOUR, 25 * HOUR]
    assert berlin.day(parse_instant("2026-10-24T22:30:00Z")) == date(2026, 10, 25)


def test_a_policy_with_another_zone_moves_the_clock() -> None:
    switch = parse_instant("2026-10-12T00:20:00Z")  # from UTC to Kolkata, 5:30 ahead: 00:20 becomes 05:50
    moved = LocalTime([(0, ZoneInfo("UTC")), (switch, ZoneInfo("Asia/Kolkata"))])
    assert moved.begin(switch - 1, HOUR) == parse_instant("2026-10-12T00:00:00Z")
    assert moved.begin(switch, HOUR) == switch
    assert moved.begin(parse_instant("2026-10-12T00:31:00Z"), HOUR) == parse_instant("2026-10-12T00:30:00Z")


@given(
    st.sampled_from(ZONES), st.integers(parse_instant("1991-01-01T00:00:00Z"), parse_instant("2099-01-01T00:00:00Z"))
)
def test_intervals_tile_the_time(zone: str, at: int) -> None:
    """Every interval begins at or before its instants, is its own beginning, and lies within the larger ones."""
    clock = local(zone)
    for unit, longest in ((QUARTER, 2 * HOUR), (HOUR, 2 * HOUR), (DAY, 26 * HOUR)):
        begins = clock.begin(at, unit)
        assert at - longest < begins <= at
        assert clock.begin(begins, unit) == begins
    assert clock.begin(at, DAY) <= clock.begin(at, HOUR) <= clock.begin(at, QUARTER)


@given(st.sampled_from(ZONES), st.integers(0, 59), st.integers(parse_instant("2020-01-01T00:00:00Z") // HOUR, 500_000))
def test_the_day_is_that_of_the_zone(zone: str, minute: int, hour: int) -> None:
    at = hour * HOUR + minute * MINUTE
    expected = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).date()
    assert local(zone).day(at) == expected
