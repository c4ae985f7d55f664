"""The batches of a partition that are delivered but not committed. PURE: no Faust, no Kafka."""

from collections import deque
from weakref import ref


class InFlight:
    """The batches of one partition in the order of their delivery.

        delivered       ..4  ..9  ..14  ..20
        acknowledged    ..4  ..9        ..20       commit 10; then ..14 was skipped: the agent lost it

    A batch counts until its records are delivered again: the former one may still be acknowledged, and may end within
    another one now, or where a later one ends.

        delivered       ..4  ..9    sought back    ..6  ..9
        acknowledged                ..4  ..9                     commit nothing: these two are others
    """

    def __init__(self) -> None:
        self._delivered: deque[_Delivered] = deque()

    def deliver(self, batch: object, first: int, last: int) -> None:
        """Add a batch with the offsets `first` to `last`, delivered to its agent.

        If it starts at or before batches in flight, the partition was sought back: those are delivered again.
        """
        while self._delivered and self._delivered[-1].last >= first:
            self._delivered.pop()
        self._delivered.append(_Delivered(batch, last))

    def ack(self, batch: object) -> bool:
        """Acknowledge a batch; return False if it does not count any more."""
        for delivered in self._delivered:
            if delivered.batch() is batch:
                delivered.acked = True
                return True
        return False

    def commit(self) -> int | None:
        """Remove the longest run of acknowledged batches; return the offset after it, None if there is no such run."""
        offset = None
        while self._delivered and self._delivered[0].acked:
            offset = self._delivered.popleft().last + 1
        return offset

    def skipped(self) -> int | None:
        """Return the last offset of the first batch if only later ones are acknowledged; else None."""
        return self._delivered[0].last if any(delivered.acked for delivered in self._delivered) else None


class _Delivered:
    """A batch, not kept alive by this, and its last offset."""

    def __init__(self, batch: object, last: int) -> None:
        self.batch, self.last, self.acked = ref(batch), last, False
