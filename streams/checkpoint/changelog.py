"""Reading and writing the record batches of a changelog, and sending outputs. Does not interpret the batches."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from faust.transport.drivers import aiokafka as driver

from streams.checkpoint.fencing import Entry
from streams.errors import DeskwatchError
from streams.kafka.topics import BATCH_LIMIT
from streams.models.records import Output

OUTPUT_BATCH_BYTES = 512 << 10
"""Size at which a batch of outputs is closed, bytes: well under the 1 MiB that brokers accept by default."""


class CheckpointTooLarge(DeskwatchError):
    """A snapshot does not fit into one record batch."""


class Changelog:
    """The changelog topic of one table; partitions are given by number.

    Arguments:
        topic: name of the changelog topic.
        outputs: names of the output topics.
        conf: the Faust app's settings (broker, credentials, timeouts).
    """

    def __init__(self, topic: str, outputs: Iterable[str], conf: Any) -> None:
        self.topic = topic
        self._outputs = tuple(outputs)
        self._connection: Mapping[str, Any] = {
            "bootstrap_servers": driver.server_list(conf.broker, 9092),
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        }
        self._producer = AIOKafkaProducer(
            acks="all",
            max_batch_size=BATCH_LIMIT,
            max_request_size=BATCH_LIMIT + (1 << 20),
            request_timeout_ms=30_000,
            **self._connection,
        )

    async def start(self) -> None:
        """Connect, and fetch the metadata of the topics."""
        await self._producer.start()
        await self._producer.client.set_topics([self.topic, *self._outputs])

    async def stop(self) -> None:
        """Wait for the batches in flight, and disconnect."""
        await self._producer.stop()

    async def append(self, partition: int, records: list[Entry]) -> tuple[int, int]:
        """Append the records as one batch; return its base offset and its size in bytes, once acknowledged.

        It is compressed to about a tenth: a checkpoint repeats the names of fields, teams and rows. Outputs are not
        compressed, since their readers may lack zstd.

        Raises CheckpointTooLarge, and aiokafka's KafkaError: then it is unknown whether the batch is in the log.
        """
        batch, now = BatchBuilder(BATCH_LIMIT, DefaultRecordBatch.CODEC_ZSTD), time.time_ns() // 1_000_000
        append = batch.append  # 0.3 µs a record in aiokafka 0.14 (its Cython builder alone: 0.2)
        for key, value in records:
            if append(timestamp=now, key=key, value=value) is None:
                raise CheckpointTooLarge(
                    f"{self.topic}[{partition}]: a checkpoint of {len(records)} records is over "
                    f"{BATCH_LIMIT >> 20} MiB: the state must stop feeding earlier (pending_bytes)"
                )
        acknowledged = await self._producer.send_batch(batch, self.topic, partition=partition)
        return (await acknowledged).offset, batch.size()

    async def send(self, partition: int, outputs: list[Output]) -> None:
        """Send outputs, in order within a topic's partition; return when all are acknowledged.

        `partition`: that of the state; an output without a partition goes to this one.
        """
        groups: dict[tuple[str, int], list[Output]] = {}
        for output in outputs:
            target = partition if output.partition is None else output.partition
            groups.setdefault((output.topic, target), []).append(output)
        await asyncio.gather(*(self._send(topic, target, group) for (topic, target), group in groups.items()))

    async def _send(self, topic: str, partition: int, outputs: list[Output]) -> None:
        acknowledged, batch, now = [], self._producer.create_batch(), time.time_ns() // 1_000_000
        for _topic, key, value, headers, _partition in outputs:
            if batch.size() > OUTPUT_BATCH_BYTES:
                acknowledged.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
            batch.append(timestamp=now, key=key, value=value, headers=list(headers))
        acknowledged.append(await self._producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*acknowledged)

    async def read(
        self,
        starts: Mapping[int, int],
        ends: Mapping[int, int],
        apply: Callable[[int, list[Any]], None],
        topic: str | None = None,
    ) -> None:
        """Read partitions from ``starts[partition]`` to ``ends[partition]``, or to the last record if it has no end.

        ``apply(partition, records)`` gets runs of records in order. The last run may go past the end: the caller
        has to drop the rest. ``topic``: another one than the changelog.
        """
        todo = {
            TopicPartition(topic or self.topic, number): start
            for number, start in starts.items()
            if number not in ends or start < ends[number]
        }
        if not todo:
            return
        consumer = AIOKafkaConsumer(
            fetch_max_wait_ms=100,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=BATCH_LIMIT,
            **self._connection,
        )
        async with consumer:
            consumer.assign(list(todo))
            for tp, start in todo.items():
                consumer.seek(tp, start)
            while todo:
                fetched = await consumer.getmany(*todo, timeout_ms=200, max_records=20_000)
                for tp, records in fetched.items():
                    apply(tp.partition, records)
                for tp in list(todo):
                    # Not ListOffsets: Tansu 0.6 answers with the base offset of the last batch + 1.
                    end = ends.get(tp.partition, consumer.highwater(tp))
                    if end is not None and await consumer.position(tp) >= end:
                        del todo[tp]

    async def read_between(self, partition: int, start: int, end: int) -> list[Any]:
        """Return the records at offsets ``start`` to ``end - 1``; RuntimeError if the log ends before ``start``."""
        if end < start:
            raise RuntimeError(
                f"{self.topic}[{partition}] ends at offset {end}, but was read up to {start}: was it deleted?"
            )
        between: list[Any] = []
        await self.read({partition: start}, {partition: end}, lambda _partition, records: between.extend(records))
        return [record for record in between if record.offset < end]
