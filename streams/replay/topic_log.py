"""The log, read from the input topics of Kafka."""

import asyncio
from collections.abc import Iterator

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.models.codec import decode, structured
from streams.models.envelope import Event
from streams.models.signals import is_replay_clock
from streams.models.topics import INPUTS
from streams.replay.order import Sorter
from streams.settings import Settings

IDLE_MS = 1000


def read_topics(settings: Settings) -> Iterator[bytes]:
    """All events on the input topics, in the order of business time, without the clock events of a replay.

    Reading partitions one after another would put events days out of order, and window rules ignore events that are
    later than the policy's lateness.
    """
    return (value for _, value in asyncio.run(_read(settings)).sorted())


async def _read(settings: Settings) -> Sorter:
    sorter = Sorter()
    latest = dict[TopicPartition, int]()  # a message that is no event stays behind its predecessor
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.broker, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:
        assigned = [TopicPartition(topic, n) for topic in INPUTS for n in range(settings.partitions)]
        consumer.assign(assigned)
        await consumer.seek_to_beginning(*assigned)
        while fetched := await consumer.getmany(timeout_ms=IDLE_MS, max_records=20_000):
            for tp, records in fetched.items():
                for record in records:
                    event = decode(record.value, record.headers)
                    if is_replay_clock(event):
                        continue
                    if isinstance(event, Event):
                        latest[tp] = event.at
                    value = structured(record.value, record.headers)
                    if value is not None:
                        sorter.add((latest.get(tp, -1), value))
    return sorter
