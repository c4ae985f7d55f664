"""Business time: the open time of a calendar between two instants, and the instant at which a duration has passed.

    open          ####----####            ####----####
    instant      a  |          b
    between      ^^^      ^^^^                              between(a, b): the open time in [a, b)
    due          a .......... t                             due(a, d): the first t with between(a, t) = d

Laws (tests/desk/test_calendar_laws.py): between(a, c) = between(a, b) + between(b, c) for a <= b <= c, and
between(a, due(a, d)) = d, with due(a, d) the earliest such instant.

The open spans are in sorted arrays, with the open time before each, so a query costs two binary searches. The arrays
grow by whole years (UTC) as queries reach them. Outside FIRST_YEAR..LAST_YEAR, where no event is valid, every calendar
counts as open round the clock, so every query has a finite answer.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.desk.calendars.opening_hours import (
    MILLISECOND,
    WEEKDAYS,
    DaysOff,
    OpeningHours,
    Span,
    instant,
    merge,
)
from streams.models.instants import DAY, EPOCH, NEVER

FIRST_YEAR, LAST_YEAR = 1969, 2105
_YEAR_STARTS = [(datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND for year in range(FIRST_YEAR, LAST_YEAR + 2)]
"""Block k of the arrays is [_YEAR_STARTS[k - 1], _YEAR_STARTS[k]); the first and the last block reach to -+NEVER."""
_LAST_BLOCK = len(_YEAR_STARTS)
_ORDINAL_EPOCH = date(1970, 1, 1).toordinal()


class Calendar:
    """The open time of a desk. Immutable for callers: it only caches the years that it computes.

    Build one with `Calendar.always` or `Calendar.weekly`; close it ad hoc with `with_closures`.
    """

    def __init__(
        self,
        hours: OpeningHours,
        closures: Sequence[Span] = (),
        years: "dict[int, _Year] | None" = None,
        *,
        round_the_clock: bool = False,
    ) -> None:
        """Use `always` or `weekly`. `closures`: sorted, disjoint; `years`: the shared cache, without closures."""
        self.round_the_clock = round_the_clock and not closures
        """Whether it is 24x7 without closures."""
        self._hours = hours
        self._closures = tuple(closures)
        self._years: dict[int, _Year] = {} if years is None else years
        # The arrays hold the blocks [_first_block, _next_block), which are the instants [_from, _to).
        self._first_block = self._next_block = 0
        self._from = self._to = 0
        self._base = 0  # open time at _from, from a fixed origin
        self._opens: list[int] = []
        self._closes: list[int] = []
        self._before: list[int] = []  # open time before each span, from the same origin
        self._days: list[int] = []  # ordinals of the working days of the same years, and when each closes
        self._days_closes: list[int] = []

    @staticmethod
    @lru_cache(maxsize=64)
    def always(timezone: str = "UTC") -> "Calendar":
        """Return the 24x7 calendar; its zone matters only for local days."""
        week = {day: ["00:00-24:00"] for day in WEEKDAYS}
        return Calendar(OpeningHours(ZoneInfo(timezone), week), round_the_clock=True)

    @staticmethod
    def weekly(
        hours: Mapping[str, Sequence[str]],
        timezone: str,
        holidays: Sequence[str] = (),
        extra_working_days: Sequence[str] = (),
    ) -> "Calendar":
        """Return a calendar of weekly hours, e.g. {"mon": ["09:00-12:00", "13:30-18:00"]}.

        `holidays`: ISO countries and dates, `extra_working_days`: dates (see `DaysOff`). Raises ValueError.
        """
        days_off = DaysOff(holidays, extra_working_days) if holidays or extra_working_days else None
        return Calendar(OpeningHours(ZoneInfo(timezone), hours, days_off))

    @property
    def timezone(self) -> str:
        """The zone of its wall times, an IANA name."""
        return self._hours.zone.key

    def with_closures(self, closures: Iterable[Span]) -> "Calendar":
        """Return this calendar, also closed in the spans [from_ms, to_ms); empty or inverted ones close nothing."""
        closed = merge([*self._closures, *closures])
        if tuple(closed) == self._closures:
            return self
        return Calendar(self._hours, closed, self._years)

    def between(self, a: int, b: int) -> int:
        """Return the open time in [a, b), in ms; 0 if b <= a."""
        if b <= a:
            return 0
        if self.round_the_clock:
            return b - a
        if a < self._from or b >= self._to:
            self._cover(a, b)
        return self._open_before(b) - self._open_before(a)

    def due(self, start: int, duration: int) -> int:
        """Return the earliest instant t >= start with between(start, t) >= duration (ms); `start` itself for none."""
        if duration <= 0:
            return start
        if self.round_the_clock:
            return start + duration
        if start < self._from or start >= self._to:
            self._cover(start, start)
        goal = self._open_before(start) + duration
        while True:
            i = bisect_left(self._before, goal) - 1  # the last span with less than the goal before it
            if i >= 0:
                t = self._opens[i] + goal - self._before[i]
                if t <= self._closes[i]:
                    return t
            self._extend_right(self._next_block)

    def spans(self, a: int, b: int) -> Iterator[Span]:
        """Yield the open spans (opens_at, closes_at) within [a, b), clipped to it, in order and disjoint."""
        if b <= a:
            return
        if self.round_the_clock:
            yield a, b
            return
        self._cover(a, b)
        span: Span | None = None
        for i in range(max(0, bisect_right(self._opens, a) - 1), bisect_left(self._opens, b)):
            opens, closes = max(a, self._opens[i]), min(b, self._closes[i])
            if opens >= closes:
                continue
            if span is not None and span[1] == opens:  # a span over New Year is in two blocks
                span = (span[0], closes)
                continue
            if span is not None:
                yield span
            span = (opens, closes)
        if span is not None:
            yield span

    def working_days(self, start: int, n: int) -> int:
        """Return the close of the n-th (n >= 1) working day after the local day of `start` (`3wd`).

            day        Fri         Sat  Sun   Mon       Tue
            open     #########              ########  ########
            start        ^                                   ^ working_days(start, 2)

        A working day is a local day on which an open span starts (without ad-hoc closures).
        """
        if n < 1:
            raise ValueError(f"a number of working days is at least 1, not {n}")
        today = self._hours.local(start).toordinal()
        self._cover(start, start)
        while True:
            i = bisect_right(self._days, today) + n - 1
            if i < len(self._days):
                return self._days_closes[i]
            if self._next_block > _LAST_BLOCK:  # past LAST_YEAR every day is open round the clock
                return _YEAR_STARTS[-1] + (i - len(self._days) + 1) * DAY
            self._extend_right(self._next_block)

    def calendar_days(self, start: int, n: int) -> int:
        """Return the instant `n` local days after `start`, at the same wall time (`15cd`), open or not."""
        return instant(self._hours.local(start) + timedelta(days=n), self._hours.zone) if n else start

    def _open_before(self, t: int) -> int:
        """Open time from the origin to `t`, which the arrays must cover."""
        i = bisect_right(self._opens, t) - 1
        if i < 0:
            return self._base
        closes = self._closes[i]
        return self._before[i] + (t if t < closes else closes) - self._opens[i]

    def _cover(self, a: int, b: int) -> None:
        """Extend the arrays to cover [a, b] (a <= b)."""
        first, last = bisect_right(_YEAR_STARTS, a), bisect_right(_YEAR_STARTS, b)
        if self._first_block == self._next_block:
            self._first_block = self._next_block = first
            self._from = _YEAR_STARTS[first - 1] if first else -NEVER
        if first < self._first_block:
            self._extend_left(first)
        if last >= self._next_block:
            self._extend_right(last)

    def _extend_right(self, last: int) -> None:
        """Append the blocks up to `last`."""
        total = self._before[-1] + self._closes[-1] - self._opens[-1] if self._opens else self._base
        for block in range(self._next_block, last + 1):
            for opens, closes in self._block(block):
                self._opens.append(opens)
                self._closes.append(closes)
                self._before.append(total)
                total += closes - opens
            for day, closes in self._working_days_of(block):
                self._days.append(day)
                self._days_closes.append(closes)
        self._next_block = last + 1
        self._to = _YEAR_STARTS[last] if last < _LAST_BLOCK else NEVER

    def _extend_left(self, first: int) -> None:
        """Prepend the blocks from `first` on."""
        earlier = Calendar(self._hours, self._closures, self._years)
        earlier._first_block = earlier._next_block = first
        earlier._extend_right(self._first_block - 1)
        length = sum(earlier._closes) - sum(earlier._opens)
        self._base -= length
        self._opens[:0] = earlier._opens
        self._closes[:0] = earlier._closes
        self._before[:0] = [self._base + before for before in earlier._before]
        self._days[:0] = earlier._days
        self._days_closes[:0] = earlier._days_closes
        self._first_block = first
        self._from = _YEAR_STARTS[first - 1] if first else -NEVER

    def _block(self, block: int) -> list[Span]:
        """The open spans of a block, without closures."""
        if block == 0:
            return [(-NEVER, _YEAR_STARTS[0])]
        if block == _LAST_BLOCK:
            return [(_YEAR_STARTS[-1], NEVER)]
        return _without(self._year(block).spans, self._closures)

    def _working_days_of(self, block: int) -> Iterator[tuple[int, int]]:
        """(ordinal, closing instant) of each working day of the block's year."""
        if not 0 < block < _LAST_BLOCK:
            return
        for ordinal, day in self._year(block).days:
            if spans := _without(day, self._closures):
                yield ordinal, spans[-1][1]

    def _year(self, block: int) -> "_Year":
        if block not in self._years:
            self._years[block] = _open_year(self._hours, block)
        return self._years[block]


class _Year(NamedTuple):
    """A year without closures: its open spans (by UTC), and the spans that start on each of its local days."""

    spans: list[Span]
    days: list[tuple[int, list[Span]]]


def _open_year(hours: OpeningHours, block: int) -> _Year:
    """Compute a year, including the neighbouring days that reach into it."""
    start, end = _YEAR_STARTS[block - 1], _YEAR_STARTS[block]
    first, last = start // DAY + _ORDINAL_EPOCH, end // DAY + _ORDINAL_EPOCH
    days = [(ordinal, hours.spans(date.fromordinal(ordinal))) for ordinal in range(first - 2, last + 2)]
    spans = merge((max(opens, start), min(closes, end)) for _, day in days for opens, closes in day)
    return _Year(spans, [(ordinal, day) for ordinal, day in days if first <= ordinal < last])


def _without(spans: list[Span], closures: Sequence[Span]) -> list[Span]:
    """`spans` minus `closures`, both sorted and disjoint."""
    if not closures or not spans:
        return spans
    left: list[Span] = []
    j = 0
    for opens, closes in spans:
        while j < len(closures) and closures[j][1] <= opens:
            j += 1
        k, at = j, opens
        while k < len(closures) and closures[k][0] < closes:
            if at < closures[k][0]:
                left.append((at, closures[k][0]))
            at = closures[k][1]
            k += 1
        if at < closes:
            left.append((at, closes))
    return left
