"""The cost of input and output without the fold: CPU to decode the events and to encode their outputs.

    python -m tests.benchmarks.without_folding LOG [EVENTS]

A desk of four partitions folds the log first, untimed, with a checkpoint of each after every 2,600 events, and its rows
are kept. Timed, each the least of five: decoding the events; rows to messages; the outbox; record batches for changelog
and topics. No broker, no state, no decision: so it is a bound for every design in one CPython process that writes these
rows.
"""

import gc
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aiokafka.producer.message_accumulator import BatchBuilder

from streams import policies
from streams.checkpoint.fencing import outbox_records
from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.partition_state import Snapshot
from streams.desk.track.partition import Desk
from streams.kafka.partitioner import partition_of
from streams.models import messages
from streams.models.codec import Rejected, Unknown, decode, topic_of
from streams.models.topics import INPUTS
from streams.replay.log import read
from tests.desk.compare import record

PARTITIONS, EVERY = 4, 2_600

Rows = list[tuple[Any, ...]]


def folded(lines: list[bytes]) -> list[tuple[Rows, Snapshot]]:
    """Each checkpoint, and the rows that were made messages for it."""
    given, encode = policies.load(policies.DEFAULT), messages.messages
    made: list[tuple[Rows, Snapshot]] = []
    homes = CustomerPartitioner(PARTITIONS, partial(partition_of, partitions=PARTITIONS))
    desks = [Desk(number, given, wall=False, homes=homes) for number in range(PARTITIONS)]
    rows: Rows = []

    def seen(partition: int, version: int, found: Iterable[Any], *source: str) -> Any:
        rows.append((partition, version, list(found), *source))
        return encode(*rows[-1])

    def cut(desk: Desk) -> None:
        rows.clear()
        checkpoint = desk.snapshot(len(made) + 1, {})
        made.append((list(rows), checkpoint))

    with patch.object(messages, "messages", seen):
        for start in range(0, len(lines), EVERY):
            as_of = 0
            for offset, line in enumerate(lines[start : start + EVERY], start):
                event = decode(line)
                assert not isinstance(event, Rejected | Unknown)
                key, topic, as_of = event.key(), topic_of(event), event.at
                for number in range(PARTITIONS) if key is None else (partition_of(key, PARTITIONS),):
                    while not desks[number].feed(topic, [record(line, topic, offset)], 0):
                        cut(desks[number])
            for desk in desks:
                for topic in INPUTS:
                    desk.watermarks.advance(topic, as_of)
                desk.advance(None)
                cut(desk)
    return made


def batch(records: Iterable[tuple[bytes | None, bytes | None]]) -> bytes:
    """A record batch as the producer builds it."""
    builder = BatchBuilder(8 << 20, 0)
    for key, value in records:
        builder.append(timestamp=0, key=key, value=value)
    built: bytes = builder._build()
    return built


def output_batches(cut: Snapshot) -> list[bytes]:
    """The batches of a checkpoint's outputs, one for each topic."""
    topics = defaultdict(list)
    for output in cut.outputs:
        topics[output.topic].append((output.key, output.value))
    return [batch(records) for records in topics.values()]


def main(path: Path, events: int) -> None:
    """Measure, and print microseconds an event."""
    lines = list(islice(read([path]), events))
    made = folded(lines)
    packs = [list(outbox_records(cut.outputs)) for _, cut in made]
    gc.freeze()
    gc.disable()

    def timed(name: str, act: Callable[[], object]) -> float:
        seconds = []
        for _ in range(5):
            started = time.process_time()
            act()
            seconds.append(time.process_time() - started)
        print(f"{name:24}{1e6 * min(seconds) / len(lines):6.2f} µs an event")
        return 1e6 * min(seconds) / len(lines)

    total = (
        timed("decode", lambda: [decode(line) for line in lines]),
        timed("rows to messages", lambda: [messages.messages(*row) for rows, _ in made for row in rows]),
        timed("outbox", lambda: [list(outbox_records(cut.outputs)) for _, cut in made]),
        timed(
            "changelog batches",
            lambda: [
                batch([*cut.entries, *((b"o", pack) for pack in outbox)])
                for (_, cut), outbox in zip(made, packs, strict=True)
            ],
        ),
        timed("output batches", lambda: [output_batches(cut) for _, cut in made]),
    )
    rows = sum(len(found) for rows, _ in made for _, _, found, *_ in rows)
    print(f"{'all':24}{sum(total):6.2f} µs an event, of {rows / len(lines):.1f} rows beside the panes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60_000)
