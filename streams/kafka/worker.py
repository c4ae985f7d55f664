"""Faust's worker and table manager, made to start and stop promptly."""

import faust
from faust.tables import TableManager


class PromptTableManager(TableManager):  # type: ignore[misc]
    """Starts without the second that tables/manager.py:140 waits for agents: the conductor waits for them itself."""

    async def on_start(self) -> None:
        """Register the tables and start their rebalance service."""
        await self.sleep(0.05)
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class PromptWorker(faust.Worker):  # type: ignore[misc]
    """Ends as soon as the app has ended: mode 0.7.1 worker.py:318 sleeps for another second, and a restart waits."""

    async def _sentinel_task(self) -> None:
        pass
