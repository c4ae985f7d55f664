"""The desk's local intervals: in which hour, quarter or day of its own time zone an instant lies, and when that began.

An interval begins when the local clock reaches a whole hour (quarter, midnight), also by a jump over it or onto it:

    forward an hour      01:00 ─ 02:00→03:00 ─ 04:00        no hour 2
    back an hour         01:00 ─ 02:00→01:00 ─ 02:00        hour 1 twice: two intervals
    forward half (+30)   01:00 ─ 02:00→02:30 ─ 03:00        hour 2 has 30 minutes
    back half (-30)      01:00 ─ 02:00→01:30 ─ 02:00        hour 1 has 90 minutes

The desk's zone is that of the policy in force, so a switch of the policy may move the clock as well.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.models.instants import DAY, EARLIEST, HOUR, LATEST, QUARTER, WEEK

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DATE = date(1970, 1, 1)


class OffsetSpan(NamedTuple):
    """A stretch of time with one offset from UTC (ms); and when the intervals began that run at its start."""

    from_at: int
    offset: int
    quarter_at: int
    hour_at: int
    day_at: int

    def begin(self, at: int, unit: int) -> int:
        """When the interval of `unit` ms (QUARTER, HOUR, DAY) began in which the instant `at` of this span lies."""
        began_at = at - (at + self.offset) % unit
        if began_at >= self.from_at:
            return began_at
        return {QUARTER: self.quarter_at, HOUR: self.hour_at, DAY: self.day_at}[unit]


class LocalTime:
    """The local time of a desk. `zones`: (instant in ms, zone) in order; the first one holds before that, too."""

    def __init__(self, zones: Sequence[tuple[int, ZoneInfo]]) -> None:
        self.spans = _spans(zones)
        self._froms = [span.from_at for span in self.spans]

    def span(self, at: int) -> OffsetSpan:
        """The span in which an instant lies."""
        return self.spans[max(0, bisect_right(self._froms, at) - 1)]

    def begin(self, at: int, unit: int) -> int:
        """When the local interval of `unit` ms (QUARTER, HOUR or DAY) began in which the instant `at` lies."""
        return self.span(at).begin(at, unit)

    def day(self, at: int) -> date:
        """The local date of an instant."""
        return _FIRST_DATE + timedelta(days=(at + self.span(at).offset) // DAY)


@lru_cache(maxsize=16)
def local_time(*zones: tuple[int, ZoneInfo]) -> LocalTime:
    """The local time of a desk with these zones; the same for all policies that have them: it takes 30 ms to build."""
    return LocalTime(zones)


def _spans(zones: Sequence[tuple[int, ZoneInfo]]) -> list[OffsetSpan]:
    spans: list[OffsetSpan] = []
    for n, (zone_from, zone) in enumerate(zones):
        begins = EARLIEST - DAY if n == 0 else zone_from
        ends = zones[n + 1][0] if n + 1 < len(zones) else LATEST + DAY
        for from_at, offset in _offsets(zone, begins, ends):
            if not spans:
                spans.append(OffsetSpan(from_at, offset, from_at, from_at, from_at))
            elif offset != spans[-1].offset:
                quarter_at, hour_at, day_at = (_running(spans[-1], from_at, offset, u) for u in (QUARTER, HOUR, DAY))
                spans.append(OffsetSpan(from_at, offset, quarter_at, hour_at, day_at))
    return spans


def _running(before: OffsetSpan, at: int, offset: int, unit: int) -> int:
    """When the interval began that runs at the instant `at`, at which the offset changes from that `before`."""
    reached, now = at + before.offset, at + offset  # the local clock, by the old and by the new offset
    if now // unit * unit >= reached or now % unit == 0:
        return at
    return before.begin(at - 1, unit)


def _offsets(zone: ZoneInfo, begins: int, ends: int) -> list[tuple[int, int]]:
    """(instant, offset in ms) of each change of a zone's offset in [begins, ends), and of the beginning."""
    found = [(begins, _offset(zone, begins))]
    for week in range(begins, ends, WEEK):  # no zone has had two changes within one week since 1990
        low, high = week, min(week + WEEK, ends - 1)
        if _offset(zone, high) == found[-1][1]:
            continue
        while high - low > 1000:  # changes are at whole seconds
            middle = (low + high) // 2000 * 1000
            if _offset(zone, middle) == found[-1][1]:
                low = middle
            else:
                high = middle
        found.append((high // 1000 * 1000, _offset(zone, high)))
    return found


def _offset(zone: ZoneInfo, at: int) -> int:
    local = (_EPOCH + timedelta(milliseconds=at)).astimezone(zone).utcoffset()
    assert local is not None
    return local // timedelta(milliseconds=1)
