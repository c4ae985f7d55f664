"""Partitions change hands: restored, claimed, and the last outbox sent again, unless the generation is over.

a    c1 ── c2 ──────────────────>           writes until it learns that it is fenced
b            read ── claim ── c1 ──>        continues from c2, and sends c2's outbox again
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import pytest

from streams.checkpoint.changelog import Changelog
from streams.checkpoint.fencing import Entry, LogReader
from streams.checkpoint.partition import Partition, Statistics
from streams.checkpoint.takeover import TOOK_OVER_LOG, Takeover
from streams.desk.partition_state import Snapshot
from streams.kafka.lease import Lease
from streams.models.records import Output
from tests.flow.toy import ToyState

ROW = Output("ledger", b"k", b"row")


class Appended(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0


class Log:
    """A changelog in memory. `before_append` is called once, before the next append."""

    def __init__(self) -> None:
        self.records: defaultdict[int, list[Appended]] = defaultdict(list)
        self.sent: list[tuple[int, list[Output]]] = []
        self.read_from: list[Mapping[int, int]] = []
        self.topics: dict[tuple[str, int], list[Appended]] = {}  # of the outputs, by partition
        self.before_append: Callable[[], object] = lambda: None

    def write(self, partition: int, records: list[Entry]) -> int:
        log = self.records[partition]
        base = len(log)
        log += [Appended(base + number, key, value) for number, (key, value) in enumerate(records)]
        return base

    async def append(self, partition: int, records: list[Entry]) -> tuple[int, int]:
        act, self.before_append = self.before_append, lambda: None
        act()
        return self.write(partition, records), 0

    async def send(self, partition: int, outputs: list[Output]) -> None:
        if outputs:
            self.sent.append((partition, outputs))

    async def read(
        self,
        starts: Mapping[int, int],
        ends: Mapping[int, int],
        apply: Callable[[int, list[Any]], None],
        topic: str | None = None,
    ) -> None:
        if topic is not None:
            for partition in starts:
                if records := self.topics.get((topic, partition)):
                    apply(partition, records)
            return
        self.read_from += [starts] if starts else []
        for partition, start in starts.items():
            apply(partition, self.records[partition][start:])

    async def read_between(self, partition: int, start: int, end: int) -> list[Appended]:
        return self.records[partition][start:end]


class Member:
    """A lease that the group grants when it is asked."""

    def __init__(self) -> None:
        self.generation, self.asked = -1, 0

    def held(self, generation: int) -> bool:
        return generation == self.generation

    async def renew(self) -> None:
        self.asked += 1
        self.generation = 7


class Former:
    """A former owner of partition 0: writes checkpoints of one ticket's entry."""

    def __init__(self, log: Log, name: str = "former", generation: int = 1) -> None:
        self.log, self.reader = log, LogReader()
        self.reader.apply(log.records[0], lambda _key, _value: None)
        epoch, claim = self.reader.claim(generation, name)
        assert self.reader.claimed(log.write(0, claim), epoch, name)

    def checkpoint(self, status: int, offset: int) -> None:
        state = ToyState(0)
        state.entries["t1"] = [status, 0, 0]
        state.dirty.add("t1")
        snapshot = Snapshot(state.snapshot(1, {}).entries, [ROW._replace(value=b"%d" % status)])
        records = self.reader.checkpoint(snapshot, {"tickets": offset})
        assert self.reader.wrote(self.log.write(0, records), len(records), [])


class Worker:
    """The worker that takes over."""

    def __init__(self, log: Log, new_state: Callable[[int], Any] = ToyState) -> None:
        self.log, self.member, self.statistics = log, Member(), Statistics()
        self.held: dict[int, Partition] = {}
        self.current = True
        logger = logging.getLogger("takeover")
        self.takeover = Takeover(
            cast(Changelog, log), new_state, "mine", cast(Lease, self.member), self.statistics, logger
        )

    def take(self, *numbers: int) -> dict[int, Partition] | None:
        parts = asyncio.run(self.takeover.take(self.held, set(numbers), 7, lambda: self.current))
        self.held = self.held if parts is None else parts
        return parts

    def entries(self) -> dict[str, list[int]]:
        return cast(ToyState, self.held[0].state).entries


def test_it_continues_from_the_last_checkpoint_and_sends_its_outbox_again(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    former = Former(log)
    former.checkpoint(1, offset=10)
    former.checkpoint(2, offset=20)
    worker = Worker(log)
    with caplog.at_level(logging.INFO):
        parts = worker.take(0, 1)
    assert parts is not None
    assert worker.entries() == {"t1": [2, 0, 0]}
    assert (parts[0].offsets, parts[1].offsets) == ({"tickets": 20}, {})
    assert all(part.ready and part.reader.owner == "mine" and part.reader.epoch == 7 for part in parts.values())
    assert log.sent == [(0, [ROW._replace(value=b"2")])]
    statistics = worker.statistics
    assert (statistics.claims, statistics.restores, statistics.outputs_resent) == (2, 2, 1)
    assert f"{TOOK_OVER_LOG}[0, 1] in" in caplog.text


def test_a_partition_that_stays_is_claimed_again_and_not_read() -> None:
    log = Log()
    worker = Worker(log)
    worker.take(0)
    kept = worker.held[0]
    log.read_from.clear()
    parts = worker.take(0, 1)
    assert parts is not None
    assert parts[0] is kept
    assert log.read_from == [{1: 0}]
    assert (kept.ready, kept.reader.epoch) == (True, 8)
    assert worker.statistics.restores == 2


def test_a_state_that_another_owner_continued_is_restored_afresh() -> None:
    """
    worker   take ── (kept) ────────────────────── take: reads other's c1
    other              claim ── c1 ──
    """
    log = Log()
    worker = Worker(log)
    worker.take(0)
    kept = worker.held[0]
    Former(log, "other").checkpoint(3, offset=30)
    worker.take(0)
    assert worker.held[0] is not kept
    assert worker.entries() == {"t1": [3, 0, 0]}
    assert worker.held[0].offsets == {"tickets": 30}
    assert log.sent == [(0, [ROW._replace(value=b"3")])]


def test_a_higher_claim_that_comes_first_is_outbid() -> None:
    """
    worker   read ───────────── claim(7): too low ── claim(100) ──>
    other         claim(99) ──
    """
    log = Log()
    log.before_append = lambda: Former(log, "other", generation=99)
    worker = Worker(log)
    parts = worker.take(0)
    assert parts is not None
    assert parts[0].reader.epoch == 100
    assert worker.statistics.claims == 2


def test_a_checkpoint_that_is_appended_meanwhile_counts() -> None:
    """
    former   c1 ──────── c2
    worker      read ───────── claim: reads c2
    """
    log = Log()
    former = Former(log)
    former.checkpoint(1, offset=10)
    log.before_append = lambda: former.checkpoint(2, offset=20)
    worker = Worker(log)
    worker.take(0)
    assert worker.entries() == {"t1": [2, 0, 0]}
    assert worker.held[0].offsets == {"tickets": 20}
    assert log.sent == [(0, [ROW._replace(value=b"2")])]


def test_nothing_is_claimed_without_a_lease() -> None:
    log = Log()
    worker = Worker(log)
    worker.current = False
    assert worker.take(0) is None
    assert (worker.statistics.claims, log.records[0]) == (0, [])


def test_a_generation_that_ends_meanwhile_leaves_the_partitions_to_the_next_one() -> None:
    """The kept state is not ready: the next takeover must look at the changelog again."""
    log = Log()
    worker = Worker(log)
    worker.take(0)
    kept = worker.held[0]

    def rebalance() -> None:
        worker.current = False

    log.before_append = rebalance
    assert worker.take(0) is None
    assert not kept.ready
    assert not kept.clean()


class Said:
    """What a state reads into; `order`: what the log had sent by then."""

    topics = ("facts", "ledger")

    def __init__(self, log: Log) -> None:
        self.log = log
        self.loaded: list[tuple[bytes | None, int]] = []
        self.since: list[int | None] = []

    def load(self, value: bytes | None) -> None:
        self.loaded.append((value, len(self.log.sent)))

    def finish(self, since: int | None) -> None:
        self.since.append(since)


def test_a_state_reads_back_what_was_said_once_the_outbox_is_sent() -> None:
    """
    changelog   c1 ── c2 ── claim
    facts       c1's rows ── c2's rows, sent again ── read from the beginning
    """
    log = Log()
    Former(log).checkpoint(2, offset=20)
    log.topics = {
        ("facts", 0): [Appended(0, None, b"f0"), Appended(1, None, b"f1")],
        ("ledger", 0): [Appended(5, None, b"l5", 1000)],  # earlier records are not kept any more
        ("facts", 1): [Appended(0, None, b"other")],
    }
    said = Said(log)

    class State(ToyState):
        asks: Said | None = None

        def said_rows(self) -> Said | None:
            return self.asks

    def new_state(number: int) -> State:
        state = State(number)
        state.asks = None if number else said
        return state

    worker = Worker(log, new_state)
    worker.take(0, 1)
    assert said.loaded == [(b"f0", 1), (b"f1", 1), (b"l5", 1)]
    assert said.since == [1000]
    worker.take(0, 1)  # both stay
    assert len(said.loaded) == 3
