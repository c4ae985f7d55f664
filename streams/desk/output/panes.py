"""One-minute panes: every count of a business minute, summed per single dimension, and rolling windows over them.

A pane is opened by the first fact of its minute and put away two days later (the longest window plus the allowed
lateness). A fact for a minute that was put away opens it again under a new number; the parts add up:

    minute 10:00  opened 17  {created: 4}      put away after two days
                  opened 93  {created: -1}     a correction that came a week later

Two days have thousands of panes, of which few change: the others are kept packed.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from heapq import heappop, heappush
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from streams.models.instants import DAY, HOUR, MINUTE, QUARTER
from streams.models.rows import FactRow, PaneRow

Counts = dict[str, int]
Key = tuple[str, str]  # dimension, value
KEPT = 2 * DAY
TICKET_DIMENSIONS = ("team", "channel", "priority", "kind", "segment", "category", "product")
REMEMBERED = 50_000  # combinations of dimensions that are kept
MANY = 64  # combinations in a pane from which it is smaller by single keys

_encode, _decode = msgspec.json.encode, msgspec.json.Decoder(PaneRow).decode
_pack, _unpack = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[Counts]).decode


class Keys:
    """The keys that some counts stand under, and their JSON; equal only to itself, for a dict's sake."""

    __slots__ = ("encoded", "keys")

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self.keys = keys
        self.encoded = msgspec.Raw(_encode(keys))


class Pane:
    """A minute's counts. Facts of one combination of dimensions share their sums; of many, each key has its own.

    A quiet minute has far fewer combinations than keys, a busy one far more: a pane is kept as what is smaller.
    """

    __slots__ = ("opened", "sums")

    def __init__(self, opened: int) -> None:
        self.opened = opened
        self.sums: dict[Keys, Counts] = {}

    def add(self, keys: Keys, counts: Counts, sign: int) -> None:
        """Add `counts` under each of the keys, or take them away (sign -1)."""
        sums = self.sums.get(keys)
        if sums is None:
            self.sums[keys] = counts.copy() if sign > 0 else {name: -number for name, number in counts.items()}
        else:
            for name, number in counts.items():
                sums[name] = sums.get(name, 0) + sign * number

    def spread(self) -> dict[Key, Counts]:
        """The counts of each single key."""
        found: dict[Key, Counts] = {}
        for keys, counts in self.sums.items():
            for key in keys.keys:
                sums = found.setdefault(key, {})
                for name, number in counts.items():
                    sums[name] = sums.get(name, 0) + number
        return found


class Packed(NamedTuple):
    """A pane that does not change for now."""

    opened: int
    keys: tuple[Keys, ...]
    counts: bytes  # one for each of the keys

    def unpack(self) -> Pane:
        """The pane, ready to be added to."""
        pane = Pane(self.opened)
        pane.sums = dict(zip(self.keys, _unpack(self.counts), strict=True))
        return pane


class Panes:
    """The panes of one partition. `changed` holds the minutes to be written at the next checkpoint."""

    def __init__(self, partition: int, day_start: "LocalDays") -> None:
        self.partition, self.day_start = partition, day_start
        self.panes: dict[int, Pane | Packed] = {}
        self._unpacked: set[int] = set()  # minutes
        self.changed: set[int] = set()
        self.closed: list[int] = []  # minutes put away since the last checkpoint
        self.opened = 0
        self._minutes: list[int] = []  # a heap of those of the panes
        self._combinations: dict[tuple[str, ...], Keys] = {}
        self._keys: dict[tuple[Key, ...], Keys] = {}

    def pane(self, minute: int) -> Pane:
        """The open pane of a minute, marked as changed."""
        self.changed.add(minute)
        pane = self.panes.get(minute)
        return pane if isinstance(pane, Pane) else self._open(minute, pane)

    def _open(self, minute: int, packed: Packed | None) -> Pane:
        if packed is None:
            self.opened += 1
            heappush(self._minutes, minute)
        pane = self.panes[minute] = Pane(self.opened) if packed is None else packed.unpack()
        self._unpacked.add(minute)
        return pane

    def add(self, fact: FactRow, sign: int) -> None:
        """Add a fact to the panes of its dimensions (sign 1), or take it away (-1)."""
        family, counts = fact.family, fact.counts
        if family == "ticket":
            named: tuple[str, ...] = (
                fact.team,
                fact.channel,
                fact.priority,
                fact.kind,
                fact.segment,
                fact.category,
                fact.product,
            )
        else:
            named = (family, fact.team, fact.channel, fact.segment, fact.queue)
            if family == "survey":
                counts = {f"{fact.metric or 'survey'}_{name}": number for name, number in counts.items()}
        keys = self._combinations.get(named)
        if keys is None:
            keys = self._combine(named)
        at = fact.at
        self.pane(at - at % MINUTE).add(keys, counts, sign)
        if fact.agent_id:
            self.pane(self.day_start(at)).add(self.keys((("agent", fact.agent_id),)), counts, sign)

    def _combine(self, named: tuple[str, ...]) -> Keys:
        if len(self._combinations) >= REMEMBERED:
            self._combinations.clear()
        if len(named) == len(TICKET_DIMENSIONS):
            keys = tuple(zip(TICKET_DIMENSIONS, named, strict=True))
        else:
            family, team, channel, segment, queue = named
            keys = (("team", team), ("channel", channel), ("segment", segment))
            keys += (("queue", queue),) if family == "call" else ()
        found = self._combinations[named] = self.keys((("all", ""), *keys))
        return found

    def keys(self, keys: tuple[Key, ...]) -> Keys:
        """The one object that stands for these keys."""
        found = self._keys.get(keys)
        if found is None:
            if len(self._keys) >= REMEMBERED:
                self._keys.clear()
            found = self._keys[keys] = Keys(keys)
        return found

    def arrived(self, topic: str, at: int, what: str, number: int = 1) -> None:
        """Count an arrival under its topic and hour: data quality, which depends on the order of arrival."""
        self.pane(at - at % HOUR).add(self.keys((("topic", topic),)), {what: number}, 1)

    def put_away(self, before: int) -> None:
        """Close the panes of minutes before `before`, but those that changed since the last checkpoint."""
        waiting = []
        while self._minutes and self._minutes[0] < before:
            minute = heappop(self._minutes)
            if minute in self.changed:
                waiting.append(minute)
            elif self.panes.pop(minute, None) is not None:
                self.closed.append(minute)
        for minute in waiting:
            heappush(self._minutes, minute)

    def load(self, value: bytes) -> None:
        """Take a pane from a checkpoint."""
        row = _decode(value)
        if row.minute not in self.panes:
            heappush(self._minutes, row.minute)
        keys = tuple(self.keys(keys) for keys, _ in row.counts)
        self.panes[row.minute] = Packed(row.opened, keys, _pack([sums for _, sums in row.counts]))

    def clean(self) -> None:
        """What changed is in a checkpoint. Panes that did not change since the one before are packed."""
        for minute in self._unpacked - self.changed:
            if isinstance(pane := self.panes.get(minute), Pane):
                self.panes[minute] = Packed(pane.opened, tuple(pane.sums), _pack(list(pane.sums.values())))
        self._unpacked, self.changed, self.closed = self.changed, set(), []

    def dump(self, minute: int, version: int) -> tuple[bytes, bytes]:
        """A pane's key on the topic, and its full snapshot as a row: the same bytes for checkpoint and topic."""
        kept = self.panes[minute]
        pane = kept.unpack() if isinstance(kept, Packed) else kept
        if len(pane.sums) > MANY and sum(len(keys.keys) > 1 for keys in pane.sums) > MANY:
            pane.sums = {self.keys((key,)): sums for key, sums in pane.spread().items()}
        counts = [(keys.encoded, sums) for keys, sums in pane.sums.items()]
        return f"{minute}/{pane.opened}".encode(), _encode((self.partition, minute, pane.opened, counts, version, 0))

    def row(self, minute: int, version: int = 0) -> PaneRow:
        """The pane as a full snapshot."""
        return _decode(self.dump(minute, version)[1])


class LocalDays:
    """The first instant of the desk's local day that an instant lies in; remembers the quarters of an hour it met."""

    def __init__(self, timezone: Callable[[int], str]) -> None:
        self.timezone = timezone
        self.starts: dict[int, int] = {}

    def __call__(self, at: int) -> int:
        """The day's first instant, ms. Zones differ by whole quarters of an hour."""
        quarter = at // QUARTER
        start = self.starts.get(quarter)
        if start is None:
            zone = ZoneInfo(self.timezone(at))
            local = datetime.fromtimestamp(quarter * QUARTER // 1000, zone)
            start = int(local.replace(hour=0, minute=0, second=0, fold=0).timestamp()) * 1000
            if len(self.starts) > 100_000:
                self.starts.clear()
            self.starts[quarter] = start
        return start


def rolling(panes: Iterable[PaneRow], until: int, width: int) -> dict[tuple[str, str], Counts]:
    """The window of complete minutes [until - width, until), summed over all partitions.

    `until` and `width` are ms and whole minutes. Returns (dimension, value) -> counter -> sum. Of several snapshots
    of one pane, pass the newest only.

        panes      |10:00|10:01|10:02|10:03|10:04|
        rolling(until=10:04, width=3m)  = [10:01 .. 10:04)
    """
    window: dict[tuple[str, str], Counts] = {}
    for row in panes:
        if until - width <= row.minute < until:
            for keys, counts in row.counts:
                for key in keys:
                    if key[0] in ("agent", "topic"):
                        continue  # these panes are a day and an hour wide
                    sums = window.setdefault(key, {})
                    for name, number in counts.items():
                        sums[name] = sums.get(name, 0) + number
    return window
