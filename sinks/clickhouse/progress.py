"""How far ClickHouse is: what the rows of progress, which follow all others, say."""

from collections.abc import Mapping

from sinks.clickhouse.client import Client
from streams.models.topics import (
    CUSTOMERS,
    CUSTOMERS_TOPICS,
    ESCALATIONS,
    FACTS,
    INPUTS,
    PROGRESS_TOPICS,
    WARNINGS,
    WATCH,
    WATCH_TOPICS,
)

Offsets = Mapping[tuple[str, int], int]


def done(client: Client, partitions: int) -> Offsets:
    """By input topic and partition, the offset up to which the events, and all that came of them, are in ClickHouse."""
    told: dict[tuple[str, int], dict[str, int]] = {(topic, n): {} for topic in INPUTS for n in range(partitions)}
    rows = client.query("SELECT topic_name, partition, offsets FROM progress_rows FINAL").result_rows
    for teller, partition, offsets in rows:
        for topic in (teller,) if teller in INPUTS else INPUTS if teller in PROGRESS_TOPICS else ():
            if (topic, partition) in told:
                told[topic, partition][teller] = offsets.get(topic, 0)
    return {tp: min(by.values()) if len(by) == 1 + len(PROGRESS_TOPICS) else 0 for tp, by in told.items()}


def stages_behind(client: Client, partitions: int, *, escalated: bool) -> int:
    """How many parts of the later stages have not seen every partition of the desk as it now stands in ClickHouse.

    A stage's offsets are the versions of the desks' checkpoints. `escalated`: with role escalate, as of the warnings.
    """
    rows = client.query("SELECT topic_name, partition, offsets, as_of, version FROM progress_rows FINAL").result_rows
    desks = {str(partition): version for topic, partition, _, _, version in rows if topic == FACTS}
    seen = {(topic, partition): offsets for topic, partition, offsets, _, _ in rows}
    parts = [(f"{topic}/{CUSTOMERS}", n) for topic in CUSTOMERS_TOPICS for n in range(partitions)]
    parts += [(f"{topic}/{WATCH}", 0) for topic in WATCH_TOPICS]
    behind = sum(any(seen.get(part, {}).get(desk, -1) < version for desk, version in desks.items()) for part in parts)
    if escalated:
        warned = min((as_of for topic, _, _, as_of, _ in rows if topic.split("/")[0] == WARNINGS), default=-1)
        behind += partitions - sum(topic == ESCALATIONS and as_of >= warned for topic, _, _, as_of, _ in rows)
    return behind
