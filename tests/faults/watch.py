"""Watches a round from outside: the progress in ClickHouse, and the counting checkpoints of the changelog."""

import asyncio
import threading
import time
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from sinks.clickhouse.client import Client
from sinks.clickhouse.progress import Offsets, done, stages_behind
from streams.checkpoint.fencing import HEAD, LogReader
from streams.kafka.topics import BATCH_LIMIT, CHANGELOG
from tests.faults.system import System


class Progress:
    """Polls the progress in ClickHouse; while it is away, the last answer stands. The system looks at each poll."""

    def __init__(self, system: System, database: str, partitions: int) -> None:
        self.system, self.database, self.partitions = system, database, partitions
        self.done: Offsets = {}
        self.complete: tuple[Offsets, int] = {}, 1  # the same, and how many parts of later stages were behind after it
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End polling."""
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        client: Client = None
        while not self._ended.wait(0.2):
            self.system.look()
            with suppress(ClickHouseError, OSError):
                if client is None:
                    client = self.system.connect(self.database)
                self.done = done(client, self.partitions)
                self.complete = self.done, stages_behind(client, self.partitions, escalated=False)
        if client is not None:
            client.close()


class Seen(NamedTuple):
    """A checkpoint in the changelog: when it was read (time.monotonic), its owner, and whether it counts."""

    at: float
    partition: int
    owner: str
    counts: bool


class Changelog:
    """Follows the changelog: every checkpoint, and whether it counts by the rule of `streams.checkpoint.fencing`."""

    def __init__(self, broker: str, partitions: int) -> None:
        self.broker, self.partitions = broker, partitions
        self.seen: list[Seen] = []
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
                self.seen.append(Seen(now, partition, reader.owner, counts))

    # --- questions ----------------------------------------------------------------------------------------------------

    def takeover_s(self, partitions: list[int], since: float) -> float | None:
        """The seconds until each of the partitions had a checkpoint of another owner; None if one never had."""
        seconds = [self._takeover_s(partition, since) for partition in partitions]
        known = [found for found in seconds if found is not None]
        return max(known) if known and len(known) == len(seconds) else None

    def _takeover_s(self, partition: int, since: float) -> float | None:
        found = [each for each in self.seen if each.partition == partition and each.counts]
        owner = next((each.owner for each in reversed(found) if each.at <= since), "")
        return next((each.at - since for each in found if each.at > since and each.owner != owner), None)

    def taken_over(self, partitions: list[int], since: float) -> bool:
        """Whether another owner has written a checkpoint of one of them."""
        return any(self._takeover_s(partition, since) is not None for partition in partitions)

    def longest_pause_s(self, since: float, until: float) -> float:
        """The longest time between two counting checkpoints of a partition within a span."""
        longest = 0.0
        for partition in range(self.partitions):
            times = [each.at for each in self.seen if each.partition == partition and each.counts]
            for former, latter in pairwise(times):
                if latter > since and former < until:
                    longest = max(longest, latter - former)
        return longest

    def all_written(self, since: float) -> bool:
        """Whether each partition has had a counting checkpoint."""
        return len({each.partition for each in self.seen if each.counts and each.at > since}) == self.partitions

    def skipped(self) -> int:
        """How many checkpoints do not count: those of zombies, and repeated ones."""
        return sum(not each.counts for each in self.seen)


def _ignore(_key: bytes, _value: bytes | None) -> None:
    """Drop an entry."""
