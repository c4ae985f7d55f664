"""Reads the topic of dead letters, and sends repaired events to the topics of origin.

    read ──> letters ──repaired──> origin topic ──acknowledged──> marker on dead-letters ──acknowledged──> next ones

This order loses nothing. An interrupted run sends some events twice, which changes nothing: they are duplicates.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from streams.errors import UserError
from streams.models.codec import Rejected, Unknown, decode
from streams.models.dead_letters import DeadLetter, ReplayMarker, gather, read, replayed
from streams.models.records import Output
from streams.models.topics import DEAD_LETTERS
from streams.replay.log import place, targets

MAX_MESSAGE_BYTES = 6 << 20
BATCH_SIZE = 500  # letters sent before their markers


class DeadLettersError(UserError):
    """The topic cannot be read or written. The message is one sentence."""


class Repaired(NamedTuple):
    """A letter, and the event to send in its place."""

    letter: DeadLetter
    value: bytes


def fault(value: bytes | None, now: int | None) -> str | None:
    """Why a value would be rejected again; None if it is valid. `now`: the wall clock in ms, None in a replay."""
    event = decode(value, (), now)
    if isinstance(event, Rejected):
        return event.reason
    return f"its type {event.type!r} is unknown" if isinstance(event, Unknown) else None


def read_letters(broker: str) -> list[DeadLetter]:
    """All letters on the topic, in the order of their origin. Raises DeadLettersError."""
    found: list[DeadLetter] = asyncio.run(_guarded(broker, _read(broker)))
    return found


def send_letters(broker: str, repaired: Sequence[Repaired]) -> None:
    """Send repaired events, and a marker for each letter. Raises DeadLettersError."""
    asyncio.run(_guarded(broker, _send(broker, repaired)))


async def _guarded(broker: str, work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await work
    except UnknownTopicOrPartitionError:
        raise DeadLettersError(f"There is no topic {DEAD_LETTERS} at {broker}: no desk has run there yet.") from None
    except KafkaError as error:
        raise DeadLettersError(
            f"The dead letters at {broker} cannot be reached ({type(error).__name__}): start the broker, set "
            "DESKWATCH_BROKER, or name an embedded desk's directory with --data DIR."
        ) from None


async def _read(broker: str) -> list[DeadLetter]:
    found: list[DeadLetter | ReplayMarker | None] = []
    consumer = AIOKafkaConsumer(
        DEAD_LETTERS,
        bootstrap_servers=broker,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        fetch_max_wait_ms=100,
    )
    try:
        await consumer.start()
        unread = set(consumer.assignment())  # without a group: all partitions
        if not unread:
            raise UnknownTopicOrPartitionError
        await consumer.seek_to_beginning(*unread)
        while unread:
            for records in (await consumer.getmany(*unread, timeout_ms=200)).values():
                found += map(read, records)
            for tp in list(unread):
                # Not by ListOffsets: Tansu 0.6 answers with the last batch's base offset + 1.
                end = consumer.highwater(tp)
                if end is not None and await consumer.position(tp) >= end:
                    unread.discard(tp)
    finally:
        await consumer.stop()
    return gather(found)


async def _send(broker: str, repaired: Sequence[Repaired]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", max_request_size=MAX_MESSAGE_BYTES)
    try:
        await producer.start()
        for start in range(0, len(repaired), BATCH_SIZE):
            part = repaired[start : start + BATCH_SIZE]
            events = [message for each in part for message in await _events(producer, each)]
            await _acknowledged(producer, events)
            now = time.time_ns() // 1_000_000
            markers = [(each.letter.partition, replayed(each.letter, each.value, now)) for each in part]
            await _acknowledged(producer, markers)
    finally:
        await producer.stop()


async def _events(producer: AIOKafkaProducer, repaired: Repaired) -> Iterable[tuple[int, Output]]:
    """The messages that replace a letter: on its topic, in the partition of the event's key, or in all partitions."""
    line = place(repaired.value)
    key = None if line.key is None else line.key.encode()
    topic = repaired.letter.topic
    partitions = len(await producer.partitions_for(topic))
    return [(n, Output(topic, key, repaired.value)) for n in targets(line, partitions)]


async def _acknowledged(producer: AIOKafkaProducer, messages: Iterable[tuple[int, Output]]) -> None:
    sent = [
        await producer.send(topic, value, key=key, partition=partition, headers=list(headers))
        for partition, (topic, key, value, headers, _) in messages
    ]
    await asyncio.gather(*sent)
