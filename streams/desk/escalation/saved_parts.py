"""The saved parts of a partition's state: each has its own first byte of the changelog keys. Pure.

key      csla.breached\\nt17/resolution/1        ew1           flead              h
         └ a chain, by rule and subject         └ actions     └ a receiver's     └ the header
                                                  on w1         send history
"""

from collections.abc import Iterable
from typing import Protocol

Entry = tuple[bytes, bytes | None]
"""A changelog key and its value; None: the key is removed."""


class Saved(Protocol):
    """A part of the state. Keys are those of the changelog, with the prefix."""

    prefix: bytes
    """First byte of its keys."""

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take an entry while restoring (None: removed)."""

    def value(self, key: bytes) -> bytes | None:
        """Return what the changelog should hold under `key`; None: nothing."""

    def changed(self) -> Iterable[Entry]:
        """Return the entries that changed since the last call."""


class SavedParts:
    """All saved parts of a state, by prefix. A key without a part is from a newer release, and is not loaded."""

    def __init__(self, *parts: Saved) -> None:
        self._parts = {part.prefix: part for part in parts}
        self._to_rewrite: set[bytes] = set()

    def load(self, key: bytes, value: bytes | None) -> None:
        """Hand an entry of the changelog to its part."""
        part = self._parts.get(key[:1])
        if part is not None:
            part.load(key, value)

    def rewrite_keys(self, keys: Iterable[bytes]) -> None:
        """Write the state's own values of these keys with the next snapshot: a fenced owner wrote them since."""
        self._to_rewrite.update(keys)

    def entries(self) -> list[Entry]:
        """Return the entries of a snapshot, and mark all parts as saved. For each key, the last entry counts."""
        entries = [(key, self._value(key)) for key in self._to_rewrite]
        self._to_rewrite.clear()
        for part in self._parts.values():
            entries += part.changed()
        return entries

    def _value(self, key: bytes) -> bytes | None:
        part = self._parts.get(key[:1])
        return None if part is None else part.value(key)
