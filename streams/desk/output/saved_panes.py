"""The panes in a snapshot: the same row goes to the changelog and to the topic `rollups`."""

from collections.abc import Iterable

from streams.desk.output.panes import KEPT_OPEN, Panes
from streams.desk.saved import PANE, PANE_BYTES, Entry
from streams.models import messages
from streams.models.records import Output


class SavedPanes:
    """See :class:`streams.desk.saved.Saved`. `key_prefix`: of the keys on the topic, if it has other panes too."""

    prefix = PANE

    def __init__(self, panes: Panes, key_prefix: bytes = b"") -> None:
        self.panes = panes
        self._key_prefix = key_prefix
        self._version = 0
        self._entries: list[Entry] = []

    def pending_bytes(self) -> int:
        """The approximate size of the changes since the last snapshot, bytes."""
        return len(self.panes.changed) * PANE_BYTES

    def snapshot(self, version: int, business_time: int) -> list[Output]:
        """Return the messages of the changed panes, and close the panes that are old enough."""
        panes, self._version = self.panes, version
        self._entries = [(_key(minute), None) for minute in panes.close_before(business_time - KEPT_OPEN)]
        outputs = []
        for minute in panes.changed:
            key, row = panes.dump(minute, version)
            self._entries.append((_key(minute), row))
            outputs.append(messages.pane(panes.partition, version, self._key_prefix + key, row))
        panes.cache.saved()
        return outputs

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`."""
        if value is None:
            self.panes.forget(int(key[1:]))
        else:
            self.panes.load(value)

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`. The row has the version of the last `snapshot`."""
        minute = int(key[1:])
        return self.panes.dump(minute, self._version)[1] if minute in self.panes else None

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`: the entries of the last `snapshot`."""
        entries, self._entries = self._entries, []
        return entries


def _key(minute: int) -> bytes:
    return PANE + str(minute).encode()
