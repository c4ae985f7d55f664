"""Faust's consumer with lists of records for messages: how they are delivered, acknowledged, committed, and let go.

The workarounds below name the file and line of faust-streaming 0.15.3 that they are for.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from faust.transport.consumer import ensure_TPset
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types.tuples import TP, ConsumerMessage

from streams.kafka.membership import MemberThread

COMMIT_PATIENCE_S = 5.0
"""How long a revocation waits for its last commit: offsets that stay behind only mean repeated work."""

IDLE_POLL_S = 0.05
"""How long the fetcher sleeps while no partition may be fetched."""

FETCH_WAIT_MS = 250
"""How long the broker may hold a fetch that has nothing to return; a partition resumed meanwhile waits as long."""


class BatchScheduler(DefaultSchedulingStrategy):  # type: ignore[misc]
    """Hands a batch topic's fetched records on as one list a partition, and any other topic's one by one."""

    def __init__(self, batch_topics: frozenset[str]) -> None:
        self.batch_topics = batch_topics

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Yield ``(tp, [records])`` for batch topics and ``(tp, record)`` for the others."""
        yield from ((tp, fetched) for tp, fetched in records.items() if fetched and tp.topic in self.batch_topics)
        single = {tp: fetched for tp, fetched in records.items() if tp.topic not in self.batch_topics}
        if single:
            yield from super().iterate(single)


class BatchThread(MemberThread):
    """The thread that runs aiokafka's consumer."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # drivers/aiokafka.py:615 hard-codes 1500; aiokafka 0.14 consumer.py:391 reads it when the consumer starts.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        # drivers/aiokafka.py:571 reads what a producer aborted, too, unless the app itself is transactional.
        consumer._isolation_level = "read_committed"
        return consumer


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, with lists of records for messages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batch_topics: frozenset[str] = self.app.batch_topics
        self.scheduler = BatchScheduler(self.batch_topics)
        self._in_flight: defaultdict[TP, deque[int]] = defaultdict(deque)  # last offset of each list, as delivered
        self._held_back: set[TP] = set()
        self._acked_before: dict[TP, set[int]] = {}  # acknowledged and not committed when the partitions were revoked

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    # --- delivery -----------------------------------------------------------------------------------------------------

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        """Fetch, without the nap of a whole second that consumer.py:808 takes when no partition may be fetched."""
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
        # consumer.py:1208 drops what is before the offset read last; a list under way while a partition is sought back
        # sets that offset forward again, and what comes after the seek would be dropped. Rather deliver it twice.
        self._read_offset.pop(tp, None)
        first, last, queue = record[0].offset, record[-1], self._in_flight[tp]
        while queue and queue[-1] >= first:  # sought back: lists that were dropped come again
            self._acked_index[tp].discard(queue.pop())
        queue.append(last.offset)
        return ConsumerMessage(
            last.topic, last.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type,
            None, None, record, None, 0, 0, TP(last.topic, last.partition),
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self.batch_topics:  # the offsets of lists always jump
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        """Return the next offset to commit: past the longest run of acknowledged lists; None if there is none."""
        if tp.topic not in self.batch_topics:
            return super()._new_offset(tp)  # type: ignore[no-any-return]
        queue, acked, committable = self._in_flight[tp], self._acked_index[tp], None
        self._acked[tp].clear()
        while queue and queue[0] in acked:
            acked.discard(queue[0])
            committable = queue.popleft() + 1
        if queue and not self.app.crashed and any(offset in acked for offset in queue):
            lost = RuntimeError(f"{tp.topic}[{tp.partition}]: records up to offset {queue[0]} were never acknowledged")
            asyncio.ensure_future(self.app.crash(lost))  # noqa: RUF006
        return committable

    def ack(self, message: Any) -> bool:
        """Acknowledge, but not a list from before a rebalance: it was delivered again."""
        if message.topic in self.batch_topics and message.generation_id != self.app.consumer_generation_id:
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
        """Resume; but batch topics only with the flow.

        recovery.py:649 resumes the inputs before it seeks (:655): one fetch would be folded twice, or lost.
        """
        resumed = ensure_TPset(tps)
        if self.app.rebalancing:
            held = {tp for tp in resumed if tp.topic in self.batch_topics}
            self._held_back |= held
            resumed -= held
        super().resume_partitions(resumed)

    def resume_flow(self) -> None:
        """Resume what a rebalance held back, then the flow."""
        held, self._held_back = self._held_back, set()
        super().resume_partitions(held)
        super().resume_flow()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit, and remember what is acknowledged meanwhile: consumer.py:659 forgets it before the last commit."""
        if not self.app.should_stop and self._active_partitions:
            try:
                await asyncio.wait_for(self._commit_acked(), COMMIT_PATIENCE_S)
            except TimeoutError:
                self.log.warning("The broker did not take the offsets of revoked partitions in time: they come again")
        self._acked_before = {tp: self._acked_index[tp] for tp in revoked if tp.topic in self.batch_topics}
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget what was in flight: it is delivered again."""
        self._thread.joined()
        self._in_flight.clear()
        self._held_back.clear()
        for tp in self._acked_index:
            if tp.topic in self.batch_topics:
                self._acked_index[tp].clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def wait_empty(self) -> None:
        """Revocation and stop pass here, after the agents' queues were cleared: drain, commit, forget the rest."""
        for tp, acked in self._acked_before.items():
            self._acked_index[tp] |= acked
            self._acked[tp].extend(acked)  # only its keys count: the partitions to commit
        self._acked_before = {}
        await self.app.drain()
        self._unacked_messages.clear()
        if self.app.crashed:
            return  # a crash ends the consumer's thread, too (mode 0.7.1 services.py:931): nobody would answer a commit
        await self.maybe_wait_for_commit_to_finish()
        await super().wait_empty()

    async def _commit_acked(self) -> bool:
        """Commit all that is acknowledged by now; consumer.py:947 commits nothing while another commit is under way."""
        await self.maybe_wait_for_commit_to_finish()
        return await self.commit()  # type: ignore[no-any-return]
