"""The agents of the role track are thin: each hands what it gets to the desk of its partition."""

from typing import Any


async def follow(stream: Any, desk: Any) -> None:
    """Feed a topic's batches to the desk; they are acknowledged with the checkpoint that holds what they did."""
    async for batch in stream.noack().events():
        await desk.feed(batch)
