"""A fresh broker for a measurement, loading it beforehand, and the committed offsets of a consumer group."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.embedded import broker
from streams.embedded.process import Process, free_port
from streams.errors import UserError
from streams.kafka.partitioner import partition_of
from streams.replay.feeder import BATCH_BYTES, MAX_MESSAGE_BYTES, Feeder
from streams.replay.log import place

START_S = 30.0


class BenchError(UserError):
    """A measurement failed: one sentence that says which part, and why."""


class Broker:
    """An empty embedded broker; it ends, and frees its memory, with the `with` block."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def __enter__(self) -> "Broker":
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        log = self.folder / "broker.log"
        self.process = Process("broker", broker.command(port), {"RUST_LOG": "warn"}, self.folder / "broker.pid", log)
        until = time.monotonic() + START_S
        try:
            while not (self.process.listens(port) and broker.answers(self.address)):
                if self.process.exit_status() is not None or time.monotonic() > until:
                    raise BenchError(f"The broker did not start: {self.process.last_words()} (see {log})")
                time.sleep(0.02)
        except BaseException:
            self.process.end(0.0)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.ask_to_end()
        self.process.end(5.0)


async def load(broker: str, topic: str, lines: Iterable[bytes], partitions: int) -> None:
    """Write events to one topic, without `clock.advanced`, unknown to a plain app."""
    producer = AIOKafkaProducer(
        bootstrap_servers=broker,
        acks="all",
        max_batch_size=MAX_MESSAGE_BYTES,
        max_request_size=MAX_MESSAGE_BYTES + BATCH_BYTES,
    )
    async with producer:
        await producer.client.set_topics([topic])
        feeder = Feeder(producer, partitions)
        for value in lines:
            key = place(value).key
            await feeder.send(topic, partition_of(key, partitions), key, value)
        await feeder.flush(wait=True)


class Group:
    """A consumer group as the broker sees it."""

    def __init__(self, broker: str, name: str, topics: Iterable[str], partitions: int) -> None:
        self.broker, self.name = broker, name
        self.partitions = [TopicPartition(topic, n) for topic in topics for n in range(partitions)]

    async def __aenter__(self) -> "Group":
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self.broker)
        await self._admin.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._admin.close()

    async def committed(self) -> dict[tuple[str, int], int]:
        """The committed offset of each partition, 0 where there is none."""
        try:
            found = await self._admin.list_consumer_group_offsets(self.name, partitions=self.partitions)
        except KafkaError:  # no coordinator yet
            return dict.fromkeys(self.partitions, 0)
        return {tp: max(0, found[tp].offset) if tp in found else 0 for tp in self.partitions}


async def first_record(broker: str, topic: str, partitions: int, check: Callable[[], None]) -> None:
    """Wait until the topic holds a record; `check` is called meanwhile, and raises if there will be none."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    async with consumer:
        consumer.assign([TopicPartition(topic, n) for n in range(partitions)])
        await consumer.seek_to_beginning()
        while not await consumer.getmany(timeout_ms=100, max_records=1):
            check()
