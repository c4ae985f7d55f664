"""The metrics of role track: of its tables `desk` and `customers`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sinks.metrics.page import Metric, RoleMetrics, Samples, by_partition, each, table_lag


class Tables(NamedTuple):
    """The two checkpoint tables; their names are the values of the label `table`."""

    desk: Any
    customers: Any


def track_metrics(desk: Any, customers: Any) -> RoleMetrics:
    """The metrics of the role, read from its two `streams.checkpoint.table.CheckpointTable`s."""
    return RoleMetrics(TRACK, Tables(desk, customers))


def _of_both(read: Callable[[Any], Samples]) -> Callable[[Tables], Samples]:
    """The samples of both tables, without a label for the table: their topics differ."""
    return lambda tables: [sample for table in tables for sample in read(table)]


def _statistic(field: str, name: str, meaning: str) -> Metric:
    """A field of `streams.checkpoint.partition.Statistics`, by table."""

    def read(tables: Tables) -> Samples:
        return [((name,), getattr(table.statistics, field)) for name, table in tables._asdict().items()]

    return Metric(f"deskwatch_track_{name}", "counter", ("table",), meaning, read)


def _fed(field: str, name: str, meaning: str) -> Metric:
    """A field of `streams.checkpoint.partition.Statistics` that counts by topic."""
    return Metric(name, "counter", ("topic",), meaning, _of_both(lambda table: each(getattr(table.statistics, field))))


def _total(what: str, meaning: str) -> Metric:
    """A count of the desks (`streams.desk.track.partition.Desk.totals`)."""

    def read(tables: Tables) -> Samples:
        return by_partition(tables.desk, lambda desk: desk.totals[what])

    return Metric(f"deskwatch_track_{what}_total", "counter", ("partition",), meaning, read)


def _dead_letters(tables: Tables) -> Samples:
    return [
        ((name, *labels), value)
        for name, table in tables._asdict().items()
        for labels, value in by_partition(table, lambda state: state.totals["dead_letters"])
    ]


def _desk(name: str, meaning: str, read: Callable[[Any], float]) -> Metric:
    """A gauge of the desk of each partition."""
    return Metric(f"deskwatch_track_{name}", "gauge", ("partition",), meaning, lambda it: by_partition(it.desk, read))


def _customers(name: str, meaning: str, read: Callable[[Any], float]) -> Metric:
    """A gauge of the stage customers of each partition."""
    return Metric(
        f"deskwatch_track_{name}", "gauge", ("partition",), meaning, lambda it: by_partition(it.customers, read)
    )


TRACK = (
    _fed("fed", "deskwatch_track_records_total", "Records of an input topic that were folded, valid or not."),
    _fed("batches", "deskwatch_track_batches_total", "Record batches processed (mean size = records / batches)."),
    _total("events", "Events folded; a repeated one counts too. As of the last checkpoint."),
    _total("late", "Events behind the clock by more than the policy's lateness; they count in full."),
    _total("duplicates", "Events that came again, unchanged: they changed nothing."),
    _total("conflicts", "Events whose identity had come with other content: the earlier one stands."),
    _total("released", "Events for subjects released after the policy's hold: stored, without effect."),
    _total("unknown", "Messages of an event type that Deskwatch does not know: passed over."),
    Metric("deskwatch_track_dead_letters_total", "counter", ("table", "partition"),
           "Messages that are no valid event, put aside in the topic dead-letters.", _dead_letters),
    _desk("orphans", "Subjects that began without their creation, less those whose creation came since the takeover.",
          lambda desk: desk.totals["orphans"]),
    _desk("held_subjects", "Tickets, calls and surveys in memory.", lambda desk: len(desk.subjects.cache)),
    _desk("asleep_subjects", "Those of them that are evicted: kept compressed.",
          lambda desk: desk.subjects.cache.evicted()),
    _desk("clock_timestamp_seconds", "Business time (as_of) up to which all that fell due was written; 0: none yet. "
          "The wall's with DESKWATCH_CLOCK=wall, the log's with log.", lambda desk: max(0, desk.business_time) / 1000),
    _customers("customers", "Customers with facts in memory.", lambda stage: len(stage.facts)),
    _customers("customers_clock_timestamp_seconds", "Business time up to which the stage customers has heard all "
               "desks; 0: none yet.", lambda stage: max(0, stage.business_time) / 1000),
    Metric("deskwatch_track_lag", "gauge", ("topic", "partition"),
           "Records of an input partition that are not folded yet, by the last fetch's high watermark.",
           _of_both(table_lag)),
    _statistic("checkpoints", "checkpoints_total", "Checkpoints written."),
    _statistic("checkpoint_seconds", "checkpoint_seconds_total", "From the snapshot until outputs are acknowledged."),
    _statistic("bytes", "checkpoint_bytes_total", "Bytes of checkpoints written to the changelog."),
    _statistic("records", "checkpoint_records_total", "Records of checkpoints written to the changelog."),
    _statistic("outputs", "outputs_total", "Messages of checkpoints' outboxes sent to the output topics."),
    _statistic("outputs_resent", "outputs_resent_total", "Messages sent again, byte for byte, after a takeover."),
    _statistic("claims", "claims_total", "Claims of partitions written to the changelog."),
    _statistic("restores", "restores_total", "Partitions restored from the changelog."),
    _statistic("restore_seconds", "restore_seconds_total", "Time spent taking partitions over."),
    _statistic("fenced", "fenced_total", "Checkpoints fenced by a newer owner."),
    _statistic("given_up", "given_up_total", "Partitions whose unsaved work was abandoned; it is folded again."),
    _statistic("zombie_keys", "zombie_keys_total", "Changelog keys of a former owner that were overwritten."),
    _statistic("sought_back", "sought_back_total", "Times that records lost on the way were fetched again."),
    _statistic("gaps", "gaps_total", "Runs of input offsets without records (transactions, compaction, retention)."),
)  # fmt: skip
"""The metrics of role track."""
