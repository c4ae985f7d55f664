"""Business time: the time that a calendar counts as open, found day by day."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from tests.naive.log import EPOCH, MILLISECOND

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ONE_DAY = timedelta(days=1)
DAY_MS = 24 * 3600 * 1000
FAR_AWAY_DAYS = 366 * 20

Span = tuple[int, int]


class Calendar:
    """A calendar of the policy: 24x7, or weekly hours with holidays; closures [from, to) are never open."""

    def __init__(self, spec: dict[str, Any], timezone: str, closures: Iterable[Span]) -> None:
        self.always = spec["hours"] == "24x7"
        self.zone = ZoneInfo("UTC" if self.always else spec.get("timezone", timezone))
        self.hours: dict[str, list[str]] = {day: ["00:00-24:00"] for day in WEEKDAYS} if self.always else spec["hours"]
        self.country = None if self.always else spec.get("holidays")
        self.holidays = holidays.country_holidays(self.country) if self.country else None
        self.closures = list(closures)
        self.known_days: dict[date, list[Span]] = {}

    def day_of(self, at: int) -> date:
        """The local day of an instant."""
        return (EPOCH + at * MILLISECOND).astimezone(self.zone).date()

    def instant_of(self, day: date, clock: str) -> int:
        """The instant at which a local clock shows "HH:MM"; "24:00" is the next day's midnight."""
        hour, minute = map(int, clock.split(":"))
        if hour == 24:
            day, hour = day + ONE_DAY, 0
        return (datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone) - EPOCH) // MILLISECOND

    def hours_of(self, day: date) -> list[str]:
        """Holidays are closed; China's make-up working days have Monday's hours; an absent day is closed."""
        if self.holidays is not None:
            # Some make-up days belong to a holiday of the next year: the library learns them with that year.
            known = [date(year, 1, 1) in self.holidays for year in (day.year - 1, day.year, day.year + 1)]
            if known and self.country == "CN" and day in self.holidays.weekend_workdays:
                return self.hours.get("mon", [])
            if day in self.holidays:
                return []
        return self.hours.get(WEEKDAYS[day.weekday()], [])

    def open_spans(self, day: date) -> list[Span]:
        """The open spans [from, to) of a local day, in order, none overlapping, none empty."""
        if day not in self.known_days:
            spans: list[Span] = []
            for interval in sorted(self.hours_of(day)):
                opens, closes = (self.instant_of(day, clock.strip()) for clock in interval.split("-"))
                opens = max(opens, spans[-1][1]) if spans else opens
                if opens < closes:
                    spans.append((opens, closes))
            for closure in self.closures:
                spans = [left for span in spans for left in without(span, closure)]
            self.known_days[day] = spans
        return self.known_days[day]

    def open_from(self, at: int) -> Iterator[Span]:
        """The open spans from the day before an instant on, for twenty years."""
        day = self.day_of(at) - ONE_DAY
        for _ in range(FAR_AWAY_DAYS):
            yield from self.open_spans(day)
            day += ONE_DAY

    def business_ms(self, start: int, end: int) -> int:
        """Open time within [start, end).

        hours   [9----12]   [13:30------18]
        span         11 |------------------| 14:00      1 h + 30 min
        """
        total = 0
        if end > start:
            for opens, closes in self.open_from(start):
                if opens >= end:
                    break
                total += max(0, min(closes, end) - max(opens, start))
        return total

    def due(self, at: int, remaining_ms: int) -> int | None:
        """The earliest instant, not before `at`, by which `remaining_ms` of open time have passed; None: never."""
        if remaining_ms <= 0:
            return at
        for opens, closes in self.open_from(at):
            open_ms = max(0, closes - max(opens, at))
            if open_ms >= remaining_ms:
                return max(opens, at) + remaining_ms
            remaining_ms -= open_ms
        return None

    def close_of_working_day(self, at: int, days: int) -> int:
        """The close of the n-th working day after the local day of an instant; a working day has any open time."""
        day = self.day_of(at)
        for _ in range(FAR_AWAY_DAYS):
            day += ONE_DAY
            if self.open_spans(day):
                days -= 1
                if days == 0:
                    return self.open_spans(day)[-1][1]
        raise ValueError(f"the calendar has no {days} working days after {at}")


def without(span: Span, closure: Span) -> list[Span]:
    """What a closure leaves of a span: nothing, one part or two."""
    before = (span[0], min(span[1], closure[0]))
    after = (max(span[0], closure[1]), span[1])
    return [part for part in ([span] if before == span or after == span else [before, after]) if part[0] < part[1]]
