"""The metrics of role store: those of its pipeline, with a counting writer."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from faust.types.tuples import TP

from sinks.metrics.page import Metric, RoleMetrics, Samples, each, lag, single
from streams.models.rows import ProgressRow

if TYPE_CHECKING:  # else every role would load modules that only store needs
    from sinks.clickhouse.rows import Batch
    from sinks.clickhouse.writer import Writer


def store_metrics(pipeline: Any, unknown: Counter[str], app: Any) -> RoleMetrics:
    """The metrics of the role. This installs a counting writer in its pipeline.

    Arguments:
        pipeline: `sinks.clickhouse.pipeline.Pipeline`.
        unknown: counts of messages without known rows, by topic (`streams.agents.store.register`).
        app: its `streams.kafka.app.BatchApp`, for the lag.
    """
    return RoleMetrics(STORE, StoreSource(pipeline, unknown, app))


class StoreSource:
    """The source of the metrics of role store."""

    def __init__(self, pipeline: Any, unknown: Counter[str], app: Any) -> None:
        self.unknown, self.app = unknown, app
        self.writer: Writer = pipeline.writer
        self.written = pipeline.writer = CountingWriter(pipeline.writer)

    def lag(self) -> Samples:
        """By topic and partition, the offsets whose rows are not in ClickHouse yet."""
        return lag(lambda: _uncommitted(self.app.consumer)) if self.app.started else []

    def delays(self) -> Samples:
        """By topic and partition, the seconds since the last written progress."""
        now, progress = time.time(), dict(self.written.as_of)
        return [((topic, str(number)), now - at / 1000) for (topic, number), at in progress.items() if at >= 0]


class CountingWriter:
    """A writer that counts the rows written, batch by batch.

    Attributes: `rows`, by table; `as_of`, by topic and partition the business instant (ms) of the progress written, -1
    before the first event.
    """

    def __init__(self, writer: "Writer") -> None:
        self.writer, self.stop, self.write_calendars = writer, writer.stop, writer.write_calendars
        self.rows: Counter[str] = Counter()
        self.as_of: dict[tuple[str, int], int] = {}

    def write(self, batch: "Batch") -> None:
        """Write a batch like `Writer.write`, and count it afterwards."""
        self.writer.write(batch)
        self.rows.update(batch.counts)
        if ProgressRow.table in batch.blocks:
            for row in map(_progress, batch.block(ProgressRow.table).split(b"\n")):
                source = row.topic_name, row.partition
                self.as_of[source] = max(row.as_of, self.as_of.get(source, -1))


_progress = msgspec.json.Decoder(ProgressRow).decode


def _uncommitted(consumer: Any) -> dict[TP, int]:
    # The last committed offsets: faust consumer.py:417. The store commits what is in ClickHouse.
    committed, ends = dict(consumer._committed_offset), {tp: consumer.highwater(tp) for tp in consumer.assignment()}
    return {tp: max(0, end - (committed.get(tp) or 0)) for tp, end in ends.items() if end is not None}


STORE = (
    Metric("deskwatch_store_rows_total", "counter", ("table",),
           "Rows written to a table of ClickHouse, repeated ones too.", lambda it: each(it.written.rows)),
    Metric("deskwatch_store_inserts_total", "counter", (), "Inserts done.", lambda it: single(it.writer.inserts)),
    Metric("deskwatch_store_insert_seconds_total", "counter", (), "Time spent in them.",
           lambda it: single(it.writer.seconds)),
    Metric("deskwatch_store_insert_bytes_total", "counter", (), "Bytes of their rows, before compression.",
           lambda it: single(it.writer.bytes)),
    Metric("deskwatch_store_retries_total", "counter", (),
           "Inserts that failed and were tried again: ClickHouse is away or overloaded.",
           lambda it: single(it.writer.retries)),
    Metric("deskwatch_store_delay_seconds", "gauge", ("topic", "partition"),
           "From business time to table: now less the as_of of the progress last written. An output topic follows the "
           "clock, an input topic its latest event. Meaningless with DESKWATCH_CLOCK=log.",
           lambda it: it.delays()),
    Metric("deskwatch_store_unknown_messages_total", "counter", ("topic",),
           "Messages of an output topic that hold no rows this version knows: passed over.",
           lambda it: each(it.unknown)),
    Metric("deskwatch_store_lag", "gauge", ("topic", "partition"),
           "Messages of a partition that are not in ClickHouse yet, by the last fetch's high watermark.",
           lambda it: it.lag()),
)  # fmt: skip
"""The metrics of role store."""
