"""Worked examples of business time, every figure reckoned by hand."""

from typing import Any

import pytest

from tests.naive.calendars import Calendar
from tests.naive.desk import MINUTE, OFFICE_DAY, at
from tests.naive.log import instant

HOUR = 60
DAY = 24 * HOUR
EVERY_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORKDAYS = EVERY_DAY[:5]


class TestCalendar:
    def office(self, **rest: Any) -> Calendar:
        closures = rest.pop("closures", [])
        return Calendar({"timezone": "UTC", "hours": dict.fromkeys(WORKDAYS, OFFICE_DAY)} | rest, "UTC", closures)

    def test_lunch_is_no_business_time(self) -> None:
        """
        9:00 ====== 12:00 ...... 13:30 ============ 18:00
                11:00 |------------------| 14:00             60 + 30 min
        """
        office = self.office()
        assert office.business_ms(at(11 * HOUR), at(14 * HOUR)) == 90 * MINUTE
        assert office.due(at(11 * HOUR), 60 * MINUTE) == at(12 * HOUR)  # the earliest instant, not 13:30
        assert office.due(at(11 * HOUR), 60 * MINUTE + 1) == at(13 * HOUR + 30) + 1
        assert office.due(at(3 * HOUR), 0) == at(3 * HOUR)

    def test_a_weekend_is_no_business_time(self) -> None:
        """
        Fri 17:00 ===== 18:00 ...... Sat ...... Sun ...... Mon 9:00 ===== 10:00
        """
        friday = 4 * DAY + 17 * HOUR
        assert self.office().due(at(friday), 120 * MINUTE) == at(7 * DAY + 10 * HOUR)

    def test_midnight_is_open_in_24x7(self) -> None:
        """
        Mon 23:59 ==== 24:00 | 0:00 ==== Tue 0:01
        """
        always = Calendar({"hours": "24x7"}, "Asia/Shanghai", [])
        assert always.business_ms(at(DAY - 1), at(DAY + 1)) == 2 * MINUTE
        assert always.due(at(DAY - 1), 2 * MINUTE) == at(DAY + 1)

    @pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)])
    def test_days_of_daylight_saving(self, day: str, hours: int) -> None:
        """
        2026-03-29   00 01 03 04 ... 24        2026-10-25   00 01 02 02 03 ... 24
        """
        calendar = Calendar(
            {"timezone": "Europe/Berlin", "hours": {day: ["00:00-24:00"] for day in EVERY_DAY}}, "UTC", []
        )
        spans = calendar.open_spans(calendar.day_of(instant(f"{day}T12:00:00Z")))
        assert [closes - opens for opens, closes in spans] == [hours * HOUR * MINUTE]

    def test_china_works_on_a_make_up_saturday(self) -> None:
        """
        Wed 7 Oct holiday | Thu 8, Fri 9 work | Sat 10 make-up day, Monday's hours | Sun 11 free
                                    17:00 == 18:00 ... 9:00 == 10:00
        """
        china = self.office(timezone="Asia/Shanghai", holidays="CN")
        assert china.due(instant("2026-10-09T17:00+08:00"), 120 * MINUTE) == instant("2026-10-10T10:00+08:00")
        assert china.due(instant("2026-10-07T09:00+08:00"), 1) == instant("2026-10-08T09:00+08:00") + 1

    def test_a_closure_is_no_business_time(self) -> None:
        """
        9:00 === 10:00 xxxxxxx 11:00 === 12:00
        """
        office = self.office(closures=[(at(10 * HOUR), at(11 * HOUR))])
        assert office.business_ms(at(9 * HOUR), at(12 * HOUR)) == 120 * MINUTE
        assert office.due(at(9 * HOUR), 61 * MINUTE) == at(11 * HOUR + 1)

    def test_third_working_day(self) -> None:
        """
        Fri 8:00 start | Sat, Sun | Mon 1 | Tue 2 | Wed 3, closes 18:00
        """
        assert self.office().close_of_working_day(at(4 * DAY + 8 * HOUR), 3) == at(9 * DAY + 18 * HOUR)
