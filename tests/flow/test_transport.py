"""Batches of records are delivered whole, and committed in order."""

import signal
from collections import defaultdict

from faust.types.tuples import TP

from streams.kafka.app import MAX_QUEUED_BATCHES, BatchApp
from streams.kafka.consumer import BatchScheduler
from tests.flow.conftest import STOP_LIMIT_S, ToyDesk, wait_for
from tests.flow.toy import PARTITIONS

TOPIC = TP("batched", 0)


def test_batch_topics_come_as_batches_and_others_one_by_one() -> None:
    other = TP("other", 1)
    records = {TOPIC: [1, 2, 3], other: [4, 5], TP("batched", 1): []}
    delivered = list(BatchScheduler(frozenset({"batched"})).iterate(records))
    assert delivered == [(TOPIC, [1, 2, 3]), (other, 4), (other, 5)]


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
    assert (code, seconds < STOP_LIMIT_S) == (0, True)
    seen: dict[int, list[int]] = defaultdict(list)
    for line in dict.fromkeys(out.read_text().splitlines()):
        partition, offset = map(int, line.split())
        seen[partition].append(offset)
    assert seen == {number: list(range(count)) for number, count in wanted.items()}


def test_few_batches_wait_for_an_agent() -> None:
    """Faust 0.15.3 drops `maxsize` (app/base.py:843): it would fetch thousands of batches ahead of a blocked agent."""
    app = BatchApp("few-batches", broker="kafka://127.0.0.1:1", store="memory://")
    iterated = app.batch_topic("tickets").clone(is_iterator=True)
    assert iterated.maxsize == MAX_QUEUED_BATCHES
