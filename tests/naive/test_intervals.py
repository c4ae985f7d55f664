"""Worked examples of the desk's days, hours and quarter hours, every figure reckoned by hand."""

from zoneinfo import ZoneInfo

import pytest

from tests.naive.desk import policy
from tests.naive.fold import fold
from tests.naive.intervals import MINUTE_MS, begin
from tests.naive.log import EPOCH, MILLISECOND, instant


def begins(zone: str, unit: str, first: str, last: str) -> list[str]:
    """The begins of the intervals between two instants (`MM-DDTHH:MM` of 2026, UTC), as `HH:MM` in UTC."""
    start, stop = (instant(f"2026-{text}:00Z") for text in (first, last))
    found = {begin(at, unit, ZoneInfo(zone)) for at in range(start, stop, MINUTE_MS)}
    return [(EPOCH + at * MILLISECOND).strftime("%H:%M") for at in sorted(found)]


class TestHours:
    def test_of_half_and_three_quarter_hours(self) -> None:
        """
        Kolkata     10:00 = 04:30 UTC     Kathmandu   10:00 = 04:15 UTC     Chatham (+13:45)  10:00 = 20:15 UTC
        """
        assert begins("Asia/Kolkata", "hour", "10-12T04:30", "10-12T06:30") == ["04:30", "05:30"]
        assert begins("Asia/Kathmandu", "hour", "10-12T04:15", "10-12T06:15") == ["04:15", "05:15"]
        assert begins("Pacific/Chatham", "hour", "10-12T20:15", "10-12T21:16") == ["20:15", "21:15"]

    def test_a_repeated_hour_is_two_rows(self) -> None:
        """
        Berlin, 25 October    00:00 = 02:00 +2    01:00 = 02:00 +1    02:00 = 03:00
        """
        assert begins("Europe/Berlin", "hour", "10-25T00:00", "10-25T03:00") == ["00:00", "01:00", "02:00"]
        assert begins("Europe/Berlin", "hour", "03-29T00:00", "03-29T02:00") == ["00:00", "01:00"]  # 1, 3

    def test_lord_howe_in_spring_has_an_hour_of_30_minutes(self) -> None:
        """
        4 October     14:30 = 01:00     15:30 = 02:30 (not 02:00)     16:00 = 03:00     17:00 = 04:00
        """
        zone = "Australia/Lord_Howe"
        assert begins(zone, "hour", "10-03T14:30", "10-03T17:00") == ["14:30", "15:30", "16:00"]
        assert begins(zone, "quarter", "10-03T15:15", "10-03T16:15") == ["15:15", "15:30", "15:45", "16:00"]

    def test_lord_howe_in_autumn_has_an_hour_of_90_minutes(self) -> None:
        """
        5 April     14:00 = 01:00     15:00 = 01:30 (not 02:00)     15:30 = 02:00     16:30 = 03:00
        """
        zone = "Australia/Lord_Howe"
        assert begins(zone, "hour", "04-04T14:00", "04-04T16:30") == ["14:00", "15:30"]
        repeated = ["14:30", "14:45", "15:00", "15:15", "15:30"]
        assert begins(zone, "quarter", "04-04T14:30", "04-04T15:45") == repeated

    def test_chatham_jumps_at_a_quarter_to_three(self) -> None:
        """
        27 September    13:15 = 02:00    14:00 = 03:45 (not 02:45)    14:15 = 04:00
        5 April         13:15 = 03:00    14:00 = 02:45 (not 03:45)    14:15 = 03:00
        """
        zone = "Pacific/Chatham"
        assert begins(zone, "hour", "09-26T13:15", "09-26T14:30") == ["13:15", "14:00", "14:15"]
        assert begins(zone, "hour", "04-04T13:15", "04-04T14:30") == ["13:15", "14:00", "14:15"]


class TestDays:
    @pytest.mark.parametrize(
        ("zone", "at", "expected"),
        [
            ("UTC", "2026-10-12T23:59:59.999Z", "2026-10-12T00:00Z"),
            ("Asia/Shanghai", "2026-10-11T23:30Z", "2026-10-11T16:00Z"),
            ("Asia/Kathmandu", "2026-10-11T18:14:59Z", "2026-10-10T18:15Z"),
            ("Europe/Berlin", "2026-10-25T22:59Z", "2026-10-24T22:00Z"),  # of 25 hours
            ("Europe/Berlin", "2026-03-29T21:59Z", "2026-03-28T23:00Z"),  # of 23
            ("Australia/Lord_Howe", "2026-10-04T12:59Z", "2026-10-03T13:30Z"),  # of 23.5
            ("America/Havana", "2026-11-01T05:30Z", "2026-11-01T04:00Z"),  # 01:00 = 00:00 again: one day
            ("Africa/Cairo", "2026-04-24T09:00Z", "2026-04-23T22:00Z"),  # 00:00 = 01:00: begins at 01:00
        ],
    )
    def test_a_day_begins_with_the_first_instant_of_its_date(self, zone: str, at: str, expected: str) -> None:
        """
        local midnight, or what comes instead of it
        """
        assert begin(instant(at), "day", ZoneInfo(zone)) == instant(expected)

    def test_views_have_the_desk_s_zone_in_force(self) -> None:
        """
        Kathmandu: 12 October begins 11 October, 18:15 UTC
        """
        row = {"source": "/t", "id": "1", "type": "ticket.created", "time": "2026-10-12T03:00:00Z"}
        call = row | {"id": "2", "type": "call.offered", "data": {"call_id": "C", "queue": "q"}}
        tables = fold([row | {"data": {"ticket_id": "T"}}, call], [policy(timezone="Asia/Kathmandu")])
        assert [each["day"] for each in tables["ticket_days"]] == [instant("2026-10-11T18:15Z")]
        assert [each["hour"] for each in tables["service_levels"]] == [instant("2026-10-12T02:15Z")]
