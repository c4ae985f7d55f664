"""The role store: writes the contents of the topics to ClickHouse, and acknowledges them afterwards.

tickets, calls, surveys, signals                 ──> events
sla-ledger, facts, rollups,                      ──> the rows in the messages   ──> pipeline ──> ClickHouse
  risk-warnings, escalations
actions                                          ──> events, too: what people do is in the log
dead-letters                                     ──> dead letters
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from sinks.clickhouse import client
from sinks.clickhouse.events import dead_letter_row, stored
from sinks.clickhouse.pipeline import Pipeline
from sinks.clickhouse.rows import TableRows, UnknownMessage, encoded, rows_of
from sinks.clickhouse.writer import Writer
from streams.desk.policy.versions import Policies
from streams.kafka.app import BatchApp
from streams.models.topics import ACTIONS, DEAD_LETTERS, ESCALATIONS, FACTS, INPUTS, LEDGER, ROLLUPS, WARNINGS
from streams.settings import Settings

logger = logging.getLogger(__name__)

ROW_TOPICS = (LEDGER, FACTS, ROLLUPS, WARNINGS, ESCALATIONS)
"""The topics whose messages contain rows."""


def register(app: BatchApp, settings: Settings, policies: Policies) -> tuple[Pipeline, Counter[str]]:
    """Declare the agents of the role store, and the task that writes.

    Returns the pipeline, and the count of messages without known rows, by topic: they are skipped, with one warning per
    topic. A refusal of ClickHouse crashes the app.
    """
    user, password = settings.clickhouse_user, settings.clickhouse_password

    def connect() -> client.Client:  # in the writer's thread: it waits while ClickHouse is down
        return client.connect(settings.clickhouse, user=user, password=password, database=settings.database)

    pipeline = Pipeline(Writer(connect, settings.database, policies))
    return pipeline, store_all(app, pipeline)


def store_all(app: BatchApp, pipeline: Pipeline) -> Counter[str]:
    """Declare an agent for each topic; they put rows into the pipeline. Returns the counts of unknown messages."""
    unknown: Counter[str] = Counter()

    @app.task
    async def write() -> None:
        await pipeline.run()

    agents = {
        **{topic: _store_events(topic, pipeline) for topic in (*INPUTS, ACTIONS)},
        **{topic: _store_rows(topic, pipeline, unknown) for topic in ROW_TOPICS},
        DEAD_LETTERS: _store_dead_letters(pipeline),
    }
    for topic, store in agents.items():
        app.agent(app.batch_topic(topic), name=f"store-{topic}")(store)
    return unknown


Agent = Callable[[Any], Awaitable[None]]


def _store_events(topic: str, pipeline: Pipeline) -> Agent:
    """An agent that stores the events themselves, and their progress."""

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


def _store_rows(topic: str, pipeline: Pipeline, unknown: Counter[str]) -> Agent:
    """An agent that stores the rows in the messages of a topic."""

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


def _store_dead_letters(pipeline: Pipeline) -> Agent:
    """An agent that stores the dead letters, and their replay markers."""

    async def store(stream: Any) -> None:
        async for batch in stream.noack().events():
            rows = [row for record in batch.value if (row := dead_letter_row(record)) is not None]
            await pipeline.put([encoded([row]) for row in rows], batch.ack)

    return store
