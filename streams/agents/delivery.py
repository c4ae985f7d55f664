"""The table of role escalate: checkpoints as everywhere, and behind each the messages whose intents it holds.

    cut ──> checkpoint acknowledged ──> messages ──> threads ──> outcome ──> state.settle ──> the next checkpoint
                                                     Apprise

Messages wait for nothing but their receiver's turn: a dead one takes up its own turns only, and the chain goes on.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from streams.checkpoint.partition import Partition
from streams.checkpoint.table import CheckpointTable, wall_clock
from streams.desk.escalation.dispatch import Message
from streams.desk.escalation.sending import Outcome

AT_ONCE, AT_ONCE_EACH = 16, 2
"""Messages under way at once: in all, and to one receiver."""

PATIENCE_S = 3.0
"""How long a revocation or a stop waits for messages under way; what came of the others is then not known."""

UNSENT: Outcome = ("unsent", "the worker ended or lost the partition before it was sent")


class EscalationTable(CheckpointTable):
    """Sends what a checkpoint says is to be sent. `send` is called in a thread; the rest as CheckpointTable."""

    def __init__(self, app: Any, *, send: Callable[[str, str, str], Outcome], **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._send = send
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="notify")
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE_EACH))
        self._queued: dict[asyncio.Task[None], tuple[Partition, Message]] = {}  # wait for their receiver's turn
        self._under_way: set[asyncio.Task[None]] = set()
        self._paused = self._ended = False

    async def _save_if_due(self, part: Partition) -> None:
        if not self._paused:  # time would bring messages that nobody is to send any more
            await super()._save_if_due(part)

    async def save(self, part: Partition) -> bool:
        """Write a checkpoint, and send the messages whose intents are in it now."""
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
        if outcome[0] not in ("sent", "unsent"):
            self.log.warning("Message %s to %s: %s (%s)", message.id, message.receiver, *outcome)
        if self._folds(part) and not self._ended:  # else a successor records that it does not know
            part.state.settle(message, outcome, wall_clock())  # type: ignore[attr-defined]

    async def flush(self, abandon: bool = False) -> None:
        """Let what is under way come to its end, take back what is not, and save everything."""
        self._paused = True
        try:
            queued, self._queued = self._queued, {}
            for task, (part, message) in queued.items():
                task.cancel()
                self._settle(part, message, UNSENT)
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=PATIENCE_S)
            await super().flush(abandon)
        finally:
            # Faust flushes at the beginning of its stop, then stops the tables, then flushes again (app/base.py:1723):
            # nothing may change in between.
            self._paused = self._ended = self.app.should_stop
