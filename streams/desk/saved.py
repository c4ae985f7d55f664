"""The saved parts of a state, each with its own changelog keys.

    key      p28560000     t17\\0 3        h
             │             │              └ header
             │             └ an event of ticket 17
             └ a pane                       the first byte identifies the part

A part collects its changed entries; a snapshot takes them from all parts. A restore passes each entry to its part.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

Entry = tuple[bytes, bytes | None]
"""A changelog key and its value; None: the key is removed."""

HEADER, PANE = b"h", b"p"
"""First bytes of the keys used both by track and by the stages."""

FULL = 4 << 20
"""Size of a snapshot, in bytes, above which a checkpoint has to be written before anything else."""

ROW_BYTES, PANE_BYTES = 300, 1200
"""Estimated size of a row, and of a changed pane (an entry and a message), in a checkpoint."""


class Saved(Protocol):
    """A part of a state that is saved in the changelog."""

    prefix: bytes
    """The first bytes of its keys: each byte belongs to this part only."""

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry while restoring; a later one of the same key replaces it (None: removed)."""

    def value(self, key: bytes) -> bytes | None:
        """Return what the changelog should hold under `key`; None: nothing."""

    def changed(self) -> Iterable[Entry]:
        """Return the entries that changed since the last call."""


class SavedParts:
    """All saved parts of a state, by the first byte of their keys.

    A key without a part is from a newer release: it is not loaded, and is removed when it is rewritten.
    """

    def __init__(self, *parts: Saved) -> None:
        self._parts = parts
        self._by_prefix = {part.prefix[n : n + 1]: part for part in parts for n in range(len(part.prefix))}
        self._to_rewrite: set[bytes] = set()

    def load(self, key: bytes, value: bytes | None) -> None:
        """Pass an entry of the changelog to its part."""
        part = self._by_prefix.get(key[:1])
        if part is not None:
            part.load(key, value)

    def rewrite_keys(self, keys: Iterable[bytes]) -> None:
        """Write the state's own values of these keys with the next snapshot: a fenced owner wrote them since."""
        self._to_rewrite.update(keys)

    def entries(self) -> list[Entry]:
        """Return the entries of a snapshot, and mark all parts as saved. For each key, the last entry counts."""
        made: list[Entry] = [(key, self._value(key)) for key in self._to_rewrite]
        self._to_rewrite.clear()
        for part in self._parts:
            made += part.changed()
        return made

    def _value(self, key: bytes) -> bytes | None:
        part = self._by_prefix.get(key[:1])
        return None if part is None else part.value(key)


class PendingEntries:
    """The entries of a part that changed since the last snapshot, and their estimated size in bytes."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | None] = {}
        self.bytes = 0

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write an entry with the next snapshot (None: remove it)."""
        self.entries[key] = value
        self.bytes += len(key) + (0 if value is None else len(value)) + 40

    def take(self) -> Iterable[Entry]:
        """Remove and return the entries."""
        entries = self.entries
        self.entries, self.bytes = {}, 0
        return entries.items()


class SavedDict:
    """A part that is a dict from changelog key to bytes."""

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.known: dict[bytes, bytes] = {}
        self.pending = PendingEntries()

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        self.known[key] = value
        self.pending.put(key, value)

    def remove(self, key: bytes) -> None:
        """Remove an existing key."""
        del self.known[key]
        self.pending.put(key, None)

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`Saved`."""
        if value is None:
            self.known.pop(key, None)
        else:
            self.known[key] = value

    def value(self, key: bytes) -> bytes | None:
        """See :class:`Saved`."""
        return self.known.get(key)

    def changed(self) -> Iterable[Entry]:
        """See :class:`Saved`."""
        return self.pending.take()


class SavedValue:
    """A part with one key, written with every snapshot: it is small, and almost always changed."""

    def __init__(self, prefix: bytes, dump: Callable[[], bytes], load: Callable[[bytes], None]) -> None:
        self.prefix, self._dump, self._load = prefix, dump, load

    def load(self, _key: bytes, value: bytes | None) -> None:
        """See :class:`Saved`."""
        if value is not None:
            self._load(value)

    def value(self, _key: bytes) -> bytes:
        """See :class:`Saved`."""
        return self._dump()

    def changed(self) -> Iterable[Entry]:
        """See :class:`Saved`."""
        return ((self.prefix, self._dump()),)
