"""What a round can see from outside: how far ClickHouse is, and which batches of the changelog count."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.progress import Offsets, done, stages_behind
from streams.checkpoint.fencing import HEAD, LogReader
from streams.kafka.topics import BATCH_LIMIT, CHANGELOG


class Progress:
    """Asks ClickHouse again and again how far it is; while it is away, what it said last stands.

    `look` is called as often.
    """

    def __init__(self, url: str, database: str, partitions: int, look: Callable[[], None]) -> None:
        self.url, self.database, self.partitions, self.look = url, database, partitions, look
        self.done: Offsets = {}
        self.whole: tuple[Offsets, int] = {}, 1  # the same, and how many parts of later stages were behind after it
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End asking."""
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        client: Client = None
        while not self._ended.wait(0.2):
            self.look()
            with suppress(ClickHouseError, OSError):
                if client is None:
                    client = connect(self.url, database=self.database)
                self.done = done(client, self.partitions)
                self.whole = self.done, stages_behind(client, self.partitions, escalated=False)
        if client is not None:
            client.close()


class Head(NamedTuple):
    """A checkpoint in the changelog: when it was seen (time.monotonic), whose it is, and whether it counts."""

    at: float
    partition: int
    owner: str
    counts: bool


class Changelog:
    """Follows the changelog: every checkpoint, and whether it counts by the rule of `streams.checkpoint.fencing`."""

    def __init__(self, broker: str, partitions: int) -> None:
        self.broker, self.partitions = broker, partitions
        self.heads: list[Head] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()), name="changelog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End following."""
        self._ended.set()
        self._thread.join()

    async def _follow(self) -> None:
        readers = [LogReader() for _ in range(self.partitions)]
        while not self._ended.is_set():
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self.broker, max_partition_fetch_bytes=BATCH_LIMIT, auto_offset_reset="earliest"
            )
            with suppress(KafkaError):  # the broker is away
                async with consumer:
                    consumer.assign([TopicPartition(CHANGELOG, n) for n in range(self.partitions)])
                    for n, reader in enumerate(readers):
                        consumer.seek(TopicPartition(CHANGELOG, n), reader.position)
                    while not self._ended.is_set():
                        for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                            self._take(readers[tp.partition], tp.partition, records)

    def _take(self, reader: LogReader, partition: int, records: list[object]) -> None:
        now = time.monotonic()
        for record in records:
            before = reader.checkpoints
            reader.apply([record], _ignore)  # type: ignore[list-item]
            if (record.key or b"")[:1] == HEAD:  # type: ignore[attr-defined]
                counts = reader.checkpoints > before
                self.heads.append(Head(now, partition, reader.owner, counts))

    # --- what it tells ------------------------------------------------------------------------------------------------

    def takeover_s(self, partitions: list[int], since: float) -> float | None:
        """The seconds until each of the partitions had a checkpoint of another owner; None if one never had."""
        seconds = [self._takeover_s(partition, since) for partition in partitions]
        known = [found for found in seconds if found is not None]
        return max(known) if known and len(known) == len(seconds) else None

    def _takeover_s(self, partition: int, since: float) -> float | None:
        heads = [head for head in self.heads if head.partition == partition and head.counts]
        owner = next((head.owner for head in reversed(heads) if head.at <= since), "")
        return next((head.at - since for head in heads if head.at > since and head.owner != owner), None)

    def taken_over(self, partitions: list[int], since: float) -> bool:
        """Whether somebody else has written a checkpoint of one of them."""
        return any(self._takeover_s(partition, since) is not None for partition in partitions)

    def longest_pause_s(self, since: float, until: float) -> float:
        """The longest time between two counting checkpoints of a partition that fell into a span."""
        longest = 0.0
        for partition in range(self.partitions):
            times = [head.at for head in self.heads if head.partition == partition and head.counts]
            for former, latter in pairwise(times):
                if latter > since and former < until:
                    longest = max(longest, latter - former)
        return longest

    def all_written(self, since: float) -> bool:
        """Whether each partition has had a counting checkpoint."""
        return len({head.partition for head in self.heads if head.counts and head.at > since}) == self.partitions

    def skipped(self) -> int:
        """How many checkpoints do not count: zombies' and repeated ones."""
        return sum(not head.counts for head in self.heads)


def _ignore(_key: bytes, _value: bytes | None) -> None:
    """Take no entry in."""
