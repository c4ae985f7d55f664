"""Partition states that survive a crash: folded in memory, kept in a changelog as checkpoints.

    records ──feed──> state ──snapshot──> one batch in the changelog ──acknowledged──> outputs ──acknowledged──> offsets
                        ^                           |
                        └──────── restore ──────────┘   the next owner continues from the checkpoint's own offsets, and
                                                        sends its outputs again, byte for byte

No output leaves before the checkpoint that holds it is acknowledged, so the next owner never contradicts the former
one. :mod:`streams.checkpoint.fencing` decides which batches of the changelog count, :mod:`streams.checkpoint.takeover`
takes partitions over, :mod:`streams.checkpoint.input_position` finds the next record to fold. Faust still
does assignment, agents, commit and the declaration of the table; its recovery is not used.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import faust
from faust.types.tuples import TP
from mode import Service

from streams.checkpoint.changelog import Changelog
from streams.checkpoint.fencing import version
from streams.checkpoint.input_position import InputPosition
from streams.checkpoint.partition import Partition, Statistics
from streams.checkpoint.takeover import Takeover
from streams.desk.partition_state import PartitionState, Snapshot
from streams.errors import DeskwatchError
from streams.kafka.lease import Lease
from streams.kafka.topics import CHANGELOG_CONFIG

MAX_REPAIR_KEYS = 5_000
"""Maximum number of a zombie's keys rewritten by one checkpoint; the next ones rewrite the rest."""

INTERVAL_S, URGENT_INTERVAL_S = 0.5, 0.25
"""Seconds until a change is checkpointed, usually and when the state is urgent."""

IDLE_CHECKPOINT_S = 600.0
"""Checkpoint interval of an idle partition, seconds: a zombie's batch is noticed long before compaction sees it."""

PROCESSED_LOG = "Processed %d records since start"
"""The log line when the table stops."""


class Fenced(DeskwatchError):
    """Another worker claimed a partition that the group still counts as ours: only a restart can claim it back."""


def wall_clock() -> int:
    """Return ms since the epoch."""
    return time.time_ns() // 1_000_000


class CheckpointTable(faust.Table):  # type: ignore[misc]
    """Declares the changelog, so that Faust assigns it with the inputs, and follows Faust's rebalance.

    Arguments:
        app: a CheckpointApp.
        new_state: creates the empty state of a partition, given its number.
        inputs, outputs: names of the topics, all with ``partitions`` partitions.
        limit_bytes: pending bytes at which a checkpoint is written at once; well under kafka.topics.BATCH_LIMIT.
        clock: returns the ``now`` of ``state.advance``: ms since the epoch, or None if the state uses its watermarks.
    """

    def __init__(
        self,
        app: Any,
        *,
        new_state: Callable[[int], PartitionState],
        inputs: Sequence[str],
        outputs: Sequence[str],
        limit_bytes: int = 4 << 20,
        clock: Callable[[], int | None] = wall_clock,
        **table: Any,
    ) -> None:
        super().__init__(app, extra_topic_configs=CHANGELOG_CONFIG, **table)
        self.new_state, self.inputs, self.outputs = new_state, tuple(inputs), tuple(outputs)
        self.limit_bytes, self.clock = limit_bytes, clock
        self.owner = uuid.uuid4().hex[:16]
        self.generation = -1
        self.held: dict[int, Partition] = {}  # the partitions that this worker owns, by number
        self.statistics = Statistics()
        self.lease: Lease = app.lease
        self.position = InputPosition(lambda: app.consumer, self.inputs, self.statistics, self.log)
        self.changelog: Changelog = None  # type: ignore[assignment]  # set at the start
        self._takeover: Takeover = None  # type: ignore[assignment]  # as well
        self._taking_over = asyncio.Lock()

    async def on_start(self) -> None:
        """Declare the changelog and connect to it."""
        await super().on_start()
        self.changelog = self._new_changelog()
        self._takeover = Takeover(self.changelog, self.new_state, self.owner, self.lease, self.statistics, self.log)
        await self.changelog.start()

    def _new_changelog(self) -> Changelog:
        return Changelog(self.changelog_topic_name, self.outputs, self.app.conf)

    async def on_stop(self) -> None:
        """Disconnect: the consumer stops first, and :meth:`flush` has saved everything."""
        await super().on_stop()
        self.log.info(PROCESSED_LOG, self.statistics.fed.total())
        if self.changelog is not None:
            await self.changelog.stop()

    # --- rebalance: called by Faust -----------------------------------------------------------------------------------

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Keep the states that remain ours and equal the changelog; drop the others.

        ``revoked`` is not enough: after a freeze, a partition that left and came back looks as if it had been kept.
        """
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        self.generation = generation_id
        ours = {tp.partition for tp in self.app.assignor.assigned_actives() if tp.topic == self.changelog_topic_name}
        self.held = {number: part for number, part in self.held.items() if number in ours and part.clean()}

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Take the assigned partitions over. Faust drops exceptions here (tables/recovery.py:641): crash the app."""
        try:
            async with self._taking_over:
                await self._take_over({tp.partition for tp in active_tps}, self.generation)
        except Exception as error:
            await self.app.crash(error)
        await super().on_recovery_completed(active_tps, standby_tps)

    async def _take_over(self, numbers: set[int], generation: int) -> None:
        def current() -> bool:
            return self.generation == generation and not self.app.should_stop

        parts = await self._takeover.take(self.held, numbers, generation, current)
        if parts is not None:
            self.held = parts
            self.position.restart()
            for part in parts.values():  # checkpoint soon after the first records
                part.saved_at = time.monotonic() - INTERVAL_S

    # --- records ------------------------------------------------------------------------------------------------------

    async def feed(self, event: Any) -> None:
        """Fold a batch event of one of the inputs. The checkpoint that holds its effects acknowledges it."""
        tp, records = event.message.tp, event.message.value
        part = self.held.get(tp.partition)
        if part is None or not self._folds(part):
            return  # delivered again after the rebalance
        with self.position.feeding(tp.topic):
            await self._feed(part, tp, records, event)
        await asyncio.sleep(0)  # else a full queue keeps the event loop busy

    async def _feed(self, part: Partition, tp: TP, records: Sequence[Any], event: Any) -> None:
        first = start = await self.position.index_of_next(part, tp, records)
        while start is not None and self._folds(part):
            if start < len(records):
                start = part.state.feed(tp.topic, records, start)
                part.offsets[tp.topic] = records[start].offset if start < len(records) else records[-1].offset + 1
                part.state.advance(self.clock())
            if start == len(records):
                part.events.append(event)
                self.statistics.fed[tp.topic] += len(records) - (first or 0)
                self.statistics.batches[tp.topic] += 1
                start = None
            await self._make_room(part, full=start is not None)

    def _folds(self, part: Partition) -> bool:
        return part.ready and not part.abandoned and self.held.get(part.number) is part

    async def _make_room(self, part: Partition, full: bool = False) -> None:
        """Write checkpoints until less than the limit is pending; at least one if the state says it is full."""
        while (full or part.state.pending_bytes() >= self.limit_bytes) and self._folds(part):
            if await self.save(part):
                full = False
                part.state.advance(self.clock())
            else:
                await asyncio.sleep(0.05)  # no lease: wait for a heartbeat or for the rebalance

    # --- checkpoints --------------------------------------------------------------------------------------------------

    @Service.task
    async def _tick(self) -> None:
        while not self.should_stop:
            await self.sleep(URGENT_INTERVAL_S)
            try:
                await asyncio.gather(*(self._save_if_due(part) for part in list(self.held.values())))
            except Exception as error:  # a table that crashes would not stop the worker
                await self.app.crash(error)
                return

    async def _save_if_due(self, part: Partition) -> None:
        if part.abandoned and self.lease_held() and not self.app.rebalancing:
            raise Fenced(f"{self.changelog_topic_name}[{part.number}] was given up, but is still ours: restart")
        if not self._folds(part):
            return
        await self.position.refetch_stalled(part)
        part.state.advance(self.clock())
        await self._make_room(part)
        age = time.monotonic() - part.saved_at
        due = URGENT_INTERVAL_S if part.state.urgent() else INTERVAL_S
        if age > IDLE_CHECKPOINT_S or (age > due - URGENT_INTERVAL_S / 2 and part.unsaved()):
            await self.save(part)

    def lease_held(self) -> bool:
        """Return True if the group certainly counts this worker as the owner of its partitions."""
        return self.lease.held(self.generation)

    async def flush(self, abandon: bool = False) -> None:
        """Save everything or, without a lease, abandon it. Called when partitions are revoked and at the stop."""
        while unsaved := [part for part in self.held.values() if self._folds(part) and not part.clean()]:
            if abandon or not await self.lease.confirm(self.generation):
                self._abandon(unsaved)
            await asyncio.gather(*(self.save(part) for part in unsaved))  # also waits for a running checkpoint

    def _abandon(self, parts: list[Partition]) -> None:
        numbers = sorted(part.number for part in parts)
        records = sum(len(event.message.value) for part in parts for event in part.events)
        self.log.warning(
            "%s: unsaved work of partitions %s is given up, %d records; the group accepted a heartbeat %.1f s ago",
            self.changelog_topic_name, numbers, records, self.lease.age(),
        )  # fmt: skip
        self.statistics.given_up += len(parts)
        for part in parts:
            part.abandon()

    async def save(self, part: Partition) -> bool:
        """Write a checkpoint, send its outputs and acknowledge its events. Return False if it could not be written now.

        Raises Fenced, CheckpointTooLarge and aiokafka's KafkaError, each of which must stop the worker.
        """
        async with part.lock:
            if not self._folds(part) or not self.lease_held():
                return False
            started = time.monotonic()
            keys = {part.reader.stale.pop() for _ in range(min(MAX_REPAIR_KEYS, len(part.reader.stale)))}
            if keys:
                self.statistics.zombie_keys += len(keys)
                part.state.rewrite_keys(keys)
            offsets, (events, part.events) = dict(part.offsets), (part.events, [])
            snapshot = part.state.snapshot(version(part.reader.epoch, part.reader.sequence + 1), offsets)
            try:
                if not await self._write(part, snapshot, offsets):
                    return False
                await self.changelog.send(part.number, snapshot.outputs)
            except BaseException:
                part.abandon()  # the changelog's content is unknown
                raise
            part.saved_at = time.monotonic()
            self.statistics.checkpoints += 1
            self.statistics.outputs += len(snapshot.outputs)
            self.statistics.checkpoint_seconds += part.saved_at - started
            if self._folds(part):
                for event in events:
                    event.ack()
            return True

    async def _write(self, part: Partition, snapshot: Snapshot, offsets: dict[str, int]) -> bool:
        """Append the checkpoint; return False if another worker has claimed the partition meanwhile."""
        records = part.reader.checkpoint(snapshot, offsets)
        base, size = await self.changelog.append(part.number, records)
        self.statistics.records += len(records)
        self.statistics.bytes += size
        position = part.reader.position
        between = await self.changelog.read_between(part.number, position, base) if base != position else []
        if part.reader.wrote(base, len(records), between):
            return True
        self.statistics.fenced += 1
        part.abandon()
        where = f"{self.changelog_topic_name}[{part.number}]"
        if self.lease_held():
            raise Fenced(f"{where}: a former owner claimed it back: restart, to claim it again")
        self.log.warning("%s was taken over by another worker", where)
        return False

    # --- for metrics --------------------------------------------------------------------------------------------------

    def lag(self) -> dict[TP, int]:
        """Return how many offsets of each input partition are not folded yet."""
        lag: dict[TP, int] = {}
        for part in list(self.held.values()):
            for tp in (TP(topic, part.number) for topic in self.inputs):
                if (end := self.position.end(tp)) is not None:
                    lag[tp] = max(0, end - part.offsets.get(tp.topic, 0))
        return lag
