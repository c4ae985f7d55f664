"""The metrics of role escalate: those of its table of `streams.desk.escalation.partition.Escalations`."""

from collections import Counter
from typing import Any

from sinks.metrics.page import Metric, RoleMetrics, Samples, by_partition, each, table_lag


def escalate_metrics(table: Any) -> RoleMetrics:
    """The metrics of the role, read from its `streams.agents.delivery.EscalationTable`."""
    return RoleMetrics(ESCALATE, table)


def _steps(table: Any) -> Samples:
    """By state, the steps of all partitions held."""
    counts: Counter[str] = Counter()
    for part in list(table.held.values()):
        counts.update(dict(part.state.totals))
    return each(counts)


ESCALATE = (
    Metric("deskwatch_escalate_events_total", "counter", ("state",),
           "Events of the steps of chains: scheduled, sent, failed, skipped, unknown, acknowledged, exhausted …; "
           "dead_letters are messages that are no action or warning.", _steps),
    Metric("deskwatch_escalate_chains", "gauge", ("partition",),
           "Chains in memory: of standing warnings, and for a day of those that were cleared.",
           lambda table: by_partition(table, lambda state: len(state.chains))),
    Metric("deskwatch_escalate_lag", "gauge", ("topic", "partition"),
           "Records of an input partition that are not folded yet, by the last fetch's high watermark.", table_lag),
)  # fmt: skip
"""The metrics of role escalate."""
