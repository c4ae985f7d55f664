"""The desk's days, hours and quarter hours, found by looking at a clock minute by minute.

"Days are the desk's (`timezone`), hours and quarter hours too, in every view, command and report. A row carries the
instant at which its local interval begins; a repeated hour is two rows; where the offset changes by half an hour one
interval has 30 or 90 minutes."

Reading: an hour or quarter begins whenever the local clock comes to a full one, or jumps into another one. A day is all
that has its date, and begins with the first instant that does.

    Berlin, 25 October    01:00     02:00     02:00     03:00      the repeated hour is two rows
    Lord Howe, 4 October  01:00     02:30 03:00                    the hour 2 has 30 minutes
    Lord Howe, 5 April    01:00  (02:00 = 01:30)  02:00            the hour 1 has 90 minutes
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from tests.naive.log import EPOCH, MILLISECOND
from tests.naive.policies import Desk

MINUTE_MS = 60_000
UNIT_MINUTES = {"hour": 60, "quarter": 15}

CountedFact = tuple[int, dict[str, str], str, int]
Row = dict[str, Any]


def local(at: int, zone: ZoneInfo) -> datetime:
    """What the clock on the desk's wall shows."""
    return (EPOCH + at * MILLISECOND).astimezone(zone)


def interval(at: int, unit: str, zone: ZoneInfo) -> tuple[Any, ...]:
    """The date, hour and quarter that the clock shows."""
    now = local(at, zone)
    return now.date(), now.hour, now.minute // UNIT_MINUTES[unit]


@cache
def first_instant(day: date, zone: ZoneInfo) -> int:
    """The first instant that has a date, by looking at every minute from long before on."""
    at = (datetime(day.year, day.month, day.day, tzinfo=UTC) - EPOCH) // MILLISECOND - 26 * 60 * MINUTE_MS
    while local(at, zone).date() != day:
        at += MINUTE_MS
    return at


@cache
def begin_of_minute(minute: int, unit: str, zone: ZoneInfo) -> int:
    """The begin of the hour or quarter in which a full minute is."""
    at = minute
    while local(at, zone).minute % UNIT_MINUTES[unit]:
        if interval(at, unit, zone) != interval(at - MINUTE_MS, unit, zone):
            break  # the clock jumped
        at -= MINUTE_MS
    return at


def begin(at: int, unit: str, zone: ZoneInfo) -> int:
    """The instant at which the local `day`, `hour` or `quarter` of an instant begins; its `minute` is no local one."""
    minute = at - at % MINUTE_MS
    if unit == "day":
        return first_instant(local(at, zone).date(), zone)
    return minute if unit == "minute" else begin_of_minute(minute, unit, zone)


def by_interval(
    facts: Iterable[CountedFact], unit: str, desk: Desk, dimensions: Sequence[str], counters: Sequence[str]
) -> list[Row]:
    """Sums of facts by interval (its begin under the unit's name) and dimensions; a row of zeros is none."""
    sums: dict[tuple[Any, ...], Row] = {}
    for at, dims, counter, value in facts:
        key = (begin(at, unit, desk.in_force(at).zone), *(dims[name] for name in dimensions))
        row = sums.setdefault(key, dict.fromkeys(counters, 0))
        if counter in row:
            row[counter] += value
    rows = [dict(zip((unit, *dimensions), key, strict=True)) | sums[key] for key in sorted(sums)]
    return [row for row in rows if any(row[counter] for counter in counters)]
