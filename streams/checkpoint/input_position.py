"""The next input record of a partition, and refetching records that were lost on the way to their agent.

Faust drops fetched batches when a rebalance interrupts it (transport/consumer.py:750 the rest of a fetch, :1213 the
batch that is being handed over), and relies on seeking to the committed offsets afterwards. A batch that is dropped
later than that is detected by the offset gap before the next batch, or by a timeout if no batch follows.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from logging import Logger
from math import inf
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from aiokafka.errors import IllegalStateError
from faust.types.tuples import TP

from streams.checkpoint.partition import Partition, Statistics

SEEK_PATIENCE_S = 5.0
"""How long batches fetched before a seek back may still arrive, seconds."""

STALL_S = 10.0
"""How long handed-out records of a topic may be in transit, while no batch arrives, until they count as lost."""

_offset = attrgetter("offset")


class Consumer(Protocol):
    """The part of the Kafka consumer that is needed here."""

    def assignment(self) -> set[TP]:
        """The partitions assigned to it."""

    def highwater(self, tp: TP) -> int | None:
        """The end of a partition, by its last fetch; None if there was none yet."""

    async def position(self, tp: TP) -> int:
        """The next offset to hand out. Raises IllegalStateError if the partition is not assigned."""

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """The first offset that each partition still keeps."""

    async def seek_wait(self, partitions: Mapping[TP, int]) -> Any:
        """Seek. Raises IllegalStateError if a partition is not assigned."""


class _SeekBack(NamedTuple):
    """The last seek back: the wanted offset, the first one that arrived instead, and when."""

    wanted: int
    came: int
    at: float


class _Standstill(NamedTuple):
    """A stalled input: the wanted offset, since when, and the end up to which it was refetched (-1: not yet)."""

    wanted: int
    since: float
    refetched_to: int


class InputPosition:
    """The position of one worker's partitions in the input topics.

    Arguments:
        consumer: returns the Kafka consumer, which Faust creates late.
        inputs: names of the input topics.
        statistics: counts `gaps` and `sought_back`.
        now: the monotonic clock, in seconds.
    """

    def __init__(
        self,
        consumer: Callable[[], Consumer],
        inputs: Sequence[str],
        statistics: Statistics,
        log: Logger,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stall_s = STALL_S
        self._consumer, self._inputs, self._statistics, self._log, self._now = consumer, inputs, statistics, log, now
        self._seeks: dict[TP, _SeekBack] = {}
        self._standstills: dict[TP, _Standstill] = {}
        self._fed_at: dict[str, float] = {}  # by topic: when a batch was last folded; inf: being folded

    def restart(self) -> None:
        """Forget gaps and standstills: after a takeover, the inputs are at the checkpoints' offsets."""
        self._seeks.clear()
        self._standstills.clear()

    @contextmanager
    def feeding(self, topic: str) -> Iterator[None]:
        """Mark the topic as not stalled while a batch of it is folded, however long that takes."""
        self._fed_at[topic] = inf
        try:
            yield
        finally:
            self._fed_at[topic] = self._now()

    def end(self, tp: TP) -> int | None:
        """Return the end of an input partition, by the high watermark of its last fetch; None if there was none yet."""
        consumer = self._consumer()
        return consumer.highwater(tp) if tp in consumer.assignment() else None

    async def index_of_next(self, part: Partition, tp: TP, records: Sequence[Any]) -> int | None:
        """Return the index of the record to fold next, `len(records)` if all were folded before.

        Return None if it is not among them but will arrive. A batch that starts after the wanted offset follows either
        a dropped batch or a gap in the topic. A seek back decides: after a gap the same batch arrives again, and no
        earlier one.

            want 5, got 9..12 (5..8 dropped)   seek 5 ──> 5..8, 9..12
            want 5, got 9..12 (no 5..8)        seek 5 ──> 9..12          a gap: continue from 9
        """
        want, first = part.offsets.get(tp.topic, 0), records[0].offset
        if first <= want:
            self._seeks.pop(tp, None)
            return bisect_left(records, want, key=_offset)
        seek = self._seeks.get(tp)
        if seek is not None and seek.wanted == want:
            if first <= seek.came:
                self._accept_gap(part, tp, first)
                return 0
            if self._now() - seek.at < SEEK_PATIENCE_S:
                return None  # it was fetched before the seek
        self._seeks[tp] = _SeekBack(want, first, self._now())
        self._statistics.sought_back += 1
        try:
            earliest = (await self._consumer().earliest_offsets(tp))[tp]
            if want < first <= earliest:
                self._accept_gap(part, tp, first)
                return 0
            await self._consumer().seek_wait({tp: want})
        except IllegalStateError:
            self._log.info("%s[%d] was revoked while seeking back", *tp)
        return None

    def _accept_gap(self, part: Partition, tp: TP, first: int) -> None:
        want = part.offsets.get(tp.topic, 0)
        self._statistics.gaps += 1
        self._log.warning("%s[%d] has no records at offsets %d to %d: going on after them", *tp, want, first - 1)
        part.offsets[tp.topic] = first
        self._seeks.pop(tp, None)

    async def refetch_stalled(self, part: Partition) -> None:
        """Refetch records that were handed out but not folded, if no batch of their topic has arrived for long.

        handed out 5..9, dropped, nothing comes      10 s ──> seek 5 ──> 5..9
        handed out 5..9, all transaction markers     10 s ──> seek 5 ──> nothing: not fetched a third time
        """
        now = self._now()
        for topic in self._inputs:
            tp, want = TP(topic, part.number), part.offsets.get(topic, 0)
            end = self.end(tp)
            stands = self._standstills.get(tp)
            if stands is None or want != stands.wanted or end is None or end <= want:
                self._standstills[tp] = _Standstill(want, now, -1)
            elif end != stands.refetched_to and now - max(stands.since, self._fed_at.get(topic, -inf)) > self.stall_s:
                self._standstills[tp] = _Standstill(want, now, end if await self._refetch(tp, want) else -1)

    async def _refetch(self, tp: TP, want: int) -> bool:
        with suppress(IllegalStateError):  # it was revoked meanwhile
            if await self._consumer().position(tp) > want:  # else they are not handed out yet
                self._statistics.sought_back += 1
                self._log.info("%s[%d]: no records came from offset %d on: fetching them again", *tp, want)
                await self._consumer().seek_wait({tp: want})
                return True
        return False
