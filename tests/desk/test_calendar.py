"""Worked examples of business time: cases that other systems got wrong, with figures computed by hand."""

from datetime import datetime

import pytest

from streams.desk.calendars.business_time import Calendar
from streams.models.instants import DAY

MINUTE = 60_000
HOUR = 3_600_000
SPLIT = ["09:00-12:00", "13:30-18:00"]
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")


def at(text: str) -> int:
    """An RFC 3339 time in ms."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None, text
    return round(moment.timestamp() * 1000)


def office(*holidays: str, timezone: str = "Asia/Shanghai", extra: tuple[str, ...] = ()) -> Calendar:
    return Calendar.weekly(dict.fromkeys(WORKDAYS, SPLIT), timezone, holidays, extra)


def nights(timezone: str = "Asia/Shanghai", *holidays: str) -> Calendar:
    return Calendar.weekly({day: ["22:00-06:00"] for day in WORKDAYS}, timezone, holidays)


def every_day(interval: str, timezone: str) -> Calendar:
    return Calendar.weekly({day: [interval] for day in (*WORKDAYS, "sat", "sun")}, timezone)


class TestRoundTheClock:
    def test_is_plain_subtraction(self) -> None:
        always = Calendar.always("Asia/Shanghai")
        assert always.between(1_000, 91_000) == 90_000
        assert always.due(1_000, 90_000) == 91_000
        assert list(always.spans(5, 9)) == [(5, 9)]

    def test_midnight_is_open(self) -> None:
        """
        hours     ....##########|##########....    00:00-24:00 every day, no gap at |
        23:59 -> 00:01 = 2 min
        """
        for calendar in (Calendar.always("Europe/Berlin"), every_day("00:00-24:00", "Europe/Berlin")):
            before, after = at("2026-06-10T23:59+02:00"), at("2026-06-11T00:01+02:00")
            assert calendar.between(before, after) == 2 * MINUTE
            assert calendar.due(before, MINUTE) == at("2026-06-11T00:00+02:00")
            assert len(list(calendar.spans(before, after))) == 1

    def test_the_turn_of_the_year_is_open(self) -> None:
        calendar = every_day("00:00-24:00", "Asia/Shanghai")
        start, end = at("2026-12-30T00:00+08:00"), at("2027-01-03T00:00+08:00")
        assert list(calendar.spans(start, end)) == [(start, end)]
        assert calendar.between(start, end) == 4 * DAY

    def test_is_never_closed_by_a_holiday(self) -> None:
        christmas = at("2026-12-25T00:00+01:00")
        assert Calendar.always("Europe/Berlin").between(christmas, christmas + DAY) == DAY


class TestHours:
    def test_split_shift(self) -> None:
        """
        Wednesday   09    12  13:30     18
                    ######    ##########
                      ^11:00      ^14:00        1 h + 0.5 h
        """
        calendar = office()
        assert calendar.between(at("2026-11-18T11:00+08:00"), at("2026-11-18T14:00+08:00")) == 90 * MINUTE
        assert calendar.due(at("2026-11-18T11:00+08:00"), 90 * MINUTE) == at("2026-11-18T14:00+08:00")

    def test_due_at_the_close_is_the_close_not_the_next_opening(self) -> None:
        assert office().due(at("2026-11-18T11:00+08:00"), HOUR) == at("2026-11-18T12:00+08:00")

    def test_a_start_while_closed_counts_from_the_opening(self) -> None:
        """Friday 18:30 + 1 h: the weekend passes, Monday 10:00."""
        assert office().due(at("2026-11-20T18:30+08:00"), HOUR) == at("2026-11-23T10:00+08:00")

    def test_no_duration_is_due_at_once_even_while_closed(self) -> None:
        sunday = at("2026-11-22T03:00+08:00")
        assert office().due(sunday, 0) == sunday
        assert office().between(sunday, sunday) == office().between(sunday + 5, sunday) == 0

    def test_overnight_belongs_to_the_day_it_starts_in(self) -> None:
        """
        Fri 22:00 #######|####### Sat 06:00     Sat and Sun have no hours: nothing starts there
        Sun 23:00 is closed, Mon 22:00 opens again
        """
        calendar = nights()
        assert calendar.between(at("2026-11-20T00:00+08:00"), at("2026-11-23T00:00+08:00")) == 14 * HOUR
        assert calendar.due(at("2026-11-20T23:00+08:00"), 7 * HOUR) == at("2026-11-21T06:00+08:00")
        assert calendar.due(at("2026-11-21T06:00+08:00"), 1) == at("2026-11-23T22:00+08:00") + 1

    def test_overlapping_hours_count_once(self) -> None:
        calendar = Calendar.weekly({"mon": ["22:00-06:00"], "tue": ["05:00-09:00"]}, "UTC")
        assert list(calendar.spans(at("2026-11-23T00:00Z"), at("2026-11-25T00:00Z"))) == [
            (at("2026-11-23T22:00Z"), at("2026-11-24T09:00Z"))
        ]

    def test_spans_are_clipped(self) -> None:
        spans = list(office().spans(at("2026-11-18T10:00+08:00"), at("2026-11-18T15:00+08:00")))
        assert spans == [
            (at("2026-11-18T10:00+08:00"), at("2026-11-18T12:00+08:00")),
            (at("2026-11-18T13:30+08:00"), at("2026-11-18T15:00+08:00")),
        ]
        assert list(office().spans(5, 5)) == []

    @pytest.mark.parametrize(
        "text", ["9:00-12:00", "09:00", "09:00-24:01", "24:00-25:00", "09:60-10:00", "09:00-09:00", ""]
    )
    def test_a_malformed_interval_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="expected an interval such as"):
            Calendar.weekly({"mon": [text]}, "UTC")

    def test_hours_that_never_open_are_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one interval"):
            Calendar.weekly({"mon": []}, "UTC")
        with pytest.raises(ValueError, match=r'expected the days mon, .* found "monday"'):
            Calendar.weekly({"monday": SPLIT}, "UTC")


class TestDaylightSaving:
    @pytest.mark.parametrize(
        ("zone", "day", "hours"),
        [
            ("Europe/Berlin", "2026-03-29T00:00+01:00", 23),
            ("Europe/Berlin", "2026-10-25T00:00+02:00", 25),
            ("America/New_York", "2026-03-08T00:00-05:00", 23),
            ("America/New_York", "2026-11-01T00:00-04:00", 25),
            ("Australia/Lord_Howe", "2026-10-04T00:00+10:30", 23.5),
            ("Australia/Lord_Howe", "2026-04-05T00:00+11:00", 24.5),
            ("Asia/Shanghai", "2026-10-25T00:00+08:00", 24),
        ],
    )
    def test_the_whole_day_has_its_own_length(self, zone: str, day: str, hours: float) -> None:
        calendar = Calendar.weekly({"sun": ["00:00-24:00"]}, zone)
        start = at(day)
        assert calendar.between(start - DAY, start + 3 * DAY) == hours * HOUR
        assert list(calendar.spans(start - DAY, start + 3 * DAY)) == [(start, start + int(hours * HOUR))]

    def test_office_hours_keep_the_wall_clock(self) -> None:
        """Friday 17:00 CET and Monday 10:00 CEST: 1 h + 1 h, the jump lies in the closed weekend."""
        calendar = office(timezone="Europe/Berlin")
        assert calendar.between(at("2026-03-27T17:00+01:00"), at("2026-03-30T10:00+02:00")) == 2 * HOUR
        assert calendar.due(at("2026-03-27T17:00+01:00"), 2 * HOUR) == at("2026-03-30T10:00+02:00")

    def test_a_skipped_wall_time_is_the_jump(self) -> None:
        """
        wall   01:00     02:00|03:00     04:00
        open   02:30-04:00    ##########        opens at the jump: 1 h
        open   01:00-02:30 ###|                 closes at the jump: 1 h
        """
        jump = at("2026-03-29T01:00Z")
        for interval, span in (
            ("02:30-04:00", (jump, jump + HOUR)),
            ("01:00-02:30", (jump - HOUR, jump)),
        ):
            calendar = Calendar.weekly({"sun": [interval]}, "Europe/Berlin")
            assert list(calendar.spans(jump - DAY, jump + DAY)) == [span]
        assert not list(Calendar.weekly({"sun": ["02:10-02:50"]}, "Europe/Berlin").spans(jump - DAY, jump + DAY))

    def test_a_wall_time_shown_twice_is_the_first(self) -> None:
        """
        wall   01:00     02:00     02:30  03:00|02:00     02:30     03:00
        open   01:00-02:30 ##############                                    1.5 h
        open   02:30-04:00               ################################### to 04:00: 2.5 h
        """
        first = at("2026-10-25T02:30+02:00")
        for interval, span in (
            ("01:00-02:30", (first - 90 * MINUTE, first)),
            ("02:30-04:00", (first, first + 150 * MINUTE)),
        ):
            calendar = Calendar.weekly({"sun": [interval]}, "Europe/Berlin")
            assert list(calendar.spans(first - DAY, first + DAY)) == [span]

    def test_a_night_over_the_jump_is_shorter(self) -> None:
        calendar = Calendar.weekly({"sat": ["22:00-06:00"]}, "Europe/Berlin")
        assert calendar.between(at("2026-03-28T12:00+01:00"), at("2026-03-29T12:00+02:00")) == 7 * HOUR
        assert calendar.between(at("2026-10-24T12:00+02:00"), at("2026-10-25T12:00+01:00")) == 9 * HOUR

    def test_a_skipped_day_has_no_hours(self) -> None:
        """Samoa crossed the date line: 2011-12-30 never was."""
        calendar = every_day("00:00-24:00", "Pacific/Apia")
        start = at("2011-12-29T00:00-10:00")
        end = at("2012-01-01T00:00+14:00")
        assert calendar.between(start, end) == end - start == 2 * DAY
        assert calendar.working_days(start, 1) == at("2012-01-01T00:00+14:00")


class TestHolidays:
    @pytest.mark.parametrize(
        "day",
        [  # notices of the State Council for 2025 and 2026: make-up days, Saturdays and Sundays
            *("2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"),
            *("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"),
        ],
    )
    def test_chinas_make_up_days_have_mondays_hours(self, day: str) -> None:
        hours = {"mon": ["08:00-10:00"]} | dict.fromkeys(WORKDAYS[1:], SPLIT)
        midnight = at(f"{day}T00:00+08:00")
        assert list(Calendar.weekly(hours, "Asia/Shanghai", ["CN"]).spans(midnight, midnight + DAY)) == [
            (midnight + 8 * HOUR, midnight + 10 * HOUR)
        ]

    @pytest.mark.parametrize(
        ("first", "last", "following"),
        [
            ("2025-01-28", "2025-02-04", "2025-02-05"),
            ("2025-10-01", "2025-10-08", "2025-10-09"),
            ("2026-01-01", "2026-01-03", "2026-01-04"),  # a Sunday that is worked
            ("2026-02-15", "2026-02-23", "2026-02-24"),
            ("2026-04-04", "2026-04-06", "2026-04-07"),
            ("2026-05-01", "2026-05-05", "2026-05-06"),
            ("2026-06-19", "2026-06-21", "2026-06-22"),
            ("2026-09-25", "2026-09-27", "2026-09-28"),
            ("2026-10-01", "2026-10-07", "2026-10-08"),
        ],
    )
    def test_chinas_holidays_are_closed(self, first: str, last: str, following: str) -> None:
        calendar = office("CN")
        start = at(f"{first}T00:00+08:00")
        assert calendar.between(start, at(f"{last}T23:59+08:00")) == 0
        assert calendar.due(start, 1) == at(f"{following}T09:00+08:00") + 1

    def test_a_target_over_the_national_holiday(self) -> None:
        """
        2026   Wed 30 Sep 17:00   1..7 Oct closed   Thu 8   Fri 9   Sat 10 (worked)
        8 h         1 h                              7 h: 09-12 (3) + 13:30-17:30 (4)
        """
        assert office("CN").due(at("2026-09-30T17:00+08:00"), 8 * HOUR) == at("2026-10-08T17:30+08:00")

    def test_subdivisions(self) -> None:
        """Corpus Christi (2026-06-04) is a holiday in Bavaria, not in Berlin."""
        start, end = at("2026-06-04T00:00+02:00"), at("2026-06-05T00:00+02:00")
        assert office("DE-BY", timezone="Europe/Berlin").between(start, end) == 0
        assert office("DE-BE", timezone="Europe/Berlin").between(start, end) == int(7.5 * HOUR)

    def test_dates_of_the_desks_own(self) -> None:
        calendar = office("2026-11-18", extra=("2026-11-22",))
        assert calendar.between(at("2026-11-18T00:00+08:00"), at("2026-11-19T00:00+08:00")) == 0
        assert calendar.between(at("2026-11-22T00:00+08:00"), at("2026-11-23T00:00+08:00")) == int(7.5 * HOUR)

    def test_what_the_desk_names_goes_before_the_country(self) -> None:
        calendar = office("CN", "2026-10-10", extra=("2026-10-02",))
        assert calendar.between(at("2026-10-10T00:00+08:00"), at("2026-10-11T00:00+08:00")) == 0
        assert calendar.between(at("2026-10-02T00:00+08:00"), at("2026-10-03T00:00+08:00")) == int(7.5 * HOUR)

    def test_the_eve_runs_into_the_holiday_and_its_own_night_is_closed(self) -> None:
        """
        Wed 22:00 ########|###### Thu 06:00   Thu (holiday) 22:00 ........ Fri 06:00   Fri 22:00 ####
        """
        calendar = nights("Asia/Shanghai", "2026-11-19")
        assert calendar.between(at("2026-11-19T00:00+08:00"), at("2026-11-20T00:00+08:00")) == 6 * HOUR
        assert calendar.between(at("2026-11-20T00:00+08:00"), at("2026-11-20T12:00+08:00")) == 0

    @pytest.mark.parametrize("entry", ["XX", "DE-XX", "china", "cn", "2026-02-30", "20260101x", ""])
    def test_an_unknown_country_or_date_is_refused(self, entry: str) -> None:
        with pytest.raises(ValueError, match=r"expected an ISO country|expected a date"):
            office(entry)

    def test_a_date_cannot_be_both(self) -> None:
        with pytest.raises(ValueError, match="2026-11-18 to be either"):
            office("2026-11-18", extra=("2026-11-18",))


class TestClosures:
    def test_office(self) -> None:
        """
        open      09 ######## 12    13:30 ########## 18
        closed         10 ............ 14
        left      09 ##            14 ############ 18
        """
        calendar = office().with_closures([(at("2026-11-18T10:00+08:00"), at("2026-11-18T14:00+08:00"))])
        assert list(calendar.spans(at("2026-11-18T00:00+08:00"), at("2026-11-19T00:00+08:00"))) == [
            (at("2026-11-18T09:00+08:00"), at("2026-11-18T10:00+08:00")),
            (at("2026-11-18T14:00+08:00"), at("2026-11-18T18:00+08:00")),
        ]

    def test_round_the_clock(self) -> None:
        calendar = Calendar.always().with_closures([(20, 30), (25, 40), (50, 50), (70, 60)])
        assert not calendar.round_the_clock
        assert calendar.between(10, 50) == 20
        assert calendar.due(10, 15) == 45
        assert list(calendar.spans(10, 80)) == [(10, 20), (40, 80)]

    def test_closures_add_up_and_leave_the_original_alone(self) -> None:
        once = Calendar.always().with_closures([(20, 30)])
        assert once.with_closures([(60, 70)]).between(10, 80) == 50
        assert (once.between(10, 80), Calendar.always().between(10, 80)) == (60, 70)
        assert once.with_closures([(22, 28)]) is once

    def test_a_closure_of_everything_leaves_answers_finite(self) -> None:
        calendar = office().with_closures([(0, 1 << 61)])
        assert calendar.between(at("1990-01-01T00:00Z"), at("2100-01-01T00:00Z")) == 0
        assert calendar.due(at("2026-01-01T00:00Z"), HOUR) < 1 << 62


class TestDays:
    def test_working_days(self) -> None:
        """Fri 2026-11-20 10:00: Mon, Tue, Wed -> Wed 18:00."""
        assert office().working_days(at("2026-11-20T10:00+08:00"), 3) == at("2026-11-25T18:00+08:00")
        assert office().working_days(at("2026-11-22T10:00+08:00"), 1) == at("2026-11-23T18:00+08:00")

    def test_working_days_skip_holidays_and_count_make_up_days(self) -> None:
        """Wed 30 Sep 2026: Thu 8, Fri 9, Sat 10 (worked)."""
        assert office("CN").working_days(at("2026-09-30T23:59+08:00"), 3) == at("2026-10-10T18:00+08:00")

    def test_a_day_closed_ad_hoc_is_no_working_day(self) -> None:
        monday = (at("2026-11-23T00:00+08:00"), at("2026-11-24T00:00+08:00"))
        afternoon = (at("2026-11-24T12:00+08:00"), at("2026-11-25T00:00+08:00"))
        calendar = office().with_closures([monday, afternoon])
        assert calendar.working_days(at("2026-11-20T10:00+08:00"), 1) == at("2026-11-24T12:00+08:00")

    def test_a_nights_working_day_closes_in_the_morning(self) -> None:
        assert nights().working_days(at("2026-11-18T23:00+08:00"), 2) == at("2026-11-21T06:00+08:00")

    def test_every_day_is_a_working_day_round_the_clock(self) -> None:
        assert Calendar.always("UTC").working_days(at("2026-11-20T10:00Z"), 2) == at("2026-11-23T00:00Z")

    def test_the_local_day_decides(self) -> None:
        """Thu 16:30 UTC is Friday in Shanghai."""
        assert office().working_days(at("2026-11-19T16:30Z"), 1) == at("2026-11-23T18:00+08:00")

    def test_fewer_than_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            office().working_days(0, 0)

    def test_calendar_days_keep_the_wall_time(self) -> None:
        berlin = Calendar.always("Europe/Berlin")
        assert berlin.calendar_days(at("2026-03-28T12:00+01:00"), 15) == at("2026-04-12T12:00+02:00")
        assert berlin.calendar_days(at("2026-03-28T02:30+01:00"), 1) == at("2026-03-29T03:00+02:00")  # the jump
        assert berlin.calendar_days(at("2026-10-24T02:30+02:00"), 1) == at("2026-10-25T02:30+02:00")  # the first
        assert berlin.calendar_days(123, 0) == 123
