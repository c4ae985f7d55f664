"""The same result without a broker: folds a log in one process, with the same core, into ClickHouse."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sinks.clickhouse.events import dead_letter_row, stored
from sinks.clickhouse.rows import Batch, encoded, rows_of
from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.customers.partition import Customers
from streams.desk.policy.versions import Policies
from streams.desk.saved import FULL
from streams.desk.track.partition import Desk, subject_of
from streams.desk.window_rules.partition import Watch
from streams.models.records import Output
from streams.models.tallies import TallyRow
from streams.models.topics import ACTIONS, CUSTOMER_FACTS, DEAD_LETTERS, INCIDENTS, INPUTS, WATCH_ROLLUPS
from streams.replay.log import Line, place
from streams.replay.restated import NOTHING, Former

BATCH_SIZE = 5000  # lines folded before time passes
MAX_ROWS, MAX_BYTES = 50_000, 32 << 20  # of a batch for ClickHouse


class RowWriter(Protocol):
    """The receiver of the rows: `sinks.clickhouse.writer.Writer`, or a benchmark."""

    def write(self, batch: Batch) -> object:
        """Receive a batch of rows."""

    def write_calendars(self) -> object:
        """Called once, after the last batch."""


class Recomputed(NamedTuple):
    """The number of lines of a recomputation, that of dead letters among them, and its end (ms)."""

    lines: int
    dead: int
    as_of: int


@dataclass(slots=True)
class _Record:
    """A line of the log in the shape of a Kafka record."""

    value: bytes | None
    topic: str
    offset: int
    timestamp: int
    partition: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def recompute(
    lines: Iterable[bytes],
    policies: Policies,
    writer: RowWriter,
    as_of: int | None = None,
    late: Sequence[TallyRow] = (),
    former: Former = NOTHING,
) -> Recomputed:
    """Fold the log and write all rows to the writer's database, which should be empty.

    `as_of`: the instant (ms) up to which time passes; later events are ignored; None: the latest time of the log.
    `late`: the tallies that were too late for the pipeline's window rules, to be excluded here too: in one process, no
    tally is late. `former`: what keeps rows of former rules is not folded; its facts are in the panes as they are.
    """
    fold = _Fold(policies, writer, former)
    n = 0
    pending: list[tuple[Line, int]] = []
    for n, value in enumerate(lines, 1):
        line = place(value)
        if as_of is None or line.at is None or line.at <= as_of:
            pending.append((line, n))
        if len(pending) >= BATCH_SIZE:
            fold.fold(pending)
            pending = []
    fold.fold(pending)
    fold.finish(as_of, [row for row in late if as_of is None or row.minute <= as_of])
    return Recomputed(n, fold.desk.totals["dead_letters"], fold.latest if as_of is None else as_of)


class _Fold:
    def __init__(self, policies: Policies, writer: RowWriter, former: Former) -> None:
        self.desk = Desk(0, policies, wall=False)
        self.former = former
        # Customers with rows of former rules are folded nowhere: their home is another partition.
        homes = CustomerPartitioner(1, lambda customer_id: int(customer_id in former.customers))
        self.watch = Watch(1, policies)
        self.stages: dict[str, Customers | Watch] = {  # by input topic
            CUSTOMER_FACTS: Customers(0, policies, homes),
            WATCH_ROLLUPS: self.watch,
        }
        self.progress: list[_Record] = []  # of track: fed to watch at the end, which then judges all minutes at once
        self.writer, self.batch = writer, Batch()
        self.latest, self.version = -1, 0
        self.offsets = dict.fromkeys(INPUTS, 0)

    def fold(self, lines: list[tuple[Line, int]]) -> None:
        """Fold lines, in runs of one topic, and let time pass to the latest event."""
        now = time.time_ns() // 1_000_000
        runs: list[tuple[str, list[_Record]]] = []
        for line, number in lines:
            if not runs or runs[-1][0] != line.topic:
                runs.append((line.topic, []))
            runs[-1][1].append(_Record(line.value, line.topic, number, now))
            if line.event is not None:
                self.latest = max(self.latest, line.event.at)
        for topic, records in runs:
            if topic != ACTIONS:  # what people do changes no figure
                self._feed_desk(topic, records)
            self._store(topic, records)
        self._pass_time(self.latest)

    def _feed_desk(self, topic: str, records: list[_Record]) -> None:
        if self.former.names:
            records = [record for record in records if subject_of(record.value) not in self.former.names]
        start = 0
        while start < len(records):
            start = self.desk.feed(topic, records, start)
            if start < len(records):  # the state is full: a large dead letter needs room, for example
                self._checkpoint()
            else:
                self._checkpoint_if_full()

    def finish(self, as_of: int | None, late: Sequence[TallyRow]) -> None:
        """Let time pass to the end, and write the rest."""
        self._pass_time(self.latest if as_of is None else as_of)
        for fact in self.former.facts():
            self.desk.panes.add(fact, 1)
        self._checkpoint()
        self.watch.exclude_late(late)
        self._feed(self.watch, WATCH_ROLLUPS, self.progress)
        for stage in self.stages.values():
            self._checkpoint_stage(stage)
        self._write()
        self.writer.write_calendars()

    def _pass_time(self, to: int) -> None:
        if to < 0:
            return
        for topic in INPUTS:
            self.desk.watermarks.advance(topic, to)
        while self.desk.business_time < to:
            self.desk.advance(None)
            self._checkpoint_if_full()

    def _store(self, topic: str, records: list[_Record]) -> None:
        part = stored(topic, records, self.latest)
        self.batch.add(encoded([part.progress]))
        if part.events:
            self.batch.add(encoded(part.events))

    def _checkpoint_if_full(self) -> None:
        if self.desk.pending_bytes() > FULL:
            self._checkpoint()

    def _checkpoint(self) -> None:
        self.version += 1
        fed: dict[str, list[_Record]] = {topic: [] for topic in self.stages}
        for output in self.desk.snapshot(self.version, self.offsets).outputs:
            if output.topic in fed:
                fed[output.topic].append(_Record(output.value, output.topic, 0, 0))
            else:
                self._add(output)
        self.progress = [fed[WATCH_ROLLUPS].pop()]  # the last message is track's progress
        for topic, records in fed.items():
            self._feed(self.stages[topic], topic, records)
        self._write_if_large()

    def _feed(self, stage: Customers | Watch, topic: str, records: list[_Record]) -> None:
        """Feed a stage, with a checkpoint whenever it is full."""
        start = 0
        while start < len(records):
            start = stage.feed(topic, records, start)
            stage.advance(None)
            while stage.full():
                self._checkpoint_stage(stage)
                stage.advance(None)

    def _checkpoint_stage(self, stage: Customers | Watch) -> None:
        self.version += 1
        for output in stage.snapshot(self.version, {}).outputs:
            self._add(output)
        self._write_if_large()

    def _add(self, output: Output) -> None:
        if output.topic == DEAD_LETTERS:
            row = dead_letter_row(_Record(output.value, output.topic, 0, 0, headers=output.headers))
            if row is not None:
                self.batch.add(encoded([row]))
        elif output.topic != INCIDENTS:
            self.batch.add(rows_of(output.value))

    def _write_if_large(self) -> None:
        if self.batch.rows >= MAX_ROWS or self.batch.size >= MAX_BYTES:
            self._write()

    def _write(self) -> None:
        batch, self.batch = self.batch, Batch()
        self.writer.write(batch)
