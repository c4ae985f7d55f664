"""Values of a policy file without a TOML type: "15m", 0.75 of a target, a time zone, opening hours, dates.

msgspec calls `decode` for each. The ValueError says what was expected; msgspec adds the path of the key.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from streams.desk.calendars.opening_hours import MILLISECOND, parse_interval
from streams.models.instants import EPOCH

Unit = Literal["s", "m", "h", "d", "wd", "cd"]

_UNIT_MS: dict[str, int] = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "cd": 86_400_000}
_LONGEST_MS = 3_650 * 86_400_000
_DURATION = re.compile(r"(\d{1,9})(s|m|h|d|wd|cd)")


class Duration:
    """A target: `amount` of `unit`; `ms`: its length, or 0 for `wd` and `cd`. Immutable.

    s, m, h, d  business time of the SLA's calendar (d only if it is 24x7)
    wd          to the close of the n-th working day after the day of the start
    cd          n days of the wall calendar, open or not
    """

    # Not a struct or dataclass: msgspec (0.22) would read those from a table, and not call `dec_hook`.
    __slots__ = ("amount", "ms", "unit")

    def __init__(self, amount: int, unit: Unit) -> None:
        self.amount = amount
        self.unit = unit
        self.ms = 0 if unit in ("wd", "cd") else amount * _UNIT_MS[unit]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and (self.amount, self.unit) == (other.amount, other.unit)

    def __hash__(self) -> int:
        return hash((self.amount, self.unit))

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"

    def __repr__(self) -> str:
        return f"Duration({self})"


class Milliseconds(int):
    """A length of plain time in ms; a policy file writes it as "20s", "2h", "90d" or "90cd" (24 h each)."""


class Millionths(int):
    """A share of 1 in whole millionths; a policy file writes it as a number from 0 to 1."""


class TimeZone(str):
    """An IANA time zone."""


class Interval(str):
    """Opening hours such as "09:00-12:30"."""


class Days(tuple[str, ...]):
    """Dates and, for holidays, countries; the file may write a single one without a list, and dates without quotes."""


class Instant(int):
    """An instant in ms; the file writes RFC 3339 with an offset."""


class Targets(dict[str, Duration]):
    """Targets by priority; a single one for all priorities has the key ""."""


class ByPriority(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One target for each priority; a priority without one has no clock."""

    urgent: Duration | None = None
    high: Duration | None = None
    normal: Duration | None = None
    low: Duration | None = None


def parse_duration(value: object) -> Duration:
    """Return a target's duration. Raises ValueError with what was expected: a positive one of at most ten years."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found:
        amount, unit = int(found[1]), found[2]
        if 0 < amount * _UNIT_MS.get(unit, _UNIT_MS["cd"]) <= _LONGEST_MS:
            return Duration(amount, unit)  # type: ignore[arg-type]  # the pattern admits units only
    raise ValueError(
        f"expected a duration such as 90s, 15m, 8h, 2d, 3wd or 15cd (10 years at most), found {_show(value)}"
    )


def parse_milliseconds(value: object) -> Milliseconds:
    """Return a length of plain time, 0 allowed. Raises ValueError with what was expected."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found and found[2] in _UNIT_MS:
        ms = int(found[1]) * _UNIT_MS[found[2]]
        if ms <= _LONGEST_MS:
            return Milliseconds(ms)
    raise ValueError(
        f"expected a length of time such as 20s, 15m, 24h or 90cd (10 years at most), found {_show(value)}"
    )


def parse_millionths(value: object) -> Millionths:
    """Return a share, rounded to a millionth. Raises ValueError with what was expected."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return Millionths(round(value * 1_000_000))
    raise ValueError(f"expected a share from 0 to 1, found {_show(value)}")


def decode(kind: type, value: Any) -> Any:
    """Build the values without a TOML type (msgspec's `dec_hook`). Raises ValueError with what was expected."""
    return _DECODERS[kind](value)


def _time_zone(value: object) -> TimeZone:
    try:
        return TimeZone(ZoneInfo(value).key if isinstance(value, str) else ZoneInfo("").key)
    except (KeyError, ValueError, OSError):  # OSError: a directory of the zone database, such as "Europe"
        raise ValueError(f'expected a time zone such as "Asia/Shanghai", found {_show(value)}') from None


def _interval(value: object) -> Interval:
    parse_interval(str(value))
    return Interval(value)


def _days(value: object) -> Days:
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, (str, date)) and not isinstance(entry, datetime) for entry in entries):
        raise ValueError(f"expected a text or a list of them, found {_show(value)}")
    return Days(str(entry) for entry in entries)


def _instant(value: object) -> Instant:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        at = None
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise ValueError(f'expected a time with its offset such as "2026-11-22T00:00:00+08:00", found {_show(value)}')
    return Instant((at - EPOCH) // MILLISECOND)


def _targets(value: object) -> Targets:
    if not isinstance(value, dict):
        return Targets({"": parse_duration(value)})
    try:
        table = msgspec.convert(value, ByPriority, dec_hook=decode)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None  # a plain ValueError gets the path of this table, a ValidationError none
    targets = ((priority, getattr(table, priority)) for priority in ByPriority.__struct_fields__)
    return Targets({priority: target for priority, target in targets if target is not None})


def _show(value: object) -> str:
    return f'"{value[:40]}"' if isinstance(value, str) else str(value)[:40]


_DECODERS: dict[type, Callable[[object], Any]] = {
    Duration: parse_duration,
    Milliseconds: parse_milliseconds,
    Millionths: parse_millionths,
    TimeZone: _time_zone,
    Interval: _interval,
    Days: _days,
    Instant: _instant,
    Targets: _targets,
}
