"""Faust's consumer with batches of records for messages: delivery, acknowledgement, commit and rebalance.

The workarounds below name the file and line of faust-streaming 0.15.3 that they are for.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from faust.transport.consumer import ensure_TPset
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types.tuples import TP, ConsumerMessage

from streams.kafka.consumer_thread import BatchThread
from streams.kafka.in_flight import InFlight

COMMIT_PATIENCE_S = 5.0
"""How long a revocation waits for its last commit: uncommitted records are delivered again."""

IDLE_POLL_S = 0.05
"""How long the fetcher sleeps while no partition may be fetched."""


class BatchScheduler(DefaultSchedulingStrategy):  # type: ignore[misc]
    """Delivers the fetched records of a batch topic as one batch per partition, those of other topics one by one."""

    def __init__(self, batch_topics: frozenset[str]) -> None:
        self.batch_topics = batch_topics

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Yield ``(tp, [records])`` for batch topics and ``(tp, record)`` for the others."""
        yield from ((tp, fetched) for tp, fetched in records.items() if fetched and tp.topic in self.batch_topics)
        single = {tp: fetched for tp, fetched in records.items() if tp.topic not in self.batch_topics}
        if single:
            yield from super().iterate(single)


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, with batches of records for messages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batch_topics: frozenset[str] = self.app.batch_topics
        self.scheduler = BatchScheduler(self.batch_topics)
        self._in_flight: defaultdict[TP, InFlight] = defaultdict(InFlight)
        self._resume_later: set[TP] = set()  # with the flow, after the rebalance

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    # --- delivery -----------------------------------------------------------------------------------------------------

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        """Fetch, without the second that consumer.py:808 sleeps when no partition may be fetched."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        deadline = time.monotonic() + timeout
        while self.flow_active and not self._get_active_partitions():
            if self.should_stop or time.monotonic() > deadline:
                return {}, set()
            await self.sleep(IDLE_POLL_S)
        return await super()._wait_next_records(timeout)  # type: ignore[no-any-return]

    def _to_message(self, tp: TP, record: Any) -> Any:
        if type(record) is not list:
            return super()._to_message(tp, record)
        # consumer.py:1208 drops records before the offset read last. A batch under way during a seek back sets that
        # offset forward again, and the records fetched after the seek would be dropped: deliver some twice instead.
        self._read_offset.pop(tp, None)
        last = record[-1]
        batch = ConsumerMessage(
            last.topic, last.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type,
            None, None, record, None, 0, 0, TP(last.topic, last.partition),
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip
        self._in_flight[tp].deliver(batch, record[0].offset, last.offset)
        return batch

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self.batch_topics:  # between batches the offsets always jump
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        """Return the next offset to commit: past the longest run of acknowledged batches; None if there is none."""
        if tp.topic not in self.batch_topics:
            return super()._new_offset(tp)  # type: ignore[no-any-return]
        self._acked[tp].clear()  # only its keys count: the partitions to commit
        self._acked_index[tp].clear()
        in_flight = self._in_flight[tp]
        committable = in_flight.commit()
        if not self.app.crashed and (skipped := in_flight.skipped()) is not None:
            lost = RuntimeError(f"{tp.topic}[{tp.partition}]: records up to offset {skipped} were never acknowledged")
            asyncio.ensure_future(self.app.crash(lost))  # noqa: RUF006
        return committable

    def ack(self, message: Any) -> bool:
        """Acknowledge, but not a batch from before a rebalance or a seek back: it is delivered again."""
        if message.topic in self.batch_topics and not (
            message.generation_id == self.app.consumer_generation_id and self._in_flight[message.tp].ack(message)
        ):
            self._unacked_messages.discard(message)
            message.acked = True
            return False
        return super().ack(message)  # type: ignore[no-any-return]

    def on_buffer_full(self, tp: TP) -> None:
        """Keep fetching: a full queue already blocks the conductor, and pausing costs consumer.py:808's sleep."""
        if tp.topic not in self.batch_topics:
            super().on_buffer_full(tp)

    # --- rebalance ----------------------------------------------------------------------------------------------------

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Resume; during a rebalance, the batch topics only with the flow.

        recovery.py:649 resumes the inputs before it seeks (:655): one fetch would be delivered twice, or lost.
        """
        resumed = ensure_TPset(tps)
        if self.app.rebalancing:
            later = {tp for tp in resumed if tp.topic in self.batch_topics}
            self._resume_later |= later
            resumed -= later
        super().resume_partitions(resumed)

    def resume_flow(self) -> None:
        """Resume the partitions that waited for the end of the rebalance, then the flow."""
        later, self._resume_later = self._resume_later, set()
        super().resume_partitions(later)
        super().resume_flow()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is acknowledged by now, if that does not take too long."""
        if not self.app.should_stop and self._active_partitions:
            try:
                await asyncio.wait_for(self._commit_acked(), COMMIT_PATIENCE_S)
            except TimeoutError:
                self.log.warning(
                    "The offsets of revoked partitions were not committed in time: their records come again"
                )
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget the batches in flight: they are delivered again."""
        self._thread.joined()
        self._in_flight.clear()
        self._resume_later.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def wait_empty(self) -> None:
        """At a revocation and at the stop, after the agents' queues were cleared: drain, commit, forget the rest."""
        for tp in self._in_flight:
            self._acked[tp]  # consumer.py:659 removed the partitions with acknowledged batches: add them again
        await self.app.drain()
        self._unacked_messages.clear()
        if self.app.crashed:
            return  # a crash also ends the consumer's thread (mode 0.7.1 services.py:931): a commit would never return
        await self.maybe_wait_for_commit_to_finish()
        await super().wait_empty()

    async def _commit_acked(self) -> bool:
        """Commit everything acknowledged by now; consumer.py:947 commits nothing while another commit is running."""
        await self.maybe_wait_for_commit_to_finish()
        return await self.commit()  # type: ignore[no-any-return]
