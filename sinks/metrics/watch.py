"""The metrics of role watch: those of its table, which has one state."""

from typing import Any

from sinks.metrics.page import Metric, RoleMetrics, by_partition, table_lag


def watch_metrics(table: Any) -> RoleMetrics:
    """The metrics of the role, read from its `streams.checkpoint.table.CheckpointTable`."""
    return RoleMetrics(WATCH, table)


WATCH = (
    Metric("deskwatch_watch_clock_timestamp_seconds", "gauge", ("partition",),
           "Business time up to which the window rules were judged; 0: none yet.",
           lambda table: by_partition(table, lambda watch: max(0, watch.business_time) / 1000)),
    Metric("deskwatch_watch_cases", "gauge", ("partition",), "Rules by subjects that are judged.",
           lambda table: by_partition(table, lambda watch: len(watch.evaluations))),
    Metric("deskwatch_watch_late_total", "counter", ("partition",),
           "Tallies later than the policy's lateness: the verdict of that minute is final.",
           lambda table: by_partition(table, lambda watch: watch.totals["late"])),
    Metric("deskwatch_watch_lag", "gauge", ("topic", "partition"),
           "Messages of the desks that are not judged yet, by the last fetch's high watermark.", table_lag),
)  # fmt: skip
"""The metrics of role watch."""
