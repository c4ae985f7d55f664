"""Every Prometheus metric: name, type, labels, meaning, and where its value is read.

    role track   the desk's table ──┐
    role store   the pipeline ──────┤
    role escalate   the chains' table ─┴─ read at each scrape ──> http://127.0.0.1:PORT/metrics

Values are plain attributes that the roles keep anyway: a metric costs nothing until somebody asks. A scrape runs in a
thread of its own, so what may change under it is copied in one step (`dict(…)`, `list(…)`) before it is walked.
Counters start at 0 with the process, those of a partition when the worker takes it over: read them with `rate()`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from wsgiref.simple_server import WSGIServer

import msgspec
import prometheus_client
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.types.tuples import TP
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from streams.models.rows import ProgressRow

if TYPE_CHECKING:  # else every role would load what only store needs
    from sinks.clickhouse.rows import Batch
    from sinks.clickhouse.writer import Writer

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values, each with those of the metric's labels."""


class Metric(NamedTuple):
    """One metric. `read` gives its present samples, from a TrackMetrics or a StoreMetrics."""

    name: str
    type: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    meaning: str
    read: Callable[[Any], Samples]


class _RoleMetrics(Collector):
    """Reads a role's metrics when Prometheus asks."""

    metrics: tuple[Metric, ...]

    def collect(self) -> Iterator[prometheus_client.Metric]:
        """Yield each metric of the role with its present samples."""
        for metric in self.metrics:
            kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            family = kind(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in metric.read(self):
                family.add_metric(labels, value)
            yield family


# Role track


class TrackMetrics(_RoleMetrics):
    """The metrics of role track, read from its `streams.checkpoint.table.CheckpointTable` of desks."""

    def __init__(self, desk_table: Any) -> None:
        self.table, self.metrics = desk_table, TRACK

    def desks(self, read: Callable[[Any], float]) -> Samples:
        """What `read` says of the desk of each partition held."""
        return [((str(part.number),), read(part.state)) for part in list(self.table.held.values()) if part.ready]

    def lag(self) -> Samples:
        """By input topic and partition, the offsets that are not folded yet."""
        return _lag(self.table.lag) if self.table.held else []


class WatchMetrics(TrackMetrics):
    """The metrics of role watch, read from the table of its one state."""

    def __init__(self, table: Any) -> None:
        super().__init__(table)
        self.metrics = WATCH


def _statistic(field: str, name: str, meaning: str) -> Metric:
    """A field of `streams.checkpoint.partition.Statistics`."""
    return Metric(
        f"deskwatch_track_{name}", "counter", (), meaning, lambda it: _one(getattr(it.table.statistics, field))
    )


def _fed(field: str, name: str, meaning: str) -> Metric:
    """A field of `streams.checkpoint.partition.Statistics` that counts by topic."""
    return Metric(name, "counter", ("topic",), meaning, lambda it: _each(getattr(it.table.statistics, field)))


def _total(what: str, meaning: str) -> Metric:
    """What the desks counted under this name (`streams.desk.track.partition.Desk.totals`)."""
    name = f"deskwatch_track_{what}_total"
    return Metric(name, "counter", ("partition",), meaning, lambda it: it.desks(lambda desk: desk.totals[what]))


def _desk(name: str, meaning: str, read: Callable[[Any], float]) -> Metric:
    """What there is to say of the desk of each partition."""
    return Metric(f"deskwatch_track_{name}", "gauge", ("partition",), meaning, lambda it: it.desks(read))


TRACK = (
    _fed("fed", "deskwatch_track_records_total", "Records of an input topic that were folded, whatever they held."),
    _fed("batches", "deskwatch_track_batches_total", "Lists of records folded; records by batches is the mean size."),
    _total("events", "Events folded; a repeated one counts too. As of the last checkpoint."),
    _total("late", "Events behind the clock by more than the policy's lateness; they count in full."),
    _total("duplicates", "Events that came again, unchanged: they changed nothing."),
    _total("conflicts", "Events whose identity had come with other content: the earlier one stands."),
    _total("released", "Events for subjects released after the policy's hold: stored, without effect."),
    _total("unknown", "Messages of an event type that Deskwatch does not know: passed over."),
    _total("dead_letters", "Messages that are no valid event, put aside in the topic dead-letters."),
    _desk("orphans", "Subjects that began without their creation, less those whose creation came since the takeover.",
          lambda desk: desk.totals["orphans"]),
    _desk("held_subjects", "Tickets, calls and surveys in memory.", lambda desk: len(desk.subjects.cache)),
    _desk("asleep_subjects", "Those of them that are packed.", lambda desk: desk.subjects.cache.evicted()),
    _desk("clock_timestamp_seconds", "Business time (as_of) up to which all that fell due was written; 0: none yet. "
          "The wall's with DESKWATCH_CLOCK=wall, the log's with log.", lambda desk: max(0, desk.business_time) / 1000),
    Metric("deskwatch_track_lag", "gauge", ("topic", "partition"),
           "Records of an input partition that are not folded yet, by the last fetch's high watermark.",
           lambda it: it.lag()),
    _statistic("checkpoints", "checkpoints_total", "Checkpoints written."),
    _statistic("checkpoint_seconds", "checkpoint_seconds_total", "From their cut until outputs are acknowledged."),
    _statistic("bytes", "checkpoint_bytes_total", "Bytes of checkpoints written to the changelog."),
    _statistic("records", "checkpoint_records_total", "Records of checkpoints written to the changelog."),
    _statistic("outputs", "outputs_total", "Messages of checkpoints' outboxes sent to the output topics."),
    _statistic("outputs_resent", "outputs_resent_total", "Messages sent again, byte for byte, after a takeover."),
    _statistic("claims", "claims_total", "Claims of partitions written to the changelog."),
    _statistic("restores", "restores_total", "Partitions restored from the changelog."),
    _statistic("restore_seconds", "restore_seconds_total", "Time spent taking partitions over."),
    _statistic("fenced", "fenced_total", "Checkpoints that another owner's claim made void: the worker gave way."),
    _statistic("given_up", "given_up_total", "Partitions whose unsaved work was given up; it is folded again."),
    _statistic("zombie_keys", "zombie_keys_total", "Changelog keys of a former owner that were written over."),
    _statistic("sought_back", "sought_back_total", "Times that records lost on the way were fetched again."),
    _statistic("gaps", "gaps_total", "Runs of input offsets without records (transactions, compaction, retention)."),
)  # fmt: skip
"""The metrics of role track."""

WATCH = (
    Metric("deskwatch_watch_clock_timestamp_seconds", "gauge", ("partition",),
           "Business time up to which the window rules were judged; 0: none yet.",
           lambda it: it.desks(lambda watch: max(0, watch.business_time) / 1000)),
    Metric("deskwatch_watch_cases", "gauge", ("partition",), "Rules by subjects that are judged.",
           lambda it: it.desks(lambda watch: len(watch.cases))),
    Metric("deskwatch_watch_late_total", "counter", ("partition",),
           "Tallies that came later than the policy's lateness: what was judged then stays.",
           lambda it: it.desks(lambda watch: watch.totals["late"])),
    Metric("deskwatch_watch_lag", "gauge", ("topic", "partition"),
           "Messages of the desks that are not judged yet, by the last fetch's high watermark.",
           lambda it: it.lag()),
)  # fmt: skip
"""The metrics of role watch."""


# Role store


class StoreMetrics(_RoleMetrics):
    """The metrics of role store: from now on its pipeline's writer counts what it wrote.

    Arguments:
        pipeline: `sinks.clickhouse.pipeline.Pipeline`.
        unknown: messages that held no rows we know, by topic (`streams.agents.store.register`).
        app: its `streams.kafka.app.BatchApp`, for the lag.
    """

    def __init__(self, pipeline: Any, unknown: Counter[str], app: Any = None) -> None:
        self.unknown, self.app, self.metrics = unknown, app, STORE
        self.writer: Writer = pipeline.writer
        self.written = pipeline.writer = CountingWriter(pipeline.writer)

    def lag(self) -> Samples:
        """By topic and partition, the offsets whose rows are not in ClickHouse yet."""
        started = self.app is not None and self.app.started
        return _lag(lambda: _uncommitted(self.app.consumer)) if started else []

    def delays(self) -> Samples:
        """By topic and partition, the seconds from the progress last written until now."""
        now, progress = time.time(), dict(self.written.as_of)
        return [((topic, str(number)), now - at / 1000) for (topic, number), at in progress.items() if at >= 0]


class CountingWriter:
    """A writer that counts, batch by batch, what it wrote.

    Attributes: `rows`, by table; `as_of`, by topic and partition the business instant (ms) of the progress written, -1
    before the first event.
    """

    def __init__(self, writer: "Writer") -> None:
        self.writer, self.stop, self.write_calendars = writer, writer.stop, writer.write_calendars
        self.rows: Counter[str] = Counter()
        self.as_of: dict[tuple[str, int], int] = {}

    def write(self, batch: "Batch") -> None:
        """Write a batch as `Writer.write` does, and count it once it is in."""
        self.writer.write(batch)
        self.rows.update(batch.counts)
        if ProgressRow.table in batch.blocks:
            for row in map(_progress, batch.block(ProgressRow.table).split(b"\n")):
                place = row.topic_name, row.partition
                self.as_of[place] = max(row.as_of, self.as_of.get(place, -1))


_progress = msgspec.json.Decoder(ProgressRow).decode


def _uncommitted(consumer: Any) -> dict[TP, int]:
    # What was committed last: faust consumer.py:417. The store commits what is in ClickHouse.
    committed, ends = dict(consumer._committed_offset), {tp: consumer.highwater(tp) for tp in consumer.assignment()}
    return {tp: max(0, end - (committed.get(tp) or 0)) for tp, end in ends.items() if end is not None}


STORE = (
    Metric("deskwatch_store_rows_total", "counter", ("table",),
           "Rows written to a table of ClickHouse, repeated ones too.", lambda it: _each(it.written.rows)),
    Metric("deskwatch_store_inserts_total", "counter", (), "Inserts done.", lambda it: _one(it.writer.inserts)),
    Metric("deskwatch_store_insert_seconds_total", "counter", (), "Time spent in them.",
           lambda it: _one(it.writer.seconds)),
    Metric("deskwatch_store_insert_bytes_total", "counter", (), "Bytes of their rows, before compression.",
           lambda it: _one(it.writer.bytes)),
    Metric("deskwatch_store_retries_total", "counter", (),
           "Inserts that failed and were tried again: ClickHouse is away or overloaded.",
           lambda it: _one(it.writer.retries)),
    Metric("deskwatch_store_delay_seconds", "gauge", ("topic", "partition"),
           "From business time to table: now less the as_of of the progress last written. An output topic follows the "
           "clock, an input topic its latest event. Meaningless with DESKWATCH_CLOCK=log.",
           lambda it: it.delays()),
    Metric("deskwatch_store_unknown_messages_total", "counter", ("topic",),
           "Messages of an output topic that hold no rows this version knows: passed over.",
           lambda it: _each(it.unknown)),
    Metric("deskwatch_store_lag", "gauge", ("topic", "partition"),
           "Messages of a partition that are not in ClickHouse yet, by the last fetch's high watermark.",
           lambda it: it.lag()),
)  # fmt: skip
"""The metrics of role store."""


# Role escalate


class EscalateMetrics(TrackMetrics):
    """The metrics of role escalate, read from its table of `streams.desk.escalation.partition.Escalations`."""

    def __init__(self, chain_table: Any) -> None:
        self.table, self.metrics = chain_table, ESCALATE

    def steps(self) -> Samples:
        """By what happened to them, the steps of all partitions held."""
        counts: Counter[str] = Counter()
        for part in list(self.table.held.values()):
            counts.update(dict(part.state.totals))
        return _each(counts)


ESCALATE = (
    Metric("deskwatch_escalate_events_total", "counter", ("state",),
           "What happened to steps of chains: scheduled, sent, failed, skipped, unknown, acknowledged, exhausted …; "
           "dead_letters are messages that are no action or warning.", lambda it: it.steps()),
    Metric("deskwatch_escalate_chains", "gauge", ("partition",),
           "Chains in memory: of standing warnings, and for a day of those that were cleared.",
           lambda it: it.desks(lambda state: len(state.chains))),
    Metric("deskwatch_escalate_lag", "gauge", ("topic", "partition"),
           "Records of an input partition that are not folded yet, by the last fetch's high watermark.",
           lambda it: it.lag()),
)  # fmt: skip
"""The metrics of role escalate."""


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
    """Serve a role's metrics at http://HOST:PORT/metrics, in a thread that ends with the process; nothing if port is 0.

    Returns the server, for who wants to end it sooner. Raises PortTaken.
    """
    if not port:
        return None
    registry = prometheus_client.CollectorRegistry()
    registry.register(metrics)
    prometheus_client.ProcessCollector(registry=registry)
    try:
        return prometheus_client.start_http_server(port, host, registry)[0]
    except OSError as error:
        raise PortTaken(
            f"The metrics cannot be served at {host}:{port} ({error.strerror}): set DESKWATCH_METRICS_PORT to a free "
            "port, or to 0 for none."
        ) from None


def markdown() -> str:
    """All metrics as a table for the documentation."""
    metrics = (*TRACK, *WATCH, *STORE, *ESCALATE)
    rows = [(metric.name, metric.type, ", ".join(metric.labels), metric.meaning) for metric in metrics]
    rows += [(name, "counter" if name.endswith("_total") else "gauge", "", says) for name, says in PROCESS.items()]
    lines = [f"| `{name}` | {kind} | {labels} | {meaning} |" for name, kind, labels, meaning in rows]
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *lines])


def _one(value: float) -> Samples:
    return [((), value)]


def _each(counts: Mapping[str, int]) -> Samples:
    return [((name,), value) for name, value in dict(counts).items()]


def _lag(read: Callable[[], Mapping[TP, int]]) -> Samples:
    """The lag; none while partitions come and go under the scrape (aiokafka asserts that they are assigned)."""
    try:
        return [((tp.topic, str(tp.partition)), offsets) for tp, offsets in read().items()]
    except (AssertionError, IllegalStateError, ConsumerNotStarted):
        return []
