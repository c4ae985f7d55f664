"""The time of a partition of role escalate, and how far the desks have told it of warnings. Pure.

Live, time is the wall clock. In a replay, it is the least business time of the senders of warnings.

    desk 0    incident-warnings ──────|10:05        of the desk with the partition's own number, also risk-warnings
    desk 1    incident-warnings ───|10:02
    desk 2    incident-warnings ─────────|10:07     all desks have told what happened before 10:02
"""

from collections.abc import Iterable

import msgspec

from streams.models.rows import ProgressRow
from streams.models.topics import INCIDENTS, WARNINGS

MAX_WAIT_MS = 8_000
"""How long, live, a warning with a parent waits for silent desks: with a checkpoint before and after, under 10 s."""


class SnapshotHeader(msgspec.Struct, array_like=True):
    """The entry of the changelog under the key `h`; `versions`: of the progress in `sources`."""

    sources: dict[str, int]
    now: int
    versions: dict[str, int] = {}


class PartitionTime:
    """The time `now` (ms; -1: not known yet). `wall`: whether it is the wall clock."""

    def __init__(self, wall: bool, partition: int = 0, partitions: int = 1) -> None:
        self.wall, self.now = wall, -1
        self._sources: dict[str, int] = {}  # business time of each sender of warnings, by name
        self._versions: dict[str, int] = {}
        self._own = f"{WARNINGS}/{partition}", f"{INCIDENTS}/{partition}"
        self._desks = [f"{INCIDENTS}/{number}" for number in range(partitions)]

    def hear(self, rows: Iterable[ProgressRow]) -> None:
        """Record the progress of senders of warnings; an older message changes nothing."""
        for row in rows:
            source = f"{row.topic_name}/{row.partition}"
            if row.version >= self._versions.get(source, 0):
                self._versions[source] = row.version
                self._sources[source] = max(row.as_of, self._sources.get(source, row.as_of))

    def told_until(self) -> int:
        """The instant before which all desks have told what became of warnings; -1: not known yet."""
        told = min(self._sources.get(desk, -1) for desk in self._desks)
        warnings, incidents = self._own
        # The two topics are read apart. Of one checkpoint, what is told on the second may be later: the log has ended.
        if self._versions.get(warnings, -1) < self._versions.get(incidents, -1):
            told = min(told, self._sources.get(warnings, -1))
        return told

    def foldable_until(self) -> int:
        """The instant before which nothing waits any longer."""
        told = self.told_until()
        return max(told, self.now - MAX_WAIT_MS) if self.wall else told

    def complete_until(self) -> int:
        """The instant (ms) up to which everything can be folded."""
        return self.now if self.wall else min(self.now, self.told_until() - 1)

    def advance(self, wall_now: int | None) -> None:
        """Advance time to `wall_now`, or to the least progress of the senders."""
        if self.wall and wall_now is not None:
            now = wall_now
        else:
            now = min(self.told_until(), *self._sources.values()) if self._sources else -1
        self.now = max(self.now, now)

    def dump(self) -> bytes:
        """Return the header of a checkpoint."""
        return msgspec.msgpack.encode(SnapshotHeader(self._sources, self.now, self._versions))

    def load(self, value: bytes) -> None:
        """Load the header of a checkpoint."""
        header = msgspec.msgpack.decode(value, type=SnapshotHeader)
        self._sources, self.now, self._versions = header.sources, header.now, header.versions
