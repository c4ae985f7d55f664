"""The tallies of all partitions of track, summed by minute."""

from collections.abc import Iterable, Iterator

import msgspec

from streams.desk.saved import Entry, PendingEntries
from streams.models.tallies import Combination, TallyRow

TALLY = b"m"  # first byte of a changelog key
MINUTE_BYTES = 600  # estimated size of a changed minute in a snapshot

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[TallyRow]).decode


class MinuteSums:
    """Counts by minute and combination of dimensions. A saved part: one entry per minute."""

    prefix = TALLY

    def __init__(self) -> None:
        self._minutes: dict[int, dict[Combination, dict[str, int]]] = {}
        self._changed: set[int] = set()
        self._forgotten = PendingEntries()

    def __len__(self) -> int:
        return len(self._minutes)

    def add(self, row: TallyRow) -> None:
        """Add a tally."""
        sums = self._minutes.setdefault(row.minute, {}).setdefault(row.combination(), {})
        for name, number in row.counts.items():
            sums[name] = sums.get(name, 0) + number
        self._changed.add(row.minute)

    def minutes_with_contacts(self) -> Iterator[int]:
        """The minutes with any contact."""
        for minute, sums in self._minutes.items():
            if any(contacts_of(counts) for counts in sums.values()):
                yield minute

    def rows(self) -> Iterator[TallyRow]:
        """All sums, in order of time."""
        for minute in sorted(self._minutes):
            yield from self._rows(minute)

    def forget(self, before: int) -> None:
        """Forget the minutes before an instant."""
        for minute in [minute for minute in self._minutes if minute < before]:
            del self._minutes[minute]
            self._changed.discard(minute)
            self._forgotten.put(_key(minute), None)

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed since the last snapshot."""
        return bool(self._changed or self._forgotten.entries)

    def pending_bytes(self) -> int:
        """The approximate size of the changes since the last snapshot, bytes."""
        return len(self._changed) * MINUTE_BYTES + self._forgotten.bytes

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`."""
        minute = int(key[1:])
        if value is None:
            self._minutes.pop(minute, None)
        else:
            self._minutes[minute] = {row.combination(): row.counts for row in _decode(value)}

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        rows = list(self._rows(int(key[1:])))
        return _encode(rows) if rows else None

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`."""
        keys = [_key(minute) for minute in self._changed]
        self._changed = set()
        return [*self._forgotten.take(), *((key, self.value(key)) for key in keys)]

    def _rows(self, minute: int) -> Iterator[TallyRow]:
        for combination, counts in self._minutes.get(minute, {}).items():
            yield TallyRow(minute, *combination, counts)


def contacts_of(counts: dict[str, int]) -> int:
    """The number of contacts in the counts: tickets created, and calls offered."""
    return counts.get("created", 0) + counts.get("offered", 0)


def _key(minute: int) -> bytes:
    return TALLY + str(minute).encode()
