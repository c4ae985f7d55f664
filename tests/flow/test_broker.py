"""The project's requirements on a Kafka broker, checked for each: topics, batches, groups, the changelog."""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from streams.bench.broker import Group
from streams.checkpoint.changelog import Changelog, CheckpointTooLarge
from streams.checkpoint.fencing import Entry
from streams.kafka.app import BatchApp
from streams.kafka.topics import BATCH_LIMIT, CHANGELOG, CONFIGS, TopicError, create_topics
from streams.models.records import Output
from streams.replay.feeder import Feeder
from streams.settings import Settings


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


def new_topic(broker: str, config: Mapping[str, str] | None = None) -> str:
    """A topic of this test's own, with two partitions."""
    name = f"contract-{uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(name, 2, 1, topic_configs=dict(config or {}))])
    admin.wait_for_topics([name])
    admin.close()
    return name


@asynccontextmanager
async def changelog_on(broker: str) -> AsyncIterator[Changelog]:
    topic, outputs = new_topic(broker, CONFIGS[CHANGELOG]), new_topic(broker)
    changelog = Changelog(topic, [outputs], BatchApp("unit", broker=f"kafka://{broker}").conf)
    await changelog.start()
    yield changelog
    await changelog.stop()


async def read_all(broker: str, topic: str, partition: int) -> list[Any]:
    """What is there, up to the high watermark."""
    found: list[Any] = []
    async with AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest") as consumer:
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        while consumer.highwater(tp) is None or await consumer.position(tp) < consumer.highwater(tp):
            found += (await consumer.getmany(tp, timeout_ms=200)).get(tp, [])
    return found


class TestBroker:
    """The contract."""

    def test_topics_are_made_once_and_keep_their_partitions(self, broker: str) -> None:
        settings = Settings(broker=broker, partitions=1)
        create_topics(settings)
        create_topics(settings)  # another role, a restart
        with pytest.raises(TopicError, match="has 1 partitions, not 3: set DESKWATCH_PARTITIONS=1"):
            create_topics(Settings(broker=broker, partitions=3))

    def test_what_is_produced_is_read_in_order_with_keys_and_headers(self, broker: str) -> None:
        topic = new_topic(broker)

        async def work() -> None:
            async with AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=1 << 20) as producer:
                await producer.client.set_topics([topic])
                feeder = Feeder(producer, 2)
                for number in range(20_000):
                    await feeder.send(topic, number % 2, f"k{number}", b"%d" % number)
                await feeder.flush(wait=True)
                assert feeder.ends == {(topic, 0): 10_000, (topic, 1): 10_000}
                await producer.send_and_wait(topic, b"last", partition=1, headers=[("h", b"\xff")])
            odd = await read_all(broker, topic, 1)
            assert [record.value for record in odd[:-1]] == [b"%d" % number for number in range(1, 20_000, 2)]
            assert [record.offset for record in odd] == list(range(10_001))
            assert (odd[0].key, odd[-1].key, odd[-1].headers) == (b"k1", None, (("h", b"\xff"),))

        run(work())

    def test_a_group_goes_on_where_it_committed(self, broker: str) -> None:
        topic, name = new_topic(broker), uuid4().hex

        async def read_some(count: int, commit: bool) -> list[bytes]:
            found: list[bytes] = []
            async with AIOKafkaConsumer(
                topic, bootstrap_servers=broker, group_id=name, auto_offset_reset="earliest", enable_auto_commit=False,
                session_timeout_ms=2000, heartbeat_interval_ms=400,
            ) as consumer:  # fmt: skip
                while len(found) < count:
                    fetched = await consumer.getmany(timeout_ms=200, max_records=count - len(found))
                    found += [record.value for records in fetched.values() for record in records]
                if commit:
                    await consumer.commit()
            return found

        async def work() -> None:
            async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
                for number in range(10):
                    await producer.send_and_wait(topic, b"%d" % number, partition=0)
            async with Group(broker, name, [topic], 2) as group:
                assert await group.committed() == {(topic, 0): 0, (topic, 1): 0}
                first = await read_some(4, commit=True)
                assert await group.committed() == {(topic, 0): 4, (topic, 1): 0}
                assert await read_some(3, commit=False) == [b"4", b"5", b"6"]
                assert first + await read_some(6, commit=True) == [b"%d" % number for number in range(10)]
                assert await group.committed() == {(topic, 0): 10, (topic, 1): 0}

        run(work())

    def test_a_checkpoint_is_one_batch_and_its_offset_is_the_true_end(self, broker: str) -> None:
        async def work() -> None:
            async with changelog_on(broker) as changelog:
                bases = []
                for size in (1, 5_000, 3):
                    records: list[Entry] = [(b"=%d" % number, b"v" * 100) for number in range(size)]
                    bases.append((await changelog.append(0, records))[0])
                assert bases == [0, 1, 5_001]
                assert [record.offset for record in await changelog.read_between(0, 4_999, 5_001)] == [4_999, 5_000]
                found: list[Any] = []
                await changelog.read({0: 0, 1: 0}, {}, lambda _partition, records: found.extend(records))
                assert [record.offset for record in found] == list(range(5_004))
                with pytest.raises(RuntimeError, match="was it deleted"):
                    await changelog.read_between(0, 5_004, 5_001)

        run(work())

    def test_a_checkpoint_may_have_eight_mebibytes_and_no_more(self, broker: str) -> None:
        async def work() -> None:
            async with changelog_on(broker) as changelog:
                number = (BATCH_LIMIT - 50_000) // 1020
                records: list[Entry] = [(b"=%d" % n, random.Random(n).randbytes(1000)) for n in range(number)]
                base, size = await changelog.append(1, records)
                assert (base, size > BATCH_LIMIT - 200_000) == (0, True)
                found: list[Any] = []
                await changelog.read({1: 0}, {}, lambda _partition, records: found.extend(records))
                assert [(record.key, record.value) for record in found] == records
                with pytest.raises(CheckpointTooLarge, match="over 8 MiB"):
                    await changelog.append(1, records * 2)

        run(work())

    def test_a_checkpoint_is_compressed(self, broker: str) -> None:
        async def work() -> None:
            async with changelog_on(broker) as changelog:
                records: list[Entry] = [(b"=%d" % n, b'{"ticket_id":"t%d","status":"open"}' % n) for n in range(1000)]
                _, size = await changelog.append(1, records)
                assert size < sum(len(key) + len(value or b"") for key, value in records) / 4
                found: list[Any] = []
                await changelog.read({1: 0}, {}, lambda _partition, records: found.extend(records))
                assert [(record.key, record.value) for record in found] == records

        run(work())

    def test_outputs_arrive_in_order_in_as_many_batches_as_it_takes(self, broker: str) -> None:
        async def work() -> None:
            async with changelog_on(broker) as changelog:
                [topic] = changelog._outputs
                outputs = [Output(topic, b"k", b"%d" % number + b"v" * 9_000) for number in range(500)]
                await changelog.send(1, outputs)
                assert [record.value for record in await read_all(broker, topic, 1)] == [
                    output.value for output in outputs
                ]

        run(work())
