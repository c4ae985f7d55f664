"""The role store: what the topics hold goes into ClickHouse, and only then is acknowledged.

tickets, calls, surveys, signals                 ──> events
sla-ledger, facts, rollups,                      ──> the rows in the messages   ──> pipeline ──> ClickHouse
  risk-warnings, escalations
dead-letters                                     ──> dead letters
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from sinks.clickhouse.events import dead_letter_row, stored
from sinks.clickhouse.pipeline import Pipeline
from sinks.clickhouse.rows import TableRows, UnknownMessage, encoded, rows_of
from streams.kafka.app import BatchApp
from streams.models.topics import DEAD_LETTERS, ESCALATIONS, FACTS, INPUTS, LEDGER, ROLLUPS, WARNINGS

logger = logging.getLogger(__name__)


def register(app: BatchApp, pipeline: Pipeline) -> Counter[str]:
    """Declare the agents of the role store on `app`, and the task that writes.

    Returns the count of messages that held no rows we know, by topic: they are passed over, with one warning each
    topic. A refusal of ClickHouse crashes the app.
    """
    unknown: Counter[str] = Counter()

    @app.task
    async def write() -> None:
        await pipeline.run()

    for topic in INPUTS:
        app.agent(app.batch_topic(topic), name=f"store-{topic}")(store_events(topic, pipeline))
    for topic in (LEDGER, FACTS, ROLLUPS, WARNINGS, ESCALATIONS):
        app.agent(app.batch_topic(topic), name=f"store-{topic}")(store_rows(topic, pipeline, unknown))
    app.agent(app.batch_topic(DEAD_LETTERS), name=f"store-{DEAD_LETTERS}")(store_dead_letters(pipeline))
    return unknown


Agent = Callable[[Any], Any]


def store_events(topic: str, pipeline: Pipeline) -> Agent:
    """An agent that keeps the events themselves, and how far it is with them."""

    async def store(stream: Any) -> None:
        seen: defaultdict[int, int] = defaultdict(lambda: -1)  # by partition, the latest business time
        async for batch in stream.noack().events():
            part = stored(topic, batch.value, seen[batch.message.partition])
            seen[part.progress.partition] = part.progress.as_of
            rows = [encoded([part.progress])]
            if part.events:
                rows.append(encoded(part.events))
            await pipeline.put(rows, batch.ack, closed=part.closed)

    return store


def store_rows(topic: str, pipeline: Pipeline, unknown: Counter[str]) -> Agent:
    """An agent that hands on the rows in a topic's messages."""

    def known(value: bytes | None) -> TableRows | None:
        try:
            return rows_of(value)
        except UnknownMessage as error:
            unknown[topic] += 1
            if unknown[topic] == 1:
                logger.warning("Messages of %s are passed over: %s", topic, error)
            return None

    async def store(stream: Any) -> None:
        async for batch in stream.noack().events():
            found = [known(record.value) for record in batch.value]
            await pipeline.put([rows for rows in found if rows is not None], batch.ack)

    return store


def store_dead_letters(pipeline: Pipeline) -> Agent:
    """An agent that keeps the dead letters, and which were replayed."""

    async def store(stream: Any) -> None:
        async for batch in stream.noack().events():
            rows = [row for record in batch.value if (row := dead_letter_row(record)) is not None]
            await pipeline.put([encoded([row]) for row in rows], batch.ack)

    return store
