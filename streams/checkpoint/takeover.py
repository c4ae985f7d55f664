"""Taking partitions over: read the changelog, claim it, read the batches in between, send the last outbox again.

changelog    c1 ── c2 ── c3 ── (claim) ── c1 ──>
             read ───────────┘ │    └ the new owner's first checkpoint
                               └ read the batches appended meanwhile; send c3's outbox again, byte for byte

A state may then need to read back what its partition has said: all outputs of all counting checkpoints are in the
topics by now, since a checkpoint is written only after the outputs of the one before it, and zombies send none.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from logging import Logger
from typing import Any

from streams.checkpoint.changelog import Changelog
from streams.checkpoint.partition import Partition, Statistics
from streams.desk.partition_state import PartitionState, ReadsBack
from streams.kafka.lease import Lease

TOOK_OVER_LOG = "Took over partitions "
"""The log line about taken partitions; their numbers follow in brackets."""


class Takeover:
    """Restores and claims the partitions that the group assigns to this worker.

    Arguments:
        changelog: the table's changelog.
        new_state: creates the empty state of a partition, given its number.
        owner: the name of this worker in its claims.
        lease: whether the group counts this worker as a member.
        statistics: counts claims, restores and outputs sent again.
    """

    def __init__(
        self,
        changelog: Changelog,
        new_state: Callable[[int], PartitionState],
        owner: str,
        lease: Lease,
        statistics: Statistics,
        log: Logger,
    ) -> None:
        self._changelog, self._new_state, self._owner = changelog, new_state, owner
        self._lease, self._statistics, self._log = lease, statistics, log

    async def take(
        self, held: Mapping[int, Partition], numbers: set[int], generation: int, current: Callable[[], bool]
    ) -> dict[int, Partition] | None:
        """Return exactly these partitions, restored, claimed and ready; None if the generation is over by then.

        Arguments:
            held: partitions whose states equal the changelog: they are claimed again, but not read. They stop being
                ready at once.
            numbers: the changelog partitions assigned to this worker.
            generation: the consumer group's generation that assigned them.
            current: returns False once the generation is over or the worker stops.
        """
        started = time.monotonic()
        kept = {number: part for number, part in held.items() if number in numbers}
        parts = {number: kept[number] if number in kept else self._new(number) for number in numbers}
        for part in parts.values():
            part.ready = False
        await self._load([part for number, part in parts.items() if number not in kept], {})
        unclaimed = set(numbers)
        while unclaimed:
            if not await self._wait_for_lease(generation, current):
                return None
            for number in sorted(unclaimed):
                if await self._claim(parts, number, kept, generation):
                    unclaimed.discard(number)
        for number, part in parts.items():
            if kept.get(number) is not part:
                part.state.restored()
                part.offsets = dict(part.reader.offsets)
            outbox, part.reader.outbox = part.reader.outbox, []
            await self._changelog.send(number, outbox)
            self._statistics.outputs_resent += len(outbox)
        await self._read_back([part for number, part in parts.items() if kept.get(number) is not part])
        if not current():
            return None
        for part in parts.values():
            part.ready = True
        seconds = time.monotonic() - started
        self._statistics.restores += len(parts) - len(kept)
        self._statistics.restore_seconds += seconds
        self._log.info(TOOK_OVER_LOG + "%s in %.2f s, %d of them kept", sorted(parts), seconds, len(kept))
        return parts

    async def _read_back(self, parts: list[Partition]) -> None:
        """Read what these partitions have said, from the beginning of their topics to the end, where a state asks."""
        asked = {
            part.number: said
            for part in parts
            if isinstance(part.state, ReadsBack) and (said := part.state.said_rows()) is not None
        }
        since: dict[int, int] = {}
        for topic in sorted({topic for said in asked.values() for topic in said.topics}):
            self._log.info("Reading %s back for partitions %s: they were folded by other rules", topic, sorted(asked))
            first: set[int] = set()

            def apply(number: int, records: list[Any], first: set[int] = first) -> None:
                if number not in first:
                    first.add(number)
                    if records[0].offset > 0:  # earlier ones are not kept any more
                        since[number] = max(since.get(number, 0), records[0].timestamp)
                for record in records:
                    asked[number].load(record.value)

            await self._changelog.read(dict.fromkeys(asked, 0), {}, apply, topic)
        for number, said in asked.items():
            said.finish(since.get(number))

    def _new(self, number: int) -> Partition:
        return Partition(number, self._new_state(number))

    async def _wait_for_lease(self, generation: int, current: Callable[[], bool]) -> bool:
        """Wait for a heartbeat that the group accepts; return False if the generation is over."""
        while current():
            if self._lease.held(generation):
                return True
            await self._lease.renew()
            if not self._lease.held(generation):
                await asyncio.sleep(0.1)
        return False

    async def _claim(
        self, parts: dict[int, Partition], number: int, kept: Mapping[int, Partition], generation: int
    ) -> bool:
        """Append a claim and read up to it; return False if a higher one came first: the caller claims again."""
        part = parts[number]
        epoch, records = part.reader.claim(generation, self._owner)
        base, _size = await self._changelog.append(number, records)
        self._statistics.claims += 1
        position = part.reader.position
        between = await self._changelog.read_between(number, position, base) if base != position else []
        if kept.get(number) is not part:
            part.reader.apply(between, part.state.load)
        else:
            checkpoints = part.reader.checkpoints
            part.reader.apply(between, _ignore)
            if part.reader.checkpoints != checkpoints:  # another owner continued from our state: restore again
                part = parts[number] = self._new(number)
                await self._load([part], {number: base})
        return part.reader.claimed(base, epoch, self._owner)

    async def _load(self, parts: list[Partition], ends: dict[int, int]) -> None:
        """Fill new partitions from the beginning of the changelog to their end, or to what is there."""
        by_number = {part.number: part for part in parts}

        def apply(number: int, records: list[Any]) -> None:
            part, end = by_number[number], ends.get(number)
            part.reader.apply(
                records if end is None else [record for record in records if record.offset < end], part.state.load
            )

        await self._changelog.read(dict.fromkeys(by_number, 0), ends, apply)


def _ignore(_key: bytes, _value: bytes | None) -> None:
    """Load no entry."""
