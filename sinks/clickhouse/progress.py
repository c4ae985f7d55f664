"""How far ClickHouse is: what the rows of progress, which follow all others, say."""

from collections.abc import Mapping

from sinks.clickhouse.client import Client
from streams.desk.messages import FACTS, LEDGER, ROLLUPS, WARNINGS
from streams.models.codec import INPUTS

Offsets = Mapping[tuple[str, int], int]

DERIVED = (LEDGER, FACTS, ROLLUPS, WARNINGS)


def done(client: Client, partitions: int) -> Offsets:
    """By input topic and partition, the offset up to which the events, and all that came of them, are in ClickHouse."""
    told: dict[tuple[str, int], dict[str, int]] = {(topic, n): {} for topic in INPUTS for n in range(partitions)}
    rows = client.query("SELECT topic_name, partition, offsets FROM progress_rows FINAL").result_rows
    for teller, partition, offsets in rows:
        for topic in (teller,) if teller in INPUTS else INPUTS:
            if (topic, partition) in told:
                told[topic, partition][teller] = offsets.get(topic, 0)
    return {tp: min(by.values()) if len(by) == 1 + len(DERIVED) else 0 for tp, by in told.items()}
