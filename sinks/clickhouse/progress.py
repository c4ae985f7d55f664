"""The progress in ClickHouse, from the progress rows: a checkpoint's last rows, written after all others."""

from collections.abc import Mapping

from sinks.clickhouse.client import Client
from streams.models.topics import (
    ACTIONS,
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


_SOURCES = {**{topic: {topic, *PROGRESS_TOPICS} for topic in INPUTS}, ACTIONS: {ACTIONS, ESCALATIONS}}
"""By topic: whose progress names its offsets. Store's has the topic's own name; the others are of what comes of it."""


def done(client: Client, partitions: int) -> Offsets:
    """By topic of events and partition, the offset up to which they and all their outputs are in ClickHouse."""
    written: dict[tuple[str, int], dict[str, int]] = {(topic, n): {} for topic in _SOURCES for n in range(partitions)}
    rows = client.query("SELECT topic_name, partition, offsets FROM progress_rows FINAL").result_rows
    for source, partition, offsets in rows:
        for topic, sources in _SOURCES.items():
            if source in sources and (topic, partition) in written:
                written[topic, partition][source] = offsets.get(topic, 0)
    return {tp: min(by.values()) if by.keys() == _SOURCES[tp[0]] else 0 for tp, by in written.items()}


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
