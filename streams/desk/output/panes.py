"""One-minute panes: all counts of a business minute, summed per single dimension.

A pane is opened by the first fact of its minute, and closed two days later (the longest window plus the allowed
lateness). A fact for a closed minute opens it again under a new number; the parts add up:

    minute 10:00  opened 17  {created: 4}      closed after two days
                  opened 93  {created: -1}     a correction a week later

Counts of an agent are in the pane of the local day's first minute, counts of arrivals in that of the quarter of an hour
(of which the hours of every time zone can be made).
"""

from collections.abc import Callable
from heapq import heappop, heappush

import msgspec

from streams.desk.output.pane_cache import KeyInterner, PackedPane, Pane, PaneCache
from streams.models.dimensions import dimensions_of
from streams.models.instants import DAY, MINUTE, QUARTER
from streams.models.rows import FactRow, PaneRow

KEPT_OPEN = 2 * DAY
MAX_REMEMBERED_QUARTERS = 20_000

_encode, _decode = msgspec.json.encode, msgspec.json.Decoder(PaneRow).decode
_pack = msgspec.msgpack.Encoder().encode


class Panes:
    """The panes of one partition. `day_start`: the first instant (ms) of the local day of an instant."""

    def __init__(self, partition: int, day_start: Callable[[int], int]) -> None:
        self.partition = partition
        self.opened = 0  # the number of panes opened so far, and of the last one
        self.cache = PaneCache()
        self._day_start = day_start
        self._days: dict[int, int] = {}
        self._keys = KeyInterner()
        self._by_dimensions = self._keys.by_dimensions
        self._minutes: list[int] = []  # a heap of those of the panes

    def __contains__(self, minute: int) -> bool:
        return minute in self.cache

    @property
    def changed(self) -> set[int]:
        """The minutes whose panes changed since the last snapshot."""
        return self.cache.changed

    def add(self, fact: FactRow, sign: int) -> None:
        """Add a fact to the panes of its dimensions (sign 1), or take it away (-1)."""
        family, counts, at = fact.family, fact.counts, fact.at
        if family == "ticket":
            dimensions: tuple[str, ...] = dimensions_of(fact)
        else:
            dimensions = (family, fact.team, fact.channel, fact.segment, fact.queue)
            if family == "survey":
                counts = {f"{fact.metric or 'survey'}_{name}": number for name, number in counts.items()}
        keys = self._by_dimensions.get(dimensions) or self._keys.intern(dimensions)
        minute = at - at % MINUTE
        (self.cache.change(minute) or self._open(minute)).add(keys, counts, sign)
        if fact.agent_id:
            day = self._days.get(at // QUARTER) or self._day_of(at)
            keys = self._keys.of((("agent", fact.agent_id),))
            (self.cache.change(day) or self._open(day)).add(keys, counts, sign)

    def _day_of(self, at: int) -> int:
        """The start of a local day, remembered by quarter of an hour: days begin and end at whole quarters."""
        if len(self._days) >= MAX_REMEMBERED_QUARTERS:
            self._days.clear()
        day = self._days[at // QUARTER] = self._day_start(at)
        return day

    def add_arrivals(self, topic: str, at: int, what: str, number: int = 1) -> None:
        """Count arrivals under their topic and quarter: data quality, which depends on the order of arrival."""
        quarter = at - at % QUARTER
        (self.cache.change(quarter) or self._open(quarter)).add(self._keys.of((("topic", topic),)), {what: number}, 1)

    def _open(self, minute: int) -> Pane:
        self.opened += 1
        heappush(self._minutes, minute)
        return self.cache.add(minute, Pane(self.opened))

    def close_before(self, before: int) -> list[int]:
        """Close and return the minutes before `before`, except those changed since the last snapshot."""
        closed, waiting = [], []
        while self._minutes and self._minutes[0] < before:
            minute = heappop(self._minutes)
            if minute in self.changed:
                waiting.append(minute)
            elif self.cache.remove(minute):
                closed.append(minute)
        for minute in waiting:
            heappush(self._minutes, minute)
        return closed

    # Rows

    def load(self, value: bytes) -> None:
        """Load a pane's row from a checkpoint."""
        row = _decode(value)
        if row.minute not in self.cache:
            heappush(self._minutes, row.minute)
        keys = tuple(self._keys.of(keys) for keys, _ in row.counts)
        counts = _pack([sums for _, sums in row.counts])
        self.cache.add_packed(row.minute, PackedPane(row.opened, keys, counts))

    def forget(self, minute: int) -> None:
        """Forget a pane removed by a checkpoint."""
        self.cache.remove(minute)

    def dump(self, minute: int, version: int) -> tuple[bytes, bytes]:
        """A pane's key on the topic, and its full snapshot as a row: the same bytes for checkpoint and topic."""
        pane = self.cache.peek(minute)
        pane.spread(self._keys)
        counts = [(keys.encoded, sums) for keys, sums in pane.sums.items()]
        return f"{minute}/{pane.opened}".encode(), _encode((self.partition, minute, pane.opened, counts, version, 0))

    def row(self, minute: int, version: int = 0) -> PaneRow:
        """The pane as a full snapshot."""
        return _decode(self.dump(minute, version)[1])
