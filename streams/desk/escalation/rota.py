"""A rota: the receiver on shift at an instant, and the gaps in its week. Pure.

mon   |----early----|----late----|.....gap.....|      hours are wall time in the rota's zone
      06:00         14:00        22:00         24:00
"""

from collections.abc import Iterator
from functools import lru_cache
from zoneinfo import ZoneInfo

from streams.desk.calendars.opening_hours import DAY_MINUTES, MILLISECOND, parse_interval
from streams.desk.policy.receivers import Rota
from streams.desk.policy.sections import WEEKDAYS
from streams.models.instants import EPOCH

WEEK_MINUTES = 7 * DAY_MINUTES


@lru_cache(maxsize=64)
def _shifts(rota: Rota) -> tuple[tuple[int, int, str], ...]:
    """(begins, ends, to) in minutes of the week, in the order of the shifts; ends may reach past the week."""
    spans = []
    for shift in rota.shifts:
        begins, ends = parse_interval(shift.hours)
        spans += [
            (WEEKDAYS.index(day) * DAY_MINUTES + begins, WEEKDAYS.index(day) * DAY_MINUTES + ends, shift.to)
            for day in shift.days
        ]
    return tuple(spans)


def on_shift(rota: Rota, at: int, timezone: str) -> str | None:
    """Return the receiver on shift at the instant `at` (ms); in a gap, `otherwise`; None if there is neither.

    `timezone`: the policy's, for a rota without its own.
    """
    local = (EPOCH + at * MILLISECOND).astimezone(ZoneInfo(rota.timezone or timezone))
    minute = local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute
    for begins, ends, to in _shifts(rota):
        if begins <= minute < ends or begins <= minute + WEEK_MINUTES < ends:
            return to
    return rota.otherwise


def gaps(rota: Rota) -> Iterator[str]:
    """Yield the gaps of the week, e.g. "mon 22:00 - tue 06:00", whether or not there is an `otherwise`."""
    covered = [False] * WEEK_MINUTES
    for begins, ends, _to in _shifts(rota):
        for minute in range(begins, ends):
            covered[minute % WEEK_MINUTES] = True
    since: int | None = None
    for minute in range(WEEK_MINUTES + 1):
        free = minute < WEEK_MINUTES and not covered[minute]
        if free and since is None:
            since = minute
        elif not free and since is not None:
            yield f"{_format_minute(since)} - {_format_minute(minute)}"
            since = None


def _format_minute(minute: int) -> str:
    day, rest = divmod(minute, DAY_MINUTES)
    return f"{WEEKDAYS[day % 7]} {rest // 60:02d}:{rest % 60:02d}"
