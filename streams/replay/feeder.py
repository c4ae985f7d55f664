"""Feeds recorded events through the broker, with the log's own time beside them.

    events      e1    e2 e3        e4                e5
    log time    |-----+--+---------+-----------------+
    to all      clock.advanced at the start, as minutes of log time pass, and at the end

At full speed, clock.advanced is sent about twenty times a second, not every minute of the log; the results are equal.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.desk.escalation.codec import HANDED_ON
from streams.errors import UserError
from streams.kafka.partitioner import partition_of
from streams.models.instants import MINUTE
from streams.models.signals import clock_event
from streams.models.topics import ACTIONS, INPUTS
from streams.replay.log import Line, place, targets

BATCH_BYTES = 128 << 10
MAX_MESSAGE_BYTES = 4 << 20
MAX_UNACKNOWLEDGED = 64  # batches
CLOCK_EVERY_S = 0.05
PATIENCE_MS = 120_000
"""How long a batch waits for a broker that does not answer: it may be restarting."""

TopicPartition = tuple[str, int]
Headers = list[tuple[str, bytes]]
NO_HEADERS: Headers = []
Message = tuple[bytes | None, bytes, Headers]
"""Key, value, headers."""


class Fed(NamedTuple):
    """What a replay sent: lines read, next offset by (topic, partition), and the log's latest time (ms)."""

    lines: int
    ends: dict[TopicPartition, int]
    as_of: int


class ReplayError(UserError):
    """The log cannot be fed. The message is one sentence."""


class Feeder:
    """Sends records to their partitions in order, in its own batches: ten times as fast as one by one."""

    def __init__(self, producer: AIOKafkaProducer, partitions: int) -> None:
        self.producer, self.partitions = producer, partitions
        self.ends: dict[TopicPartition, int] = {}
        self._batches: dict[TopicPartition, list[Message]] = {}
        self._sizes: dict[TopicPartition, int] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._last: dict[TopicPartition, asyncio.Task[None]] = {}

    async def send(
        self, topic: str, partition: int, key: str | None, value: bytes, headers: Headers = NO_HEADERS
    ) -> None:
        """Queue a record; waits while too many batches are unacknowledged."""
        tp = (topic, partition)
        batch = self._batches.setdefault(tp, [])
        batch.append((None if key is None else key.encode(), value, headers))
        size = self._sizes[tp] = self._sizes.get(tp, 0) + len(value) + 64
        if size > BATCH_BYTES:
            await self._flush(tp)

    async def flush(self, *, wait: bool = False) -> None:
        """Send the queued records; with `wait`, wait until all are acknowledged."""
        for tp in [tp for tp, batch in self._batches.items() if batch]:
            await self._flush(tp)
        if wait and self._under_way:
            await asyncio.gather(*self._under_way)

    async def abandon(self) -> None:
        """Drop the unacknowledged batches, and their errors."""
        under_way = list(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, *self._last.values(), return_exceptions=True)

    async def _flush(self, tp: TopicPartition) -> None:
        records, self._batches[tp], self._sizes[tp] = self._batches[tp], [], 0
        while len(self._under_way) >= MAX_UNACKNOWLEDGED:
            done, _ = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        task = asyncio.create_task(self._append(tp, records, self._last.get(tp)))
        self._last[tp] = task
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _append(self, tp: TopicPartition, records: list[Message], former: "asyncio.Task[None] | None") -> None:
        if former is not None:
            await former  # keeps the order of a partition's batches
        batch, now = self.producer.create_batch(), time.time_ns() // 1_000_000
        for key, value, headers in records:
            batch.append(timestamp=now, key=key, value=value, headers=headers)
        acknowledged = await (await self.producer.send_batch(batch, tp[0], partition=tp[1]))
        self.ends[tp] = acknowledged.offset + len(records)


async def feed(
    lines: Iterable[bytes], broker: str, partitions: int, speed: float | None, progress: Callable[[int], None]
) -> Fed:
    """Feed a log through the broker.

    `lines`: the events in the order of the log. `speed`: a multiple of the log's own speed; None: no pauses.
    `progress` is called every thousand lines, with the number of lines. Raises ReplayError.
    """
    async with connected(broker, partitions) as feeder:
        return await _feed(lines, feeder, speed, progress)


@asynccontextmanager
async def connected(broker: str, partitions: int) -> AsyncIterator[Feeder]:
    """A feeder, connected to a broker. Raises ReplayError if the broker refuses events, or is down for too long."""
    producer = AIOKafkaProducer(
        bootstrap_servers=broker,
        acks="all",
        max_batch_size=MAX_MESSAGE_BYTES,
        max_request_size=MAX_MESSAGE_BYTES + (1 << 20),
        request_timeout_ms=PATIENCE_MS,
    )
    feeder = Feeder(producer, partitions)
    try:
        await producer.start()
        await producer.client.set_topics([*INPUTS, ACTIONS])
        yield feeder
    except KafkaError as error:
        await feeder.abandon()
        raise ReplayError(f"The broker at {broker} does not take the events: {type(error).__name__} {error}") from None
    finally:
        await producer.stop()


async def _feed(lines: Iterable[bytes], feeder: Feeder, speed: float | None, progress: Callable[[int], None]) -> Fed:
    n, latest, advanced_to = 0, -1, -1
    pace, advanced_s = Pace(speed), time.monotonic()
    for n, value in enumerate(lines, 1):
        line = place(value)
        if line.event is not None:
            if pace.ahead(line.event.at):
                await feeder.flush()
                await pace.wait(line.event.at)
            if advanced_to < 0:
                latest = advanced_to = line.event.at
                await advance_clock(feeder, advanced_to)
            latest = max(latest, line.event.at)
        for partition in targets(line, feeder.partitions):
            await feeder.send(line.topic, partition, line.key, value, _headers(line, partition, feeder.partitions))
        if latest - advanced_to >= MINUTE and time.monotonic() - advanced_s >= CLOCK_EVERY_S:
            advanced_to, advanced_s = latest, time.monotonic()
            await advance_clock(feeder, advanced_to)
            await asyncio.sleep(0)
        if not n % 1000:
            progress(n)
    if latest >= 0:
        for _ in range(2):  # said twice: nothing more comes of this instant
            await advance_clock(feeder, latest)
    await feeder.flush(wait=True)
    progress(n)
    return Fed(n, feeder.ends, latest)


def _headers(line: Line, partition: int, partitions: int) -> Headers:
    """An action goes to all partitions at once, as role escalate would hand it on: any may have its warning."""
    copy = line.topic == ACTIONS and line.broadcast and partition != partition_of(line.key, partitions)
    return [HANDED_ON] if copy else NO_HEADERS


async def advance_clock(feeder: Feeder, to: int) -> None:
    """Send clock.advanced to every partition of every input topic: the time of the log is `to` (ms)."""
    value = clock_event(to)
    for topic in INPUTS:
        for partition in range(feeder.partitions):
            await feeder.send(topic, partition, None, value)


class Pace:
    """Computes when an event of the log is due on the wall clock."""

    def __init__(self, speed: float | None) -> None:
        self.speed = speed
        self.began_at: int | None = None
        self.began_s = 0.0

    def _due_in(self, at: int) -> float:
        if self.speed is None:
            return 0.0
        if self.began_at is None:
            self.began_at, self.began_s = at, time.monotonic()
        return self.began_s + (at - self.began_at) / 1000 / self.speed - time.monotonic()

    def ahead(self, at: int) -> bool:
        """Whether the event is not due yet."""
        return self._due_in(at) > 0.01

    async def wait(self, at: int) -> None:
        """Wait until the event is due."""
        await asyncio.sleep(max(0.0, self._due_in(at)))
