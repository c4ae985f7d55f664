"""The panes in memory: two days have thousands, few of which change, so the others are packed.

    open      counters, ready to be added to
      │ it did not change between two snapshots
      v
    packed    one byte string, and its keys

The keys of a pane are interned: facts with the same dimensions share one object, in all panes.
"""

from typing import NamedTuple

import msgspec

from streams.models.dimensions import Dimensions

Counts = dict[str, int]
Key = tuple[str, str]  # dimension, value
MAX_INTERNED_KEYS = 50_000
SPREAD_THRESHOLD = 64  # combinations in a pane; above it, single dimensions take less memory

_encode = msgspec.json.encode
_pack, _unpack = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[Counts]).decode


class Keys:
    """The keys of some counts, and their JSON. Compared by identity, so it is a cheap dict key."""

    __slots__ = ("encoded", "keys")

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self.keys = keys
        self.encoded = msgspec.Raw(_encode(keys))


class KeyInterner:
    """The one `Keys` object for each tuple of keys, and for each combination of dimensions.

    `by_dimensions`: those known; to be asked first. The seven dimensions of a ticket, or family, team, channel, segment
    and queue of a call or survey.
    """

    def __init__(self) -> None:
        self.by_dimensions: dict[tuple[str, ...], Keys] = {}
        self._by_keys: dict[tuple[Key, ...], Keys] = {}

    def of(self, keys: tuple[Key, ...]) -> Keys:
        """Return the object for these keys."""
        found = self._by_keys.get(keys)
        if found is None:
            if len(self._by_keys) >= MAX_INTERNED_KEYS:
                self._by_keys.clear()
            found = self._by_keys[keys] = Keys(keys)
        return found

    def intern(self, dimensions: tuple[str, ...]) -> Keys:
        """Return the object for a combination that is not in `by_dimensions`."""
        if len(self.by_dimensions) >= MAX_INTERNED_KEYS:
            self.by_dimensions.clear()
        if len(dimensions) == len(Dimensions._fields):
            keys = tuple(zip(Dimensions._fields, dimensions, strict=True))
        else:
            family, team, channel, segment, queue = dimensions
            keys = (("team", team), ("channel", channel), ("segment", segment))
            keys += (("queue", queue),) if family == "call" else ()
        found = self.by_dimensions[dimensions] = self.of((("all", ""), *keys))
        return found


class Pane:
    """The counts of a minute. Facts with one combination of dimensions share their sums."""

    __slots__ = ("opened", "sums")

    def __init__(self, opened: int) -> None:
        self.opened = opened
        self.sums: dict[Keys, Counts] = {}

    def add(self, keys: Keys, counts: Counts, sign: int) -> None:
        """Add `counts` under each of the keys, or subtract them (sign -1)."""
        sums = self.sums.get(keys)
        if sums is None:
            self.sums[keys] = counts.copy() if sign > 0 else {name: -number for name, number in counts.items()}
        else:
            for name, number in counts.items():
                sums[name] = sums.get(name, 0) + sign * number

    def spread(self, interner: KeyInterner) -> None:
        """Sum by single dimensions from now on, if that is smaller.

        A quiet minute has far fewer combinations than single dimensions, a busy one far more.
        """
        sums = self.sums
        if len(sums) <= SPREAD_THRESHOLD or sum(len(keys.keys) > 1 for keys in sums) <= SPREAD_THRESHOLD:
            return
        single: dict[Key, Counts] = {}
        for keys, counts in sums.items():
            for key in keys.keys:
                total = single.setdefault(key, {})
                for name, number in counts.items():
                    total[name] = total.get(name, 0) + number
        self.sums = {interner.of((key,)): counts for key, counts in single.items()}


class PackedPane(NamedTuple):
    """A pane that is not being changed."""

    opened: int
    keys: tuple[Keys, ...]
    counts: bytes  # parallel to the keys

    @classmethod
    def of(cls, pane: Pane) -> "PackedPane":
        """Pack a pane."""
        return cls(pane.opened, tuple(pane.sums), _pack(list(pane.sums.values())))

    def unpacked(self) -> Pane:
        """Return the pane, ready to add to."""
        pane = Pane(self.opened)
        pane.sums = dict(zip(self.keys, _unpack(self.counts), strict=True))
        return pane


class PaneCache:
    """Panes by minute, open or packed. `changed`: minutes that changed since the last snapshot."""

    def __init__(self) -> None:
        self.changed: set[int] = set()
        self._panes: dict[int, Pane | PackedPane] = {}
        self._open: set[int] = set()  # minutes

    def __contains__(self, minute: int) -> bool:
        return minute in self._panes

    def change(self, minute: int) -> Pane | None:
        """Return the pane of a minute to add to, and mark it as changed. None: there is none."""
        self.changed.add(minute)
        pane = self._panes.get(minute)
        if isinstance(pane, Pane):
            return pane
        return None if pane is None else self.add(minute, pane.unpacked())

    def peek(self, minute: int) -> Pane:
        """Return the pane of a minute, or a copy, for reading."""
        pane = self._panes[minute]
        return pane.unpacked() if isinstance(pane, PackedPane) else pane

    def add(self, minute: int, pane: Pane) -> Pane:
        """Hold an open pane."""
        self._panes[minute] = pane
        self._open.add(minute)
        return pane

    def add_packed(self, minute: int, pane: PackedPane) -> None:
        """Hold a packed pane."""
        self._panes[minute] = pane

    def remove(self, minute: int) -> bool:
        """Forget a pane; False if there was none."""
        return self._panes.pop(minute, None) is not None

    def saved(self) -> None:
        """All changes are in a snapshot: pack the open panes that did not change since the previous one."""
        for minute in self._open - self.changed:
            if isinstance(pane := self._panes.get(minute), Pane):
                self._panes[minute] = PackedPane.of(pane)
        self._open, self.changed = self.changed, set()
