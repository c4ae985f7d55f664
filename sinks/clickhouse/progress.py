"""The progress in ClickHouse, from the progress rows: a checkpoint's last rows, written after all others."""

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
    """By input topic and partition, the offset up to which the events and all their outputs are in ClickHouse."""
    written: dict[tuple[str, int], dict[str, int]] = {(topic, n): {} for topic in INPUTS for n in range(partitions)}
    rows = client.query("SELECT topic_name, partition, offsets FROM progress_rows FINAL").result_rows
    for source, partition, offsets in rows:
        for topic in (source,) if source in INPUTS else INPUTS if source in PROGRESS_TOPICS else ():
            if (topic, partition) in written:
                written[topic, partition][source] = offsets.get(topic, 0)
    return {tp: min(by.values()) if len(by) == 1 + len(PROGRESS_TOPICS) else 0 for tp, by in written.items()}


def stages_behind(client: Client, partitions: int, *, escalated: bool) -> int:
    """The number of outputs of the later stages that lack the last checkpoint of a desk in ClickHouse.

    The offsets of a stage are the versions of the desks' checkpoints. `escalated`: also count role escalate; its
    progress must have reached that of the warnings.
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
