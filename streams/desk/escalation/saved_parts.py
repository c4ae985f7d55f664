"""The parts of a partition's state that its changelog keeps, each under keys with a first byte of its own. Pure."""

from collections.abc import Iterable
from typing import Protocol


class SavedPart(Protocol):
    """A part of the state. Keys are those of the changelog, with the prefix."""

    prefix: bytes
    """First byte of its keys."""

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take an entry of the changelog while restoring (None: removed)."""

    def value(self, key: bytes) -> bytes | None:
        """Return the entry of a key as it is now; None: there is none."""

    def changed(self) -> Iterable[tuple[bytes, bytes | None]]:
        """Return the entries that changed since the last call, and mark them clean."""


class SavedParts:
    """All saved parts of a partition, by prefix."""

    def __init__(self, *parts: SavedPart) -> None:
        self._parts = {part.prefix: part for part in parts}
        self._rewrite: set[bytes] = set()

    def load(self, key: bytes, value: bytes | None) -> None:
        """Hand an entry of the changelog to its part."""
        self._parts[key[:1]].load(key, value)

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Put these keys, too, into the next snapshot."""
        self._rewrite |= keys

    def snapshot(self) -> list[tuple[bytes, bytes | None]]:
        """Return the entries that changed, and those to be rewritten, and mark them clean."""
        entries = {key: self._parts[key[:1]].value(key) for key in self._rewrite}
        for part in self._parts.values():
            entries.update(part.changed())
        self._rewrite = set()
        return list(entries.items())
