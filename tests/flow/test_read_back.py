"""Reading a partition of an output topic back, from what Kafka still keeps of it to its end.

offset   0 ── 1 ── 2 ── 3 │ 4 ── 5 ──>      deleted by retention up to 4; an empty partition ends at once
"""

import asyncio
from collections import defaultdict
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from streams.checkpoint.changelog import Changelog
from streams.kafka.app import BatchApp
from tests.apache_kafka import Kafka

pytestmark = pytest.mark.kafka


def test_a_topic_is_read_from_the_first_record_that_is_kept(kafka: Kafka) -> None:
    topic = f"facts-{uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    admin.create_topics([NewTopic(topic, 3, 1)])
    admin.wait_for_topics([topic])
    asyncio.run(produce(kafka.address, topic, 6))
    admin.delete_records({TopicPartition(topic, 0): 4})
    admin.close()
    assert asyncio.run(read(kafka.address, topic)) == {0: [4, 5], 1: [0, 1, 2, 3, 4, 5]}


async def produce(broker: str, topic: str, many: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        for n in range(2 * many):
            await producer.send_and_wait(topic, b"row", partition=n % 2)


async def read(broker: str, topic: str) -> dict[int, list[int]]:
    """By partition, the offsets read."""
    found: defaultdict[int, list[int]] = defaultdict(list)

    def apply(partition: int, records: list[Any]) -> None:
        found[partition] += [record.offset for record in records]

    changelog = Changelog("changelog", [topic], BatchApp("unit", broker=f"kafka://{broker}").conf)
    await asyncio.wait_for(changelog.read(dict.fromkeys(range(3), 0), {}, apply, topic), 30)
    return dict(found)
