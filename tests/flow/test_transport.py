"""Lists of records: delivered whole, committed in order, and never before they are acknowledged."""

import asyncio
import signal
from collections import defaultdict
from typing import Any, NamedTuple

from faust.types.tuples import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kafka.app import WAITING, BatchApp
from streams.kafka.consumer import BatchScheduler
from tests.flow.conftest import ToyDesk, wait_for
from tests.flow.toy import PARTITIONS

TOPIC = TP("batched", 0)


class Fetched(NamedTuple):
    offset: int
    topic: str = TOPIC.topic
    partition: int = TOPIC.partition
    timestamp: int = 0
    timestamp_type: int = 0


def test_batch_topics_come_as_lists_and_others_one_by_one() -> None:
    other = TP("other", 1)
    records = {TOPIC: [1, 2, 3], other: [4, 5], TP("batched", 1): []}
    delivered = list(BatchScheduler(frozenset({"batched"})).iterate(records))
    assert delivered == [(TOPIC, [1, 2, 3]), (other, 4), (other, 5)]


@given(st.lists(st.tuples(st.sampled_from(["deliver", "ack", "seek", "commit"]), st.integers(1, 5)), max_size=40))
@settings(deadline=None, max_examples=60)
def test_what_is_committed_was_acknowledged(steps: list[tuple[str, int]]) -> None:
    """Deliver, acknowledge in order, seek back to the first list in hand, commit: nothing in hand is ever committed."""

    async def run() -> None:
        app = BatchApp("unit", broker="kafka://127.0.0.1:1")
        app.batch_topic(TOPIC.topic)
        app.topics._acking_topics.add(TOPIC.topic)
        consumer = app.consumer
        in_hand: list[Any] = []
        end, committed = 0, 0
        for step, size in steps:
            if step == "deliver":
                message = consumer._to_message(TOPIC, [Fetched(offset) for offset in range(end, end + size)])
                consumer.track_message(message)
                in_hand.append(message)
                end += size
            elif step == "ack" and in_hand:
                consumer.ack(in_hand.pop(0))
            elif step == "seek" and in_hand:
                end = in_hand[0].value[0].offset
                in_hand.clear()
            elif step == "commit":
                committed = consumer._new_offset(TOPIC) or committed
                assert committed == (in_hand[0].value[0].offset if in_hand else end)

    asyncio.run(run())


def test_a_sink_that_is_killed_writes_everything_at_least_once_and_in_order(toy_desk: ToyDesk) -> None:
    toy_desk.produce(20_000)
    out = toy_desk.folder / "out"
    environment = {"module": "tests.flow.toy_sink", "TOY_OUT": str(out)}
    first = toy_desk.worker("a", **environment)
    wait_for("half of it", lambda: out.exists() and out.stat().st_size > 20_000)
    first.send(signal.SIGKILL)
    second = toy_desk.worker("b", **environment)
    wanted = {
        number: sum(1 for t, e in toy_desk.events if (t, e.ticket % PARTITIONS) == ("tickets", number))
        for number in range(PARTITIONS)
    }
    wait_for("all to be committed", lambda: toy_desk.committed() == sum(wanted.values()))
    code, seconds = second.stop()
    assert (code, seconds < 3.5) == (0, True)
    seen: dict[int, list[int]] = defaultdict(list)
    for line in dict.fromkeys(out.read_text().splitlines()):
        partition, offset = map(int, line.split())
        seen[partition].append(offset)
    assert seen == {number: list(range(count)) for number, count in wanted.items()}


def test_few_lists_wait_for_an_agent() -> None:
    """Faust 0.15.3 loses `maxsize` (app/base.py:843): thousands of lists would be read ahead of an agent that waits."""
    app = BatchApp("few-lists", broker="kafka://127.0.0.1:1", store="memory://")
    iterated = app.batch_topic("tickets").clone(is_iterator=True)
    assert iterated.maxsize == WAITING
