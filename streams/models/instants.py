"""Instants on the wire (RFC 3339) and inside (whole milliseconds since the epoch, UTC)."""

import re
from datetime import UTC, datetime, timedelta
from typing import TypeVar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) * 1000
LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
QUARTER, WEEK = HOUR // 4, 7 * DAY

Key = TypeVar("Key")
Value = TypeVar("Value")
_SHAPE = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MINUTES: dict[str, int] = {}  # "2026-10-12T08:35:" -> its instant, were it UTC; most events share a minute with others
_RESTS: dict[str, int] = {}  # "02+08:00", "02.125Z" -> ms to add: seconds minus the offset
_TEXTS: dict[int, str] = {}  # instant of a minute -> its text in UTC
_REMEMBERED = 65_000  # a minute has 60,000 different rests in ms


def parse_instant(text: str) -> int:
    """The instant of an RFC 3339 `text`, truncated to the millisecond.

    Raises ValueError if the text is not RFC 3339, has no offset, or lies outside 1990-2100.
    """
    minute = _MINUTES.get(text[:17])
    if minute is not None:
        rest = _RESTS.get(text[17:])
        if rest is not None:
            return minute + rest
    return _parse_slowly(text)


def _parse_slowly(text: str) -> int:
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"time {text[:40]!r} is not RFC 3339 with an offset, such as 2026-10-12T08:35:02+08:00")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    if second > 60:
        raise ValueError(f"time {text[:40]!r} has no such second")
    try:
        base = (datetime(year, month, day, hour, minute, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise ValueError(f"time {text[:40]!r} names no day of the calendar") from None
    rest = second * 1000 + int((found[7] or ".0")[1:4].ljust(3, "0")) - _offset(found[8])
    if not EARLIEST <= base + rest < LATEST:
        raise ValueError(f"time {text[:40]!r} is outside the years 1990 to 2100")
    if EARLIEST + DAY <= base < LATEST - DAY:  # then it is inside with any rest
        _remember(_MINUTES, text[:17], base)
        _remember(_RESTS, text[17:], rest)
    return base + rest


def _offset(offset: str) -> int:
    """The ms that local time is ahead of UTC."""
    if offset in "Zz":
        return 0
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(f"offset {offset!r} does not exist")
    return (1 if offset[0] == "+" else -1) * (hours * HOUR + minutes * MINUTE)


def _remember(known: dict[Key, Value], key: Key, value: Value) -> Value:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
    return value


def format_instant(at: int) -> str:
    """RFC 3339 in UTC with milliseconds, e.g. `2026-10-12T00:35:02.000Z`."""
    minutes, rest = divmod(at, MINUTE)
    minute = _TEXTS.get(minutes)
    if minute is None:
        minute = _remember(_TEXTS, minutes, (EPOCH + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:"))
    return f"{minute}{rest // 1000:02d}.{rest % 1000:03d}Z"


NEVER = 1 << 62
