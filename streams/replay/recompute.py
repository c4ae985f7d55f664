"""The same result with no broker at all: folds a log in one process, with the pipeline's own core, into ClickHouse."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sinks.clickhouse.events import dead_letter_row, stored
from sinks.clickhouse.rows import Batch, encoded, rows_of
from streams.desk.customers.partition import Customers
from streams.desk.policy.versions import Policies
from streams.desk.saved import FULL
from streams.desk.track.partition import Desk
from streams.desk.window_rules.partition import Watch
from streams.models.records import Output
from streams.models.tallies import TallyRow
from streams.models.topics import CUSTOMER_FACTS, DEAD_LETTERS, INPUTS, WATCH_ROLLUPS
from streams.replay.log import Line, place

TOGETHER = 5000  # lines folded between two looks at the clock
ROWS, SIZE = 50_000, 32 << 20  # of a batch for ClickHouse


class RowWriter(Protocol):
    """Where the rows go: `sinks.clickhouse.writer.Writer`, or whoever wants them in this process."""

    def write(self, batch: Batch) -> object:
        """Take a batch of rows."""

    def write_calendars(self) -> object:
        """All rows are written."""


class Recomputed(NamedTuple):
    """What a recomputation met: lines, dead letters among them, and the instant it stands as of (ms)."""

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
    progress: Callable[[int], None] = lambda n: None,
    late: Sequence[TallyRow] = (),
) -> Recomputed:
    """Fold the log and write all rows to the writer's database, which should be empty.

    `as_of`: the instant (ms) up to which time passes; events after it are left out. None: the log's latest time. In one
    process nothing comes too late for the window rules; `late`: what came too late for them elsewhere, to be left out.
    """
    fold = _Fold(policies, writer)
    n = 0
    together: list[tuple[Line, int]] = []
    for n, value in enumerate(lines, 1):
        line = place(value)
        if as_of is None or line.event is None or line.event.at <= as_of:
            together.append((line, n))
        if len(together) >= TOGETHER:
            fold.take(together)
            together = []
            progress(n)
    fold.take(together)
    fold.finish(as_of, [row for row in late if as_of is None or row.minute <= as_of])
    progress(n)
    return Recomputed(n, fold.desk.totals["dead_letters"], fold.latest if as_of is None else as_of)


class _Fold:
    def __init__(self, policies: Policies, writer: RowWriter) -> None:
        self.desk = Desk(0, policies, wall=False)
        self.watch = Watch(1, policies)
        self.stages: dict[str, Customers | Watch] = {  # by the topic that feeds them
            CUSTOMER_FACTS: Customers(0, policies),
            WATCH_ROLLUPS: self.watch,
        }
        self.came_to: list[_Record] = []  # how far the desk is: watch is told in the end, and judges all at once
        self.writer, self.batch = writer, Batch()
        self.latest, self.version = -1, 0
        self.offsets = dict.fromkeys(INPUTS, 0)

    def take(self, lines: list[tuple[Line, int]]) -> None:
        """Fold lines, topic by topic in runs as they come, and let time pass to the latest one."""
        now = time.time_ns() // 1_000_000
        runs: list[tuple[str, list[_Record]]] = []
        for line, number in lines:
            if not runs or runs[-1][0] != line.topic:
                runs.append((line.topic, []))
            runs[-1][1].append(_Record(line.value, line.topic, number, now))
            if line.event is not None:
                self.latest = max(self.latest, line.event.at)
        for topic, records in runs:
            start = 0
            while start < len(records):
                start = self.desk.feed(topic, records, start)
                if start < len(records):  # a checkpoint comes first, be it for a large dead letter that has no room
                    self._cut()
                else:
                    self._cut_if_full()
            self._store(topic, records)
        self._pass_time(self.latest)

    def finish(self, as_of: int | None, late: Sequence[TallyRow]) -> None:
        """Let time pass to the end, and write all that is left."""
        self._pass_time(self.latest if as_of is None else as_of)
        self._cut()
        self.watch.exclude_late(late)
        self._feed(self.watch, WATCH_ROLLUPS, self.came_to)
        for stage in self.stages.values():
            self._cut_stage(stage)
        self._write()
        self.writer.write_calendars()

    def _pass_time(self, to: int) -> None:
        if to < 0:
            return
        for topic in INPUTS:
            self.desk.watermarks.advance(topic, to)
        while self.desk.business_time < to:
            self.desk.advance(None)
            self._cut_if_full()

    def _store(self, topic: str, records: list[_Record]) -> None:
        part = stored(topic, records, self.latest)
        self.batch.add(encoded([part.progress]))
        if part.events:
            self.batch.add(encoded(part.events))

    def _cut_if_full(self) -> None:
        if self.desk.pending_bytes() > FULL:
            self._cut()

    def _cut(self) -> None:
        self.version += 1
        fed: dict[str, list[_Record]] = {topic: [] for topic in self.stages}
        for output in self.desk.snapshot(self.version, self.offsets).outputs:
            if output.topic in fed:
                fed[output.topic].append(_Record(output.value, output.topic, 0, 0))
            else:
                self._take(output)
        self.came_to = [fed[WATCH_ROLLUPS].pop()]  # the last message is the desk's progress
        for topic, records in fed.items():
            self._feed(self.stages[topic], topic, records)
        self._write_if_large()

    def _feed(self, stage: Customers | Watch, topic: str, records: list[_Record]) -> None:
        """Feed a stage, with checkpoints in between as they are needed."""
        start = 0
        while start < len(records):
            start = stage.feed(topic, records, start)
            stage.advance(None)
            while stage.full():
                self._cut_stage(stage)
                stage.advance(None)

    def _cut_stage(self, stage: Customers | Watch) -> None:
        self.version += 1
        for output in stage.snapshot(self.version, {}).outputs:
            self._take(output)
        self._write_if_large()

    def _take(self, output: Output) -> None:
        if output.topic == DEAD_LETTERS:
            row = dead_letter_row(_Record(output.value, output.topic, 0, 0, headers=output.headers))
            if row is not None:
                self.batch.add(encoded([row]))
        else:
            self.batch.add(rows_of(output.value))

    def _write_if_large(self) -> None:
        if self.batch.rows >= ROWS or self.batch.size >= SIZE:
            self._write()

    def _write(self) -> None:
        batch, self.batch = self.batch, Batch()
        self.writer.write(batch)
