"""The opening hours of one local day: weekly hours, holidays, make-up working days, daylight saving.

`OpeningHours` handles single days; `streams.desk.calendars.business_time` joins them and does the arithmetic.

A wall time names **the first instant at which the local clock has reached it**, so it always names one instant:

    spring, 02:00 jumps to 03:00       01:59 | 03:00         02:30 is skipped: it names the jump
    autumn, 03:00 falls to 02:00       02:00 .. 03:00 | 02:00 .. 03:00     02:30 occurs twice: the first counts

"00:00-24:00" has 23 hours on the first of these days, and 25 on the second.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays as holiday_data

from streams.models.instants import EPOCH

Span = tuple[int, int]
"""An open span [opens_at, closes_at), in ms since the epoch."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MILLISECOND = timedelta(milliseconds=1)
DAY_MINUTES = 24 * 60
_INTERVAL = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)")
_COUNTRY = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,4})?")


def instant(wall: datetime, zone: ZoneInfo) -> int:
    """Return the first instant (ms) at which the clock of `zone` has reached the naive date and time `wall`."""
    first = wall.replace(tzinfo=zone, fold=0)
    second = wall.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before is None or after is None or before >= after:  # unique, or shown twice: the first
        return (first - EPOCH) // MILLISECOND
    low, high = (second - EPOCH) // MILLISECOND, (first - EPOCH) // MILLISECOND  # skipped: the jump is in (low, high]
    while high - low > 1:
        middle = (low + high) // 2
        if (EPOCH + middle * MILLISECOND).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def parse_interval(text: str) -> tuple[int, int]:
    """Return "09:00-12:30" as minutes (540, 750) of the day; "22:00-06:00" ends on the next day: (1320, 1800).

    Raises ValueError with what was expected.
    """
    found = _INTERVAL.fullmatch(text)
    if found:
        opens = int(found[1]) * 60 + int(found[2])
        closes = int(found[3]) * 60 + int(found[4])
        if opens < DAY_MINUTES and closes <= DAY_MINUTES and opens != closes:
            return (opens, closes) if opens < closes else (opens, closes + DAY_MINUTES)
    raise ValueError(f'expected an interval such as "09:00-12:30", "22:00-06:00" or "00:00-24:00", found "{text}"')


def merge(spans: Iterable[Span]) -> list[Span]:
    """Return the union of spans in any order: sorted, disjoint, touching ones joined, empty ones dropped."""
    merged: list[Span] = []
    for opens, closes in sorted(spans):
        if opens >= closes:
            continue
        if merged and opens <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], closes))
        else:
            merged.append((opens, closes))
    return merged


class DaysOff:
    """The holidays and the extra working days.

    `entries`: ISO countries ("CN", with a subdivision "DE-BY") and single dates ("2026-10-01");
    `extra_working_days`: dates. The policy's own dates take precedence over the country's rules, and a country's
    make-up working days over its holidays.

    Countries come from the `holidays` library. Its make-up working days are `HolidayBase.weekend_workdays`
    (holidays 0.109, holiday_base.py), filled from the notices of China's State Council for 2001 to 2026
    (countries/china.py); for later years it knows the festivals, but no shifted days off and no make-up days, until
    it is updated.
    """

    def __init__(self, entries: Sequence[str] = (), extra_working_days: Sequence[str] = ()) -> None:
        """Raise ValueError for an unknown country, a malformed date, or a date named as both."""
        self._countries = [_country(entry) for entry in entries if not entry[:1].isdigit()]
        self._holidays = frozenset(_date(entry) for entry in entries if entry[:1].isdigit())
        self._working = frozenset(_date(entry) for entry in extra_working_days)
        if both := self._holidays & self._working:
            raise ValueError(f"expected {min(both)} to be either a holiday or an extra working day, found both")

    def is_extra_working(self, day: date) -> bool:
        """Return whether `day` is a working day with Monday's hours, whatever its weekday."""
        if day in self._working or day in self._holidays:
            return day in self._working
        # `day in country` makes the library compute that year, which fills `weekend_workdays` too.
        return any((day in country or True) and day in country.weekend_workdays for country in self._countries)

    def is_holiday(self, day: date) -> bool:
        """Return whether `day` is a holiday. Call it only for days that are not extra working days."""
        return day in self._holidays or any(day in country for country in self._countries)


class OpeningHours:
    """The hours of a desk: any number of wall-time intervals for each weekday, in one zone, without the days off.

    An overnight interval belongs to the day on which it starts: the night before a holiday runs into it, and the
    holiday's own night is closed. Overlapping intervals are merged. Raises ValueError for hours that are never open.
    """

    def __init__(self, zone: ZoneInfo, week: Mapping[str, Sequence[str]], days_off: DaysOff | None = None) -> None:
        self.zone = zone
        self._week = [[parse_interval(text) for text in week.get(name, ())] for name in WEEKDAYS]
        self._days_off = days_off
        if unknown := set(week) - set(WEEKDAYS):
            raise ValueError(f'expected the days {", ".join(WEEKDAYS)}, found "{min(unknown)}"')
        if not any(self._week):
            raise ValueError("expected at least one interval of opening hours in the week, found none")

    def intervals(self, day: date) -> list[tuple[int, int]]:
        """Return the wall-clock intervals that start on `day`, in minutes of that day."""
        if self._days_off is not None:
            if self._days_off.is_extra_working(day):
                return self._week[0]
            if self._days_off.is_holiday(day):
                return []
        return self._week[day.weekday()]

    def spans(self, day: date) -> list[Span]:
        """Return the open spans that start on the local day `day`, in order and disjoint."""
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (a wall time: `instant` gives it its zone)
        return merge(
            (self._instant(midnight, opens), self._instant(midnight, closes)) for opens, closes in self.intervals(day)
        )

    def _instant(self, midnight: datetime, minutes: int) -> int:
        return instant(midnight + timedelta(minutes=minutes), self.zone)

    def local(self, at: int) -> datetime:
        """Return the naive wall time of the instant `at` (ms)."""
        return (EPOCH + at * MILLISECOND).astimezone(self.zone).replace(tzinfo=None, fold=0)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'expected a date such as "2026-10-01", found "{text}"') from None


def _country(code: str) -> holiday_data.HolidayBase:
    expected = f'expected an ISO country such as "CN" or "DE-BY", or a date such as "2026-10-01", found "{code}"'
    if not _COUNTRY.fullmatch(code):
        raise ValueError(expected)
    country, _, subdivision = code.partition("-")
    try:
        return holiday_data.country_holidays(country, subdiv=subdivision or None)
    except NotImplementedError:
        raise ValueError(expected) from None
