"""Faust's consumer with batches, without a broker: what it commits of what its agents acknowledge."""

import asyncio
import atexit
from collections.abc import Iterable
from typing import Any, NamedTuple

from faust.types.tuples import TP

from streams.kafka.app import BatchApp

CALLS = TP("calls", 1)


class Record(NamedTuple):
    """What the consumer reads of a fetched record."""

    offset: int
    topic: str = CALLS.topic
    partition: int = CALLS.partition
    timestamp: int = 0
    timestamp_type: int = 0


class Following:
    """An app with one input, as far as its consumer sees it."""

    def __init__(self) -> None:
        self.app = BatchApp("following", broker="kafka://127.0.0.1:1")
        self.app.batch_topic(CALLS.topic)
        self.app.topics.acking_topics.add(CALLS.topic)
        self.consumer: Any = self.app.consumer

    def deliver(self, offsets: Iterable[int]) -> Any:
        """A fetched batch, in the hands of its agent."""
        message = self.consumer._to_message(CALLS, [Record(offset) for offset in offsets])
        message.incref()
        return message

    def ack(self, *batches: Any) -> None:
        for batch in batches:
            batch.ack(self.consumer)

    async def committable(self) -> int | None:
        """The offset that would be committed now; `crashed` of the app is up to date afterwards."""
        found: int | None = self.consumer._new_offset(CALLS)
        await asyncio.sleep(0)
        return found


def test_batches_from_before_a_seek_back_do_not_count() -> None:
    """A partition is sought back while its batches wait for their agent, and is fetched in other pieces.

    delivered       0..4   5..9   sought back to 0   0..6   7..9
    acknowledged    0..4   5..9                                    then 0..6   7..9
    """

    async def follow() -> None:
        following = Following()
        former = [following.deliver(range(5)), following.deliver(range(5, 10))]
        again = [following.deliver(range(7)), following.deliver(range(7, 10))]
        following.ack(*former)
        assert (await following.committable(), following.app.crashed) == (None, False)
        following.ack(*again)
        assert (await following.committable(), following.app.crashed) == (10, False)

    asyncio.run(follow())


def test_a_batch_that_an_agent_lost_stops_the_worker() -> None:
    """
    delivered       0..4   5..9   10..14
    acknowledged    0..4          10..14
    """

    async def follow() -> None:
        following = Following()
        first, _, last = (following.deliver(range(at, at + 5)) for at in (0, 5, 10))
        following.ack(first, last)
        assert (await following.committable(), following.app.crashed) == (5, True)
        atexit.unregister(print)  # the last line of a worker that stops

    asyncio.run(follow())


def test_a_batch_from_before_a_rebalance_does_not_count() -> None:
    """
    delivered       0..4   5..9   rebalance   0..9
    acknowledged                                      0..4   5..9   then 0..9
    """

    async def follow() -> None:
        following = Following()
        former = [following.deliver(range(5)), following.deliver(range(5, 10))]
        following.app.consumer_generation_id += 1
        again = following.deliver(range(10))
        following.ack(*former)
        assert await following.committable() is None
        following.ack(again)
        assert await following.committable() == 10

    asyncio.run(follow())
