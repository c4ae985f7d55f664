"""The baseline: the usual number of contacts of a category at an hour of a weekday.

    week -2   ....[=======|window|===]....      references: whole quarters of an hour
    week -1   ....[=======|window|===]....
    now                   |window|              expected: the mean of the references, a window long

See `streams.desk.window_rules.surge` for how surges are judged by it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from streams.desk.saved import Entry, PendingEntries
from streams.models.instants import DAY, HOUR, QUARTER

Quarters = dict[int, int]  # number of a quarter of an hour -> contacts

BASELINE = b"u"  # first byte of a changelog key
REFERENCE_DAYS = (7, 14, 21, 28)
MIN_REFERENCES = 2  # with fewer, the six days before are used as well
AROUND = HOUR // 2  # added to a reference before and after the window
KEPT = 30 * DAY  # covers the references, and late contacts
HALF_HOUR_QUARTERS, DAY_QUARTERS = 2, DAY // QUARTER
DAY_BYTES = 100  # estimated size of a changed day in a snapshot

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Quarters).decode


class Expected(NamedTuple):
    """The expectation for a window: `mean` contacts, from `windows` references; variance = `dispersion` x mean."""

    mean: float
    windows: float
    dispersion: float


class Baseline:
    """Contacts by category and quarter of an hour. A saved part: one entry per category and day.

    `since`: the first quarter with any contact; the owner saves it.
    """

    prefix = BASELINE

    def __init__(self) -> None:
        self.since: int | None = None
        self._days: dict[str, dict[int, Quarters]] = {}  # category -> day -> contacts
        self._changed: set[tuple[str, int]] = set()  # category, day
        self._forgotten = PendingEntries()

    def __len__(self) -> int:
        """The number of categories."""
        return len(self._days)

    def add(self, category: str, minute: int, n: int) -> None:
        """Count contacts of a minute (ms), or subtract them (n < 0); without a category, they only set `since`."""
        quarter = minute // QUARTER
        if self.since is None or quarter < self.since:
            self.since = quarter
        if not category:
            return
        day = minute // DAY
        quarters = self._days.setdefault(category, {}).setdefault(day, {})
        quarters[quarter] = quarters.get(quarter, 0) + n
        self._changed.add((category, day))

    def begin(self, minutes: Iterable[int]) -> None:
        """Start the record at the first of these minutes (ms)."""
        self.since = min((minute // QUARTER for minute in minutes), default=None)

    def forget(self, before: int) -> None:
        """Forget the days that end before an instant."""
        gone = [(category, day) for category, days in self._days.items() for day in days if (day + 1) * DAY <= before]
        for category, day in gone:
            days = self._days[category]
            del days[day]
            if not days:
                del self._days[category]
            self._changed.discard((category, day))
            self._forgotten.put(_key(category, day), None)

    def expected(self, category: str, at: int, width: int, zone: ZoneInfo) -> Expected | None:
        """The expectation for the window [at - width, at); None if the record is too short."""
        found: list[_Reference] = []
        for days in REFERENCE_DAYS:
            found += self._reference(category, at, width, days, zone)
        for days in range(1, 7) if len(found) < MIN_REFERENCES else ():
            found += self._reference(category, at, width, days, zone)
        if not found:
            return None
        windows = sum(each.quarters for each in found) * QUARTER / width
        around = (sum(each.contacts for each in found) + 0.5) / windows
        within = sum(each.within for each in found) * width / (sum(each.quarters_within for each in found) * QUARTER)
        return Expected(max(around, within), windows, 1.0)

    def dispersion(self, category: str, at: int) -> float:
        """The variance as a multiple of Poisson's: compares the half-hours of the past week with those a week earlier.

        Two Poisson counts a, b of one mean have an expected (a - b)² of a + b. The median of the seven days counts: a
        holiday, an outage or a surge affects one day. A record under two weeks compares day with day. At least 1.
        """
        if self.since is None:
            return 1.0
        end = at // QUARTER - DAY_QUARTERS
        lag = 7 * DAY_QUARTERS if end - 14 * DAY_QUARTERS >= self.since else DAY_QUARTERS
        days, found = self._days.get(category, {}), []
        for last in range(end, max(end - 7 * DAY_QUARTERS, self.since + lag), -DAY_QUARTERS):
            squares = total = 0
            for first in range(
                max(last - DAY_QUARTERS, self.since + lag), last - HALF_HOUR_QUARTERS + 1, HALF_HOUR_QUARTERS
            ):
                a = _between(days, first, first + HALF_HOUR_QUARTERS)
                b = _between(days, first - lag, first - lag + HALF_HOUR_QUARTERS)
                squares += (a - b) ** 2
                total += a + b
            if total:
                found.append(squares / total)
        return max(1.0, median(found)) if found else 1.0

    def _reference(self, category: str, at: int, width: int, days: int, zone: ZoneInfo) -> list["_Reference"]:
        """The reference `days` earlier, at the same wall time; none before the record."""
        then = _days_before(at, days, zone)
        first, last = (then - width - AROUND) // QUARTER, (then + AROUND) // QUARTER
        if self.since is None or first < self.since:
            return []
        counts, begin, end = self._days.get(category, {}), (then - width) // QUARTER, -(-then // QUARTER)
        return [_Reference(_between(counts, first, last), last - first, _between(counts, begin, end), end - begin)]

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed since the last snapshot."""
        return bool(self._changed or self._forgotten.entries)

    def pending_bytes(self) -> int:
        """The approximate size of the changes since the last snapshot, bytes."""
        return len(self._changed) * DAY_BYTES + self._forgotten.bytes

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`."""
        category, day = _parse_key(key)
        if value is not None:
            self._days.setdefault(category, {})[day] = _decode(value)
        elif category in self._days:
            self._days[category].pop(day, None)

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        category, day = _parse_key(key)
        quarters = self._days.get(category, {}).get(day)
        return None if quarters is None else _encode(quarters)

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`."""
        keys = [_key(category, day) for category, day in self._changed]
        self._changed = set()
        return [*self._forgotten.take(), *((key, self.value(key)) for key in keys)]


class _Reference(NamedTuple):
    """Contacts and quarters of the window with its surroundings, and of the window alone."""

    contacts: int
    quarters: int
    within: int
    quarters_within: int


def _between(days: dict[int, Quarters], first: int, last: int) -> int:
    """The contacts of the quarters [first, last)."""
    quarters = days.get(first // DAY_QUARTERS)
    if first // DAY_QUARTERS == (last - 1) // DAY_QUARTERS:
        return sum(quarters.get(quarter, 0) for quarter in range(first, last)) if quarters else 0
    return sum(days.get(quarter // DAY_QUARTERS, {}).get(quarter, 0) for quarter in range(first, last))


def _days_before(at: int, days: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(at // 1000, zone) - timedelta(days=days)
    return int(local.timestamp()) * 1000


def _key(category: str, day: int) -> bytes:
    return BASELINE + f"{day}/{category}".encode()


def _parse_key(key: bytes) -> tuple[str, int]:
    day, _, category = key[1:].decode().partition("/")
    return category, int(day)
