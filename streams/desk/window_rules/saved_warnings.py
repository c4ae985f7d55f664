"""The warnings of the window rules in a snapshot: they cannot be derived again once their minutes are forgotten."""

from collections.abc import Callable, Iterable

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.saved import Entry, PendingEntries
from streams.models.rows import WarningRow

WARNING = b"w"  # first byte of a changelog key

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(WarningRow).decode


class SavedWarnings:
    """See :class:`streams.desk.saved.Saved`. `change_set`: receives the warnings. `known`: returns all warnings."""

    prefix = WARNING

    def __init__(self, change_set: ChangeSet, known: Callable[[], Iterable[WarningRow]]) -> None:
        self._change_set, self._known = change_set, known
        self._loaded: dict[bytes, bytes] = {}
        self.pending = PendingEntries()

    def forget(self, warnings: Iterable[WarningRow]) -> None:
        """Remove these warnings."""
        for row in warnings:
            self.pending.put(_key(row), None)

    def take_loaded(self) -> list[WarningRow]:
        """Return the loaded warnings, in the order in which they were raised."""
        loaded, self._loaded = self._loaded, {}
        return sorted(map(_decode, loaded.values()), key=lambda row: row.raised_at)

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`."""
        if value is None:
            self._loaded.pop(key, None)
        else:
            self._loaded[key] = value

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        return next((_encode(row) for row in self._known() if _key(row) == key), None)

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`: all warnings on the change set, less what was forgotten since."""
        rows = [row for row in self._change_set.rows.values() if isinstance(row, WarningRow)]
        return [*((_key(row), None if row.is_deleted else _encode(row)) for row in rows), *self.pending.take()]


def _key(row: WarningRow) -> bytes:
    return WARNING + row.warning_id.encode()
