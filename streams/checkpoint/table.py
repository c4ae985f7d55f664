"""A partition's state that survives anything: folded in memory, kept in its changelog as checkpoints.

    records ──feed──> state ──cut──> one batch in the changelog ──acknowledged──> outputs ──acknowledged──> offsets
                        ^                      |
                        └──────── restore ─────┘   a successor goes on from the checkpoint's own offsets, and sends
                                                   its outputs again, byte for byte

Nothing leaves before the checkpoint that holds it is acknowledged, so a successor never contradicts its predecessor.
Which batches of the changelog count is the rule of :mod:`streams.checkpoint.fencing`; taking partitions over is
:mod:`streams.checkpoint.takeover`. Faust keeps assignment, agents, commit and the table's declaration; its recovery is not used.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import faust
from faust.types.tuples import TP
from mode import Service

from streams.checkpoint.changelog import Changelog
from streams.checkpoint.fencing import version
from streams.checkpoint.input_position import place, seek_stalled
from streams.checkpoint.partition import Partition, Statistics
from streams.checkpoint.takeover import take_over
from streams.desk.partition_state import PartitionState, Snapshot
from streams.errors import DeskwatchError
from streams.kafka.topics import CHANGELOG_CONFIG

REPAIR_KEYS = 5_000
"""Most keys of a zombie that one checkpoint writes over; the rest follow in the next ones."""

IDLE_CHECKPOINT_S = 600.0
"""An idle partition is checkpointed this often, so that a zombie's batch is noticed long before compaction sees it."""


LEASE_PATIENCE_S = 2.0
"""How long the group may take to say, before the last checkpoint, that a worker that was held up is still a member."""


class Fenced(DeskwatchError):
    """Another worker claimed a partition that the group still counts as ours: only a restart can claim it back."""


def wall_clock() -> int:
    """Return ms since the epoch."""
    return time.time_ns() // 1_000_000


class CheckpointTable(faust.Table):  # type: ignore[misc]
    """Declares the changelog, so that Faust assigns it with the inputs, and rides on Faust's rebalance.

    Arguments:
        new_state: makes the empty state of a partition, given its number.
        inputs, outputs: names of the topics, all with ``partitions`` partitions.
        interval, urgent_interval: seconds a change waits for its checkpoint, usually and when the state is urgent.
        limit_bytes: pending bytes at which a checkpoint is written at once; well under changelog.BATCH_LIMIT.
        clock: gives the ``now`` of ``state.advance``: ms since the epoch, or None where the records are the clock.
    """

    def __init__(
        self,
        app: Any,
        *,
        new_state: Callable[[int], PartitionState],
        inputs: Sequence[str],
        outputs: Sequence[str],
        interval: float = 0.5,
        urgent_interval: float = 0.25,
        limit_bytes: int = 4 << 20,
        clock: Callable[[], int | None] = wall_clock,
        **table: Any,
    ) -> None:
        super().__init__(app, extra_topic_configs=CHANGELOG_CONFIG, **table)
        self.new_state, self.inputs, self.outputs = new_state, tuple(inputs), tuple(outputs)
        self.interval, self.urgent_interval = interval, urgent_interval
        self.limit_bytes, self.clock = limit_bytes, clock
        self.owner = uuid.uuid4().hex[:16]
        self.generation = -1
        self.held: dict[int, Partition] = {}
        self.fed_at: dict[str, float] = {}  # by topic, when a list of any partition was folded last
        self.statistics = Statistics()
        self.changelog: Changelog = None  # type: ignore[assignment]  # from the start on
        self._taking_over = asyncio.Lock()

    async def on_start(self) -> None:
        """Declare the changelog and connect to it."""
        await super().on_start()
        self.changelog = self._new_changelog()
        await self.changelog.start()

    def _new_changelog(self) -> Changelog:
        return Changelog(self.changelog_topic_name, self.outputs, self.app.conf)

    async def on_stop(self) -> None:
        """Disconnect: the consumer, which stops first, has saved all (:meth:`flush`)."""
        await super().on_stop()
        self.log.info("Folded %d records in this life", self.statistics.fed.total())
        if self.changelog is not None:
            await self.changelog.stop()

    # --- rebalance: called by Faust -----------------------------------------------------------------------------------

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Keep the states that stay ours and equal the changelog; drop the others.

        Not by ``revoked``: to a worker that was frozen, a partition that went away and came back looks kept.
        """
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        self.generation = generation_id
        ours = {tp.partition for tp in self.app.assignor.assigned_actives() if tp.topic == self.changelog_topic_name}
        self.held = {number: part for number, part in self.held.items() if number in ours and part.clean()}

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Take the assigned partitions over. Faust drops exceptions here (tables/recovery.py:641): crash the app."""
        try:
            async with self._taking_over:
                await take_over(self, {tp.partition for tp in active_tps}, self.generation)
        except Exception as error:
            await self.app.crash(error)
        await super().on_recovery_completed(active_tps, standby_tps)

    # --- records ------------------------------------------------------------------------------------------------------

    async def feed(self, event: Any) -> None:
        """Fold a batch event of one of the inputs. It is acknowledged by itself, with a checkpoint."""
        tp, records = event.message.tp, event.message.value
        part = self.held.get(tp.partition)
        if part is None or not self._folds(part):
            return  # comes again after the rebalance
        self.fed_at[tp.topic] = math.inf  # now, and for as long as it takes
        try:
            await self._feed(part, tp, records, event)
        finally:
            self.fed_at[tp.topic] = time.monotonic()
        await asyncio.sleep(0)  # a full queue would keep the loop to itself

    async def _feed(self, part: Partition, tp: TP, records: Sequence[Any], event: Any) -> None:
        first = start = await place(self, part, tp, records)
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
        return part.ready and not part.lost and self.held.get(part.number) is part

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
            await self.sleep(self.urgent_interval)
            try:
                await asyncio.gather(*(self._save_if_due(part) for part in list(self.held.values())))
            except Exception as error:  # a table that crashes would not stop the worker
                await self.app.crash(error)
                return

    async def _save_if_due(self, part: Partition) -> None:
        if part.lost and self.lease_held() and not self.app.rebalancing:
            raise Fenced(f"{self.changelog_topic_name}[{part.number}] was given up, but is still ours: restart")
        if not self._folds(part):
            return
        await seek_stalled(self, part)
        part.state.advance(self.clock())
        await self._make_room(part)
        age = time.monotonic() - part.saved_at
        due = self.urgent_interval if part.state.urgent() else self.interval
        if age > IDLE_CHECKPOINT_S or (age > due - self.urgent_interval / 2 and part.unsaved()):
            await self.save(part)

    def lease_held(self) -> bool:
        """Return True if the group surely counts this worker's partitions as its own."""
        return bool(self.app.consumer.lease_held(self.generation))

    async def flush(self, abandon: bool = False) -> None:
        """Save everything or, without a lease, give it up. Called when partitions are revoked and at the stop."""
        while unsaved := [part for part in self.held.values() if self._folds(part) and not part.clean()]:
            if abandon or not await self._lease_now():
                self._give_up(unsaved)
            await asyncio.gather(*(self.save(part) for part in unsaved))  # waits for one under way, too

    async def _lease_now(self) -> bool:
        """Return True if the group counts the partitions as ours; a lease that is only old is renewed first."""
        if not self.lease_held():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.app.consumer.renew_lease(), LEASE_PATIENCE_S)
        return self.lease_held()

    def _give_up(self, parts: list[Partition]) -> None:
        numbers = sorted(part.number for part in parts)
        records = sum(len(event.message.value) for part in parts for event in part.events)
        self.log.warning(
            "%s: unsaved work of partitions %s is given up, %d records; the group accepted a heartbeat %.1f s ago",
            self.changelog_topic_name, numbers, records, self.app.consumer.lease_age(),
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
            keys = {part.reader.stale.pop() for _ in range(min(REPAIR_KEYS, len(part.reader.stale)))}
            if keys:
                self.statistics.zombie_keys += len(keys)
                part.state.rewrite_keys(keys)
            offsets, (events, part.events) = dict(part.offsets), (part.events, [])
            cut = part.state.snapshot(version(part.reader.epoch, part.reader.sequence + 1), offsets)
            try:
                if not await self._write(part, cut, offsets):
                    return False
                await self.changelog.send(part.number, cut.outputs)
            except BaseException:
                part.abandon()  # nobody knows what is in the log
                raise
            part.saved_at = time.monotonic()
            self.statistics.checkpoints += 1
            self.statistics.outputs += len(cut.outputs)
            self.statistics.checkpoint_seconds += part.saved_at - started
            if self._folds(part):
                for event in events:
                    event.ack()
            return True

    async def _write(self, part: Partition, cut: Snapshot, offsets: dict[str, int]) -> bool:
        """Append the checkpoint; return False if it turns out that the partition is somebody else's by now."""
        records = part.reader.checkpoint(cut, offsets)
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

    def fetched_to(self, tp: TP) -> int | None:
        """Return the end of an input partition, by the last fetch's high watermark; None if there was none yet."""
        consumer = self.app.consumer
        return consumer.highwater(tp) if tp in consumer.assignment() else None

    def lag(self) -> dict[TP, int]:
        """Return how many offsets of each input partition are not folded yet."""
        lag: dict[TP, int] = {}
        for part in list(self.held.values()):
            for tp in (TP(topic, part.number) for topic in self.inputs):
                if (end := self.fetched_to(tp)) is not None:
                    lag[tp] = max(0, end - part.offsets.get(tp.topic, 0))
        return lag
