"""The worker process: prompt start and stop of Faust's worker and table manager, and memory settings."""

import ctypes
import gc
import platform

import faust
from faust.tables import TableManager

from streams.errors import STOPPED_FOR_GOOD, UserError

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # glibc's malloc.h


class PromptTableManager(TableManager):  # type: ignore[misc]
    """Skips the second that tables/manager.py:140 waits for agents: the conductor waits for them itself."""

    async def on_start(self) -> None:
        """Register the tables and start their rebalance service."""
        await self.sleep(0.05)
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class PromptWorker(faust.Worker):  # type: ignore[misc]
    """Ends as soon as the app has ended: mode 0.7.1 worker.py:318 sleeps for another second, which delays a restart.

    What the user has to mend (UserError) ends it with the status STOPPED_FOR_GOOD.
    """

    async def _sentinel_task(self) -> None:
        pass

    def _shutdown_loop(self) -> None:
        try:
            super()._shutdown_loop()
        except UserError as error:
            raise SystemExit(STOPPED_FOR_GOOD) from error


def tune_memory() -> None:
    """Set the garbage collector and glibc's malloc of this process for a worker.

    A worker keeps many long-lived small objects, so the collector runs rarely, not after every 700 new objects.
    Checkpoints and inserts take megabytes: glibc returns such blocks to the system, and uses one arena for all
    threads.
    """
    gc.set_threshold(100_000, 20, 100)
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in (_ARENA_MAX, 1), (_MMAP_THRESHOLD, 1 << 20), (_TRIM_THRESHOLD, 1 << 20):
            mallopt(option, value)
