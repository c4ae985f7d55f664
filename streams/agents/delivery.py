"""The table of role escalate: writes checkpoints like all tables, and then sends the messages with intents in them.

    snapshot ──> checkpoint acknowledged ──> messages ──> threads ──> outcome ──> state.settle ──> the next checkpoint
                                                          Apprise

A message waits only for earlier ones to the same receiver: a receiver that does not answer delays only its own
messages, and the chain continues.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from streams.checkpoint.partition import Partition
from streams.checkpoint.table import CheckpointTable, wall_clock
from streams.desk.escalation.dispatch import Message
from streams.desk.escalation.sending import Outcome, Result

MAX_CONCURRENT, MAX_CONCURRENT_EACH = 16, 2
"""Maximum number of messages being sent at once: in all, and to one receiver."""

STOP_TIMEOUT_S = 3.0
"""How long a revocation or a stop waits for messages being sent; the outcome of the rest is then unknown."""

UNSENT = Outcome(Result.UNSENT, "the worker ended or lost the partition before it was sent")


class EscalationTable(CheckpointTable):
    """Sends the messages of each checkpoint. `send` is called in a thread; the other arguments: see CheckpointTable."""

    def __init__(self, app: Any, *, send: Callable[[str, str, str], Outcome], **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._send = send
        self._pool = ThreadPoolExecutor(MAX_CONCURRENT, thread_name_prefix="notify")
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MAX_CONCURRENT_EACH))
        self._queued: dict[asyncio.Task[None], tuple[Partition, Message]] = {}  # wait for earlier ones to the receiver
        self._under_way: set[asyncio.Task[None]] = set()
        self._paused = self._ended = False

    async def _save_if_due(self, part: Partition) -> None:
        if not self._paused:  # else messages would fall due that could no longer be sent
            await super()._save_if_due(part)

    async def save(self, part: Partition) -> bool:
        """Write a checkpoint, and send the messages with intents in it."""
        if not await super().save(part):
            return False
        if self._folds(part):
            for message in part.state.messages():  # type: ignore[attr-defined]  # Escalations
                if self._paused:
                    self._settle(part, message, UNSENT)
                    continue
                task = asyncio.create_task(self._deliver(part, message))
                self._queued[task] = part, message
        return True

    async def _deliver(self, part: Partition, message: Message) -> None:
        task = asyncio.current_task()
        assert task is not None
        async with self._turns[message.receiver]:
            del self._queued[task]
            self._under_way.add(task)
            try:
                outcome = UNSENT
                if self._folds(part) and self.lease_held():
                    outcome = await asyncio.get_running_loop().run_in_executor(
                        self._pool, self._send, message.url_env, message.title, message.body
                    )
                self._settle(part, message, outcome)
            finally:
                self._under_way.discard(task)

    def _settle(self, part: Partition, message: Message, outcome: Outcome) -> None:
        if outcome.result not in (Result.SENT, Result.UNSENT):
            self.log.warning("Message %s to %s: %s (%s)", message.id, message.receiver, *outcome)
        if self._folds(part) and not self._ended:  # else the next owner records that the outcome is unknown
            part.state.settle(message, outcome, wall_clock())  # type: ignore[attr-defined]

    async def flush(self, abandon: bool = False) -> None:
        """Let running sends finish, withdraw waiting messages, and save everything."""
        self._paused = True
        try:
            queued, self._queued = self._queued, {}
            for task, (part, message) in queued.items():
                task.cancel()
                self._settle(part, message, UNSENT)
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=STOP_TIMEOUT_S)
            await super().flush(abandon)
        finally:
            # Faust flushes at the beginning of its stop, then stops the tables, then flushes again (app/base.py:1723):
            # nothing may change in between.
            self._paused = self._ended = self.app.should_stop
