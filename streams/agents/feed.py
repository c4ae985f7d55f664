"""The agent of every checkpoint table: it only feeds the table."""

from functools import partial
from typing import Any

from streams.checkpoint.app import CheckpointApp


def feed(app: CheckpointApp, role: str, table: Any) -> None:
    """Declare an agent for each input topic of a checkpoint table."""
    for topic in table.inputs:
        app.agent(app.batch_topic(topic), name=f"{role}-{topic}")(partial(_follow, table))


async def _follow(table: Any, stream: Any) -> None:
    """Feed a topic's batches to the table; they are acknowledged with the checkpoint that holds their effects."""
    async for batch in stream.noack().events():
        await table.feed(batch)
