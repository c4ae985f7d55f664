"""Instants on the wire (RFC 3339) and inside (whole milliseconds since the epoch, UTC)."""

import re
from datetime import UTC, datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) * 1000
LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

_SHAPE = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MINUTES: dict[str, int] = {}  # "2026-10-12T00:35:" in UTC -> its instant; most events share a minute with others
_TEXTS: dict[int, str] = {}  # the inverse
_SECONDS = {f"{second:02d}Z": second * 1000 for second in range(60)}
_REMEMBERED = 50_000


def parse_instant(text: str) -> int:
    """The instant of an RFC 3339 `text`, kept to the millisecond (finer is cut).

    Raises ValueError if the text is not RFC 3339, has no offset, or lies outside 1990-2100.
    """
    minute = _MINUTES.get(text[:17])
    if minute is not None:
        second = _SECONDS.get(text[17:])  # 2026-10-12T00:35:02Z, the common form
        if second is not None:
            return minute + second
    return _parse_slowly(text)


def _parse_slowly(text: str) -> int:
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"time {text[:40]!r} is not RFC 3339 with an offset, such as 2026-10-12T08:35:02+08:00")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    offset = found[8].upper()
    zone = UTC if offset == "Z" else _zone(offset)
    if second > 60:
        raise ValueError(f"time {text[:40]!r} has no such second")
    try:
        base = (datetime(year, month, day, hour, minute, tzinfo=zone) - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise ValueError(f"time {text[:40]!r} names no day of the calendar") from None
    at = base + second * 1000 + int((found[7] or ".0")[1:4].ljust(3, "0"))
    if not EARLIEST <= at < LATEST:
        raise ValueError(f"time {text[:40]!r} is outside the years 1990 to 2100")
    if zone is UTC:
        if len(_MINUTES) >= _REMEMBERED:
            _MINUTES.clear()
        _MINUTES[text[:17]] = base
    return at


def _zone(offset: str) -> timezone:
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(f"offset {offset!r} does not exist")
    return timezone((1 if offset[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def format_instant(at: int) -> str:
    """RFC 3339 in UTC with milliseconds, e.g. `2026-10-12T00:35:02.000Z`."""
    minutes, rest = divmod(at, MINUTE)
    minute = _TEXTS.get(minutes)
    if minute is None:
        if len(_TEXTS) >= _REMEMBERED:
            _TEXTS.clear()
        minute = _TEXTS[minutes] = (EPOCH + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:")
    return f"{minute}{rest // 1000:02d}.{rest % 1000:03d}Z"
