"""Instants: parsed like Python's own datetime, with and without cached minute, second and offset."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.models.instants import EARLIEST, EPOCH, LATEST, format_instant, parse_instant

OFFSETS = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FRACTIONS = st.one_of(st.just(""), st.from_regex(r"\.[0-9]{1,6}", fullmatch=True))


def written(at: datetime, fraction: str) -> str:
    text = at.replace(microsecond=0).isoformat()
    return text[:19] + fraction + text[19:]


def by_datetime(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30), timezones=OFFSETS), FRACTIONS)  # noqa: DTZ001
@example(datetime(2026, 10, 12, 8, 35, 2, tzinfo=timezone(timedelta(hours=8))), ".5")
def test_an_instant_is_what_datetime_says_the_first_time_and_again(at: datetime, fraction: str) -> None:
    text = written(at, fraction)
    assert parse_instant(text) == parse_instant(text) == by_datetime(text)
    assert parse_instant(format_instant(parse_instant(text))) == parse_instant(text)


@given(
    st.datetimes(datetime(1989, 12, 30), datetime(1990, 1, 3), timezones=OFFSETS)  # noqa: DTZ001
    | st.datetimes(datetime(2099, 12, 29), datetime(2100, 1, 2), timezones=OFFSETS)  # noqa: DTZ001
)
def test_the_years_1990_to_2100_begin_and_end_in_utc_whatever_was_met_before(at: datetime) -> None:
    text = written(at, "")
    parse_instant(written(at.replace(year=2026, month=6, day=15), ""))  # its second and offset are met
    for _ in range(2):
        if EARLIEST <= by_datetime(text) < LATEST:
            assert parse_instant(text) == by_datetime(text)
        else:
            with pytest.raises(ValueError, match="outside the years 1990 to 2100"):
                parse_instant(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-10-12", "is not RFC 3339"),
        ("2026-10-12T08:35:02", "is not RFC 3339"),
        ("2026-10-12T08:35:02+0800", "is not RFC 3339"),
        ("2026-10-12T08:35:02.Z", "is not RFC 3339"),
        ("2026-10-12T08:35:61Z", "has no such second"),
        ("2026-02-30T08:35:02Z", "names no day"),
        ("2026-10-12T24:00:00Z", "names no day"),
        ("2026-10-12T08:35:02+24:00", "does not exist"),
        ("2026-10-12T08:35:02+08:60", "does not exist"),
    ],
)
def test_what_is_no_instant_is_said(text: str, reason: str) -> None:
    parse_instant("2026-10-12T08:35:02Z")  # its minute is met
    with pytest.raises(ValueError, match=reason):
        parse_instant(text)


def test_a_leap_second_is_the_next_minutes_first() -> None:
    assert parse_instant("2016-12-31T23:59:60Z") == parse_instant("2017-01-01T00:00:00Z")


def test_worked_by_hand() -> None:
    assert parse_instant("2026-10-12T08:35:02.125+08:00") == 1_791_765_302_125
    assert format_instant(1_791_765_302_125) == "2026-10-12T00:35:02.125Z"
    assert datetime.fromtimestamp(1_791_765_302, UTC) == datetime(2026, 10, 12, 0, 35, 2, tzinfo=UTC)
