"""All of a pipeline's states in one process: desks and customers, with changelogs and topics that behave like Kafka's.

    events ──> desk 0..n ──outputs──> customer-facts 0..n ──> customers 0..n
                  └──────────────── rows ──────────────────────────┴──> the highest version of each identity counts

What a schedule may do at any time: take a snapshot, restore from the last one, send an outbox again, late.
"""

from collections.abc import Iterable
from functools import partial
from random import Random
from typing import Any

import msgspec

from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.customers.partition import Customers
from streams.desk.partition_state import ReadsBack, Snapshot
from streams.desk.policy.versions import Policies
from streams.desk.track.partition import Desk
from streams.kafka.partitioner import partition_of
from streams.models.codec import topic_of
from streams.models.entities import ROWS
from streams.models.envelope import Event
from streams.models.records import Output
from streams.models.restatements import FormerSubjectRow, RestatementRow
from streams.models.rows import Identity, PaneRow, ProgressRow, Row, WarningRow
from streams.models.topics import CUSTOMER_FACTS, DEAD_LETTERS, INPUTS, PROGRESS_TOPICS
from tests.desk.compare import record
from tests.desk.laws import summed

ALL: tuple[type[Row], ...] = (*ROWS, ProgressRow, RestatementRow, FormerSubjectRow)
_KINDS: dict[str, Any] = {f"deskwatch.{kind.table}": kind for kind in ALL}


class Message(msgspec.Struct):
    type: str
    data: Any


def rows_in(value: bytes) -> list[Any]:
    """The rows in a message of an output topic."""
    message = msgspec.json.decode(value, type=Message)
    if message.type.startswith("warning."):
        return [msgspec.convert([message.data[name] for name in WarningRow.__struct_fields__], WarningRow)]
    return [msgspec.convert(row, _KINDS[message.type]) for row in message.data["rows"]]


class Part:
    """A state with its changelog; `offset` is what it has folded of its topic, `written` what its topics hold."""

    def __init__(self, new: Any, written: list[Output]) -> None:
        self.new, self.state = new, new()
        self.written = written
        self.since: int | None = None  # the instant before which the topics keep nothing
        self.changelog: dict[bytes, bytes | None] = {}
        self.epoch, self.sequence = 1, 0
        self.offset = self.saved = 0

    def snapshot(self) -> list[Output]:
        """Write a checkpoint; returns its outbox."""
        self.sequence += 1
        taken: Snapshot = self.state.snapshot(self.epoch << 32 | self.sequence, {"events": self.offset})
        self.changelog.update(taken.entries)
        self.saved = self.offset
        return taken.outputs

    def restore(self, epochs: int) -> None:
        """A successor takes over from the last snapshot."""
        self.state, self.offset, self.epoch = self.new(), self.saved, self.epoch + epochs
        for key, value in self.changelog.items():
            self.state.load(key, value)
        self.state.restored()
        if isinstance(self.state, ReadsBack) and (said := self.state.said_rows()) is not None:
            for output in self.written:
                if output.topic in said.topics:
                    said.load(output.value)
            said.finish(self.since)


class Pipeline:
    """See the module."""

    def __init__(self, policies: Policies, partitions: int) -> None:
        numbers = range(partitions)
        self.partitions = partitions
        self.homes = CustomerPartitioner(partitions, partial(partition_of, partitions=partitions))
        self.written: list[list[Output]] = [[] for _ in numbers]  # each partition of the output topics
        self.desks = [Part(partial(Desk, n, policies, wall=False, homes=self.homes), self.written[n]) for n in numbers]
        self.customers = [Part(partial(Customers, n, policies, self.homes), self.written[n]) for n in numbers]
        self.events: list[list[tuple[str, Event, bytes]]] = [[] for _ in numbers]  # a desk's input
        self.topic: list[list[bytes]] = [[] for _ in numbers]  # customer-facts
        self.rows: dict[Identity, Row] = {}
        self.sent: list[tuple[int, list[Output]]] = []

    # What may happen

    def come(self, event: Event, raw: bytes) -> None:
        """An event comes to the partition of its key, or to all."""
        key = event.key()
        for n in range(self.partitions) if key is None else (partition_of(key, self.partitions),):
            self.events[n].append((topic_of(event), event, raw))

    def feed_desk(self, n: int, many: int = 1) -> None:
        """A desk folds the next events."""
        desk = self.desks[n]
        for topic, _, raw in self.events[n][desk.offset : desk.offset + many]:
            assert desk.state.feed(topic, [record(raw, topic, desk.offset)], 0) == 1
            desk.offset += 1

    def advance_desk(self, n: int, at: int) -> None:
        """The business time of a desk comes to `at`."""
        for topic in INPUTS:
            self.desks[n].state.watermarks.advance(topic, at)
        self.desks[n].state.advance(None)

    def feed_customers(self, n: int, many: int = 1) -> None:
        """A partition of the customers folds the next messages."""
        part = self.customers[n]
        values = self.topic[n][part.offset : part.offset + many]
        if values:
            records = [record(value, CUSTOMER_FACTS) for value in values]
            part.offset += part.state.feed(CUSTOMER_FACTS, records, 0)
            part.state.advance(None)

    def snapshot(self, part: Part, n: int) -> None:
        """A checkpoint, and its outputs sent."""
        outputs = part.snapshot()
        self.sent.append((n, outputs))
        self.send(n, outputs)

    def send(self, n: int, outputs: Iterable[Output]) -> None:
        """Send outputs, for the first time or again."""
        for output in outputs:
            assert output.topic != DEAD_LETTERS, output
            if output.topic == CUSTOMER_FACTS:
                self.topic[n if output.partition is None else output.partition].append(output.value)
            if output.topic not in PROGRESS_TOPICS:  # of another stage
                continue
            self.written[n].append(output)
            for row in rows_in(output.value):
                stands = self.rows.get(row.identity())
                if stands is None or row.version > stands.version:  # type: ignore[attr-defined]
                    self.rows[row.identity()] = row

    def restate(self, given: Policies, random: Random) -> None:
        """All are started again with another policy; they are stopped half-way, and go on."""
        for n in range(self.partitions):
            self.restart(self.desks[n], n, partial(Desk, n, given, wall=False, homes=self.homes, restate=True), random)
            self.restart(self.customers[n], n, partial(Customers, n, given, self.homes, restate=True), random)

    def restart(self, part: Part, n: int, new: Any, random: Random) -> None:
        """A state is started again, and folds what it holds by its policy in as many steps as it likes."""
        self.snapshot(part, n)
        part.new = new
        part.restore(1)
        while part.state.policy.followed is not part.state.policy.given:
            part.state.full = lambda: random.random() > 0.6
            part.state.advance(None)
            self.snapshot(part, n)
            if random.random() < 0.3:
                part.restore(1)
        part.restore(1)  # with room again

    # Schedules

    def finish(self, as_of: int) -> "Pipeline":
        """All comes to its end."""
        for n, desk in enumerate(self.desks):
            self.feed_desk(n, 1 << 30)
            while desk.state.business_time < as_of:
                self.advance_desk(n, as_of)
            self.snapshot(desk, n)
        while any(part.offset < len(topic) for part, topic in zip(self.customers, self.topic, strict=True)):
            for n, part in enumerate(self.customers):
                self.feed_customers(n, 1 << 30)
                self.snapshot(part, n)
        return self

    def wander(self, random: Random, latest: int) -> None:
        """Do something, anything, that may happen."""
        n = random.randrange(self.partitions)
        desk, customers = self.desks[n], self.customers[n]
        match random.randrange(10):
            case 0 | 1:
                self.feed_desk(n, random.randint(1, 4))
            case 2:
                self.advance_desk(n, latest)
            case 3:
                self.snapshot(desk, n)
            case 4 | 5:
                self.feed_customers(n, random.randint(1, 4))
            case 6:
                self.snapshot(customers, n)
            case 7:
                desk.restore(random.randint(1, 9))
            case 8:
                customers.restore(random.randint(1, 9))
            case 9 if self.sent:
                self.send(*random.choice(self.sent))  # by a fenced owner that wakes up late

    def standing(self) -> dict[Identity, Row]:
        """The rows that stand, without versions and panes."""
        standing = {}
        for identity, row in self.rows.items():
            if not isinstance(row, PaneRow | ProgressRow | RestatementRow | FormerSubjectRow) and not row.is_deleted:  # type: ignore[attr-defined]
                standing[identity] = msgspec.structs.replace(row, version=0)
        return standing

    def sums(self) -> dict[tuple[Any, ...], int]:
        """The panes summed over partitions and parts, without what depends on the order of arrival."""
        return summed(self.rows)

    def seen_all(self) -> bool:
        """Whether all customers have seen all desks as they now are: what `replay --drain` waits for."""
        versions = {str(n): desk.epoch << 32 | desk.sequence for n, desk in enumerate(self.desks)}
        return all(part.state.stage.reported[1] == versions for part in self.customers)


def run(log: Iterable[tuple[Event, bytes]], policies: Policies, as_of: int, partitions: int = 1) -> Pipeline:
    """A log in its order, without anything going wrong."""
    pipeline = Pipeline(policies, partitions)
    for event, raw in log:
        pipeline.come(event, raw)
    return pipeline.finish(as_of)
