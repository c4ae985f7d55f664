"""The log as ClickHouse has it: all events as they came, repeated ones too, in the order of business time.

An event that goes to every partition is stored once for each, and is read once.
"""

from collections.abc import Iterator, Sequence

from sinks.clickhouse.client import Client
from streams.models.instants import HOUR
from streams.models.signals import ClockAdvanced, DeskClosed, PolicyAnnounced

PAGE_BYTES = 16 << 20
"""Size of the events of one query, at least: as many hours as have them."""

_BROADCAST = tuple(str(event.__struct_config__.tag) for event in (PolicyAnnounced, ClockAdvanced, DeskClosed))
"""Types of events that are stored once for each partition, and are fed to every partition."""


def stored_lines(client: Client, database: str, topics: Sequence[str]) -> Iterator[bytes]:
    """The events of these topics, page by page; without what turned out to be a dead letter."""
    where = f"FROM `{database}`.event_rows FINAL WHERE topic IN {tuple(topics)!r}"
    hours = client.query(f"SELECT intDiv(time, {HOUR}) AS hour, sum(length(body)) {where} GROUP BY hour ORDER BY hour")
    for first, last in _pages(hours.result_rows):
        found = client.query(
            f"SELECT body {where} AND time >= {first * HOUR} AND time < {(last + 1) * HOUR} AND (topic, partition, "
            f"offset) NOT IN (SELECT topic, partition, offset FROM `{database}`.dead_letter_rows) "
            "ORDER BY time, topic, subject, source, id, partition, offset "
            f"LIMIT 1 BY topic, source, id, body, if(type IN {_BROADCAST!r}, (0, 0), (partition, offset))"
        )
        for (body,) in found.result_rows:
            yield body.encode()


def _pages(hours: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The hours, each with the size of its events, in pages: the first and the last hour of each."""
    first, size = None, 0
    for hour, more in hours:
        first = hour if first is None else first
        size += more
        if size >= PAGE_BYTES:
            yield first, hour
            first, size = None, 0
    if first is not None:
        yield first, hours[-1][0]
