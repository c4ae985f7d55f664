"""The time of a partition of role escalate. Pure.

Live, it is the wall clock. In a replay, it is the least business time of the senders of warnings.
"""

from collections.abc import Mapping

import msgspec


class SnapshotHeader(msgspec.Struct, array_like=True):
    """The entry of the changelog under the key `h`."""

    sources: dict[str, int]
    now: int


class PartitionTime:
    """The time `now` (ms; -1: not known yet). `wall`: whether it is the wall clock."""

    def __init__(self, wall: bool) -> None:
        self.wall, self.now = wall, -1
        self._sources: dict[str, int] = {}  # business time of each sender of warnings, by name

    def hear(self, sources: Mapping[str, int]) -> None:
        """Record the progress of senders of warnings; an older message changes nothing."""
        for source, as_of in sources.items():
            self._sources[source] = max(as_of, self._sources.get(source, as_of))

    def advance(self, wall_now: int | None) -> None:
        """Advance time to `wall_now`, or to the least progress of the senders."""
        now = wall_now if self.wall and wall_now is not None else min(self._sources.values(), default=-1)
        self.now = max(self.now, now)

    def dump(self) -> bytes:
        """Return the header of a checkpoint."""
        return msgspec.msgpack.encode(SnapshotHeader(self._sources, self.now))

    def load(self, value: bytes) -> None:
        """Load the header of a checkpoint."""
        header = msgspec.msgpack.decode(value, type=SnapshotHeader)
        self._sources, self.now = header.sources, header.now
