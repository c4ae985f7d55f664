"""The beginning of the local day that an instant lies in."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from streams.models.instants import QUARTER

MAX_REMEMBERED_QUARTERS = 100_000


class LocalDays:
    """The first instant (ms) of the local day of an instant. `timezone`: the zone's name at an instant.

    Results are cached by quarter of an hour: time zones differ by whole quarters.
    """

    def __init__(self, timezone: Callable[[int], str]) -> None:
        self._timezone = timezone
        self._starts: dict[int, int] = {}

    def __call__(self, at: int) -> int:
        """Return the first instant of the day of `at`."""
        quarter = at // QUARTER
        start = self._starts.get(quarter)
        if start is None:
            zone = ZoneInfo(self._timezone(at))
            local = datetime.fromtimestamp(quarter * QUARTER // 1000, zone)
            start = int(local.replace(hour=0, minute=0, second=0, fold=0).timestamp()) * 1000
            if len(self._starts) > MAX_REMEMBERED_QUARTERS:
                self._starts.clear()
            self._starts[quarter] = start
        return start
