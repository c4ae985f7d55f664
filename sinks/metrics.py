"""Every Prometheus metric: name, type, labels, meaning, and where its value is read.

    role track   the desk's table ──┐
    role store   the pipeline ──────┴─ read at each scrape ──> http://127.0.0.1:PORT/metrics

Values are plain attributes that the roles keep anyway: a metric costs nothing until somebody asks. A scrape runs in a
thread of its own, so what may change under it is copied in one step (`dict(…)`, `list(…)`) before it is walked.
Counters start at 0 with the process, those of a partition when the worker takes it over: read them with `rate()`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from wsgiref.simple_server import WSGIServer

import msgspec
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.types.tuples import TP
from prometheus_client import CollectorRegistry, Metric as Family, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sinks.clickhouse.rows import Batch
from sinks.clickhouse.writer import Writer
from streams.models.rows import ProgressRow

Role = TypeVar("Role")
Sample = tuple[tuple[str, ...], float]


class Metric(NamedTuple, Generic[Role]):
    """One metric. `read` gives its samples, each with the values of `labels`, from the role's metrics object."""

    name: str
    type: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    meaning: str
    read: Callable[[Role], Iterable[Sample]]


class _Collector(Collector, Generic[Role]):
    """Reads a role's metrics when Prometheus asks."""

    metrics: "tuple[Metric[Role], ...]"

    def collect(self: Any) -> Iterator[Family]:
        """Yield each metric of the role with its present samples."""
        for metric in self.metrics:
            kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            family = kind(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in metric.read(self):
                family.add_metric(labels, value)
            yield family


# Role track


class TrackMetrics(_Collector["TrackMetrics"]):
    """The metrics of role track, read from its `streams.checkpoint.CheckpointTable` of desks."""

    def __init__(self, desk_table: Any) -> None:
        self.table = desk_table
        self.metrics = TRACK

    def desks(self) -> list[tuple[str, Any]]:
        """The partitions held, and the desk of each."""
        return [(str(part.number), part.state) for part in list(self.table.held.values()) if part.ready]

    def lag(self) -> Mapping[TP, int]:
        """By input partition, the offsets that are not folded yet."""
        return _unless_rebalancing(self.table.lag) if self.table.held else {}


def _statistic(field: str, name: str, meaning: str) -> Metric[TrackMetrics]:
    """A field of `streams.partition.Statistics`."""
    return Metric(f"deskwatch_track_{name}", "counter", (), meaning, lambda it: _one(getattr(it.table.statistics, field)))


def _fed(field: str, name: str, meaning: str) -> Metric[TrackMetrics]:
    """A field of `streams.partition.Statistics` that counts by topic."""
    return Metric(
        f"deskwatch_track_{name}", "counter", ("topic",), meaning, lambda it: _each(getattr(it.table.statistics, field))
    )


def _total(what: str, meaning: str) -> Metric[TrackMetrics]:
    """What the desks of the partitions counted under this name (`streams.desk.desk.Desk.totals`)."""
    return Metric(
        f"deskwatch_track_{what}_total",
        "counter",
        ("partition",),
        meaning,
        lambda it: [((number,), desk.totals[what]) for number, desk in it.desks()],
    )


TRACK: tuple[Metric[TrackMetrics], ...] = (
    _fed("fed", "records_total", "Records of an input topic that were folded, whatever they held."),
    _fed("batches", "batches_total", "Lists of records fetched and folded; records by batches is the mean batch size."),
    _total("events", "Events folded; a repeated one counts too. As of the last checkpoint."),
    _total("late", "Events behind the clock by more than the policy's lateness; they count in full."),
    _total("duplicates", "Events that came again, unchanged: they changed nothing."),
    _total("conflicts", "Events whose identity had come with other content: the earlier one stands."),
    _total("released", "Events for subjects released after the policy's hold: stored, without effect."),
    _total("unknown", "Messages of an event type that Deskwatch does not know: passed over."),
    _total("dead_letters", "Messages that are no valid event, put aside in the topic dead-letters."),
    Metric(
        "deskwatch_track_orphans",
        "gauge",
        ("partition",),
        "Subjects that began without their creation, less those whose creation came, since the partition was taken over.",
        lambda it: [((number,), desk.totals["orphans"]) for number, desk in it.desks()],
    ),
    Metric(
        "deskwatch_track_held_subjects",
        "gauge",
        ("partition",),
        "Tickets, calls and surveys in memory.",
        lambda it: [((number,), len(desk.subjects.held)) for number, desk in it.desks()],
    ),
    Metric(
        "deskwatch_track_clock_timestamp_seconds",
        "gauge",
        ("partition",),
        "Business time (as_of) up to which all that fell due was written. The wall's with DESKWATCH_CLOCK=wall, the log's "
        "with log.",
        lambda it: [((number,), desk.clock / 1000) for number, desk in it.desks() if desk.clock >= 0],
    ),
    Metric(
        "deskwatch_track_lag",
        "gauge",
        ("topic", "partition"),
        "Records of an input partition that are not folded yet, by the last fetch's high watermark.",
        lambda it: [((tp.topic, str(tp.partition)), lag) for tp, lag in it.lag().items()],
    ),
    Metric(
        "deskwatch_track_held_partitions",
        "gauge",
        (),
        "Partitions that this worker holds and folds.",
        lambda it: _one(len(it.desks())),
    ),
    _statistic("checkpoints", "checkpoints_total", "Checkpoints written."),
    _statistic(
        "checkpoint_seconds", "checkpoint_seconds_total", "Time from a checkpoint's cut until its outputs are acknowledged."
    ),
    _statistic("bytes", "checkpoint_bytes_total", "Bytes of checkpoints written to the changelog."),
    _statistic("records", "checkpoint_records_total", "Records of checkpoints written to the changelog."),
    _statistic("outputs", "outputs_total", "Messages of checkpoints' outboxes sent to the output topics."),
    _statistic("outputs_resent", "outputs_resent_total", "Messages sent again, byte for byte, after a takeover."),
    _statistic("claims", "claims_total", "Claims of partitions written to the changelog."),
    _statistic("restores", "restores_total", "Partitions restored from the changelog."),
    _statistic("restore_seconds", "restore_seconds_total", "Time spent taking partitions over."),
    _statistic("fenced", "fenced_total", "Checkpoints that another owner's claim made void: the worker gave way."),
    _statistic("given_up", "given_up_total", "Partitions whose unsaved work was given up; it is folded again elsewhere."),
    _statistic("zombie_keys", "zombie_keys_total", "Changelog keys of a former owner that were written over."),
    _statistic("sought_back", "sought_back_total", "Lists of records that did not follow the last one: read again."),
    _statistic("gaps", "gaps_total", "Runs of input offsets that hold no records (transactions, compaction, retention)."),
)


# Role store


class StoreMetrics(_Collector["StoreMetrics"]):
    """The metrics of role store: from now on its pipeline's writer counts what it wrote.

    Arguments:
        pipeline: `sinks.clickhouse.pipeline.Pipeline`.
        unknown: messages that held no rows we know, by topic (`streams.agents.store.register`).
        app: its `streams.transport.BatchApp`, for the lag.
    """

    def __init__(self, pipeline: Any, unknown: Counter[str], app: Any = None) -> None:
        self.pipeline, self.unknown, self.app = pipeline, unknown, app
        self.written = pipeline.writer = CountingWriter(pipeline.writer)
        self.writer: Writer = self.written.writer
        self.metrics = STORE

    def lag(self) -> Mapping[TP, int]:
        """By partition, the offsets whose rows are not in ClickHouse yet, by the last fetch's high watermark."""
        started = self.app is not None and self.app.started
        return _unless_rebalancing(lambda: _uncommitted(self.app.consumer)) if started else {}


class CountingWriter:
    """A writer that counts, batch by batch, what it wrote: `rows` by table, and how far each output topic's partition is.

    `as_of`: the business instant, ms, by topic and partition; -1 before the first event.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer, self.stop, self.write_calendars = writer, writer.stop, writer.write_calendars
        self.rows: Counter[str] = Counter()
        self.as_of: dict[tuple[str, int], int] = {}

    def write(self, batch: Batch) -> None:
        """Write a batch as `Writer.write` does, and count it once it is in."""
        self.writer.write(batch)
        self.rows.update(batch.counts)
        for row in map(_progress, batch.blocks.get(ProgressRow.table, ())):
            for topic, partition, as_of in row:
                self.as_of[topic, partition] = max(as_of, self.as_of.get((topic, partition), -1))


def _progress(block: bytes) -> Iterator[tuple[str, int, int]]:
    for row in map(_progress_row, block.split(b"\n")):
        yield row.topic_name, row.partition, row.as_of


_progress_row = msgspec.json.Decoder(ProgressRow).decode


def _uncommitted(consumer: Any) -> dict[TP, int]:
    # What this process committed last: faust consumer.py:417. A partition's messages are committed once they are in.
    committed, ends = dict(consumer._committed_offset), {tp: consumer.highwater(tp) for tp in consumer.assignment()}
    return {tp: max(0, end - (committed.get(tp) or 0)) for tp, end in ends.items() if end is not None}


def _delays(it: StoreMetrics) -> list[Sample]:
    now = time.time()
    progress = list(it.written.as_of.items())
    return [((topic, str(number)), now - at / 1000) for (topic, number), at in progress if at >= 0]


STORE: tuple[Metric[StoreMetrics], ...] = (
    Metric(
        "deskwatch_store_rows_total",
        "counter",
        ("table",),
        "Rows written to a table of ClickHouse, repeated ones too.",
        lambda it: _each(it.written.rows),
    ),
    Metric("deskwatch_store_inserts_total", "counter", (), "Inserts done.", lambda it: _one(it.writer.inserts)),
    Metric(
        "deskwatch_store_insert_seconds_total", "counter", (), "Time in inserts done.", lambda it: _one(it.writer.seconds)
    ),
    Metric(
        "deskwatch_store_insert_bytes_total",
        "counter",
        (),
        "Bytes of rows inserted, before compression.",
        lambda it: _one(it.writer.bytes),
    ),
    Metric(
        "deskwatch_store_retries_total",
        "counter",
        (),
        "Inserts that failed and were tried again: ClickHouse is away or overloaded.",
        lambda it: _one(it.writer.retries),
    ),
    Metric(
        "deskwatch_store_delay_seconds",
        "gauge",
        ("topic", "partition"),
        "From business time to table: now less the as_of of the last progress written. An input topic that is idle grows "
        "old; an output topic stays below 10 s. Meaningless with DESKWATCH_CLOCK=log.",
        _delays,
    ),
    Metric(
        "deskwatch_store_unknown_messages_total",
        "counter",
        ("topic",),
        "Messages of an output topic that hold no rows this version knows: passed over.",
        lambda it: _each(it.unknown),
    ),
    Metric(
        "deskwatch_store_lag",
        "gauge",
        ("topic", "partition"),
        "Messages of a partition that are not in ClickHouse yet, by the last fetch's high watermark.",
        lambda it: [((tp.topic, str(tp.partition)), lag) for tp, lag in it.lag().items()],
    ),
)


# The page

PROCESS = {
    "process_virtual_memory_bytes": "Virtual memory.",
    "process_resident_memory_bytes": "Memory in RAM.",
    "process_start_time_seconds": "When the process started, in seconds since the epoch.",
    "process_cpu_seconds_total": "CPU time used.",
    "process_open_fds": "Open files and sockets.",
    "process_max_fds": "Most files and sockets that may be open.",
}
"""What prometheus_client tells of the process itself, on every role's page."""


class PortTaken(SystemExit):
    """The metrics page cannot be served. Its text is one sentence for people."""


def serve(port: int, metrics: Collector, host: str = "127.0.0.1") -> WSGIServer | None:
    """Serve a role's metrics at http://HOST:PORT/metrics, in a thread that ends with the process.

    Port 0 serves nothing. Returns the server, for who wants to end it sooner. Raises PortTaken.
    """
    if not port:
        return None
    registry = CollectorRegistry()
    registry.register(metrics)
    ProcessCollector(registry=registry)
    try:
        return start_http_server(port, host, registry)[0]
    except OSError as error:
        raise PortTaken(
            f"The metrics cannot be served at {host}:{port} ({error.strerror}): set DESKWATCH_METRICS_PORT to a free port, "
            "or to 0 for none."
        ) from None


def markdown() -> str:
    """All metrics as a table for the documentation."""
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in (*TRACK, *STORE):
        lines.append(f"| `{metric.name}` | {metric.type} | {', '.join(metric.labels)} | {metric.meaning} |")
    for name, meaning in PROCESS.items():
        lines.append(f"| `{name}` | {'counter' if name.endswith('_total') else 'gauge'} | | {meaning} |")
    return "\n".join(lines)


def _one(value: float) -> list[Sample]:
    return [((), value)]


def _each(counts: Mapping[str, int]) -> list[Sample]:
    return [((name,), value) for name, value in dict(counts).items()]


def _unless_rebalancing(lag: Callable[[], Mapping[TP, int]]) -> Mapping[TP, int]:
    """The lag; none while partitions come and go under the scrape (aiokafka asserts that they are assigned)."""
    try:
        return lag()
    except (AssertionError, IllegalStateError, ConsumerNotStarted):
        return {}
