"""The batches of a partition that are delivered but not committed. PURE: no Faust, no Kafka."""

from collections import deque


class InFlight:
    """The batches of one partition in the order of their delivery; each is known by its last offset.

        delivered       ..4  ..9  ..14  ..20
        acknowledged    ..4  ..9        ..20       commit 10; then ..14 was skipped: the agent lost it

    `acked`: the last offsets of the batches acknowledged but not committed. The caller owns it.
    """

    def __init__(self) -> None:
        self._last: deque[int] = deque()

    def deliver(self, first: int, last: int, acked: set[int]) -> None:
        """Add a batch with the offsets `first` to `last`, delivered to its agent.

        If it starts at or before batches in flight, the partition was sought back: those are delivered again.
        """
        while self._last and self._last[-1] >= first:
            acked.discard(self._last.pop())
        self._last.append(last)

    def commit(self, acked: set[int]) -> int | None:
        """Remove the longest run of acknowledged batches; return the offset after it, None if there is no such run."""
        offset = None
        while self._last and self._last[0] in acked:
            acked.discard(self._last[0])
            offset = self._last.popleft() + 1
        return offset

    def skipped(self, acked: set[int]) -> int | None:
        """Return the last offset of the first batch if only later ones are acknowledged; else None."""
        return self._last[0] if self._last and any(last in acked for last in self._last) else None
