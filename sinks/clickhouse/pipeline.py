"""Collects rows from Kafka's batches into larger ones; a thread writes a batch while the next one is collected.

    put  ──> collected ──(full, or old enough)──> written by a thread ──> acknowledged
     ^          │
     └── waits ─┘  while the collected batch is full and the former one is not yet written

At most two batches are in memory, however long ClickHouse is down. The event loop, with Kafka's heartbeats, is never
blocked.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from sinks.clickhouse.rows import Batch, TableRows
from sinks.clickhouse.writer import Writer

MAX_ROWS, MAX_BYTES = 50_000, 32 << 20
"""Maximum rows and bytes of a batch."""

MAX_AGE_S = 0.5
"""Maximum time a batch waits for more rows, seconds."""


class Pipeline:
    """Collects rows, and has them written. `run` must be running; it raises the errors of the writer.

    `rows`, `size` (bytes), `age_s`: the limits of a batch.
    """

    def __init__(
        self, writer: Writer, *, rows: int = MAX_ROWS, size: int = MAX_BYTES, age_s: float = MAX_AGE_S
    ) -> None:
        self.writer, self.rows, self.size, self.age_s = writer, rows, size, age_s
        self._gathered = Batch()
        self._done: list[Callable[[], None]] = []
        self._some, self._full, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room.set()

    async def put(self, parts: Iterable[TableRows], done: Callable[[], None], *, closed: bool = False) -> None:
        """Add rows; `done` is called, in the event loop, once they are in ClickHouse.

        Waits while the collected batch is full. The rows of one task are written, and `done` is called, in the order of
        its calls. `closed`: see Batch.
        """
        while not self._room.is_set():
            await self._room.wait()
        for part in parts:
            self._gathered.add(part)
        self._gathered.closed |= closed
        self._done.append(done)
        self._some.set()
        if self._gathered.rows >= self.rows or self._gathered.size >= self.size:
            self._full.set()
            self._room.clear()

    async def run(self) -> None:
        """Write the collected rows, for ever; a batch waits for more rows at most `age_s` seconds.

        Raises WriteError. When cancelled, it drops unwritten rows: Kafka delivers them again.
        """
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, "clickhouse")
        try:
            await loop.run_in_executor(thread, self.writer.write_calendars)
            while True:
                await self._some.wait()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), self.age_s)
                batch, done = self._take()
                await loop.run_in_executor(thread, self.writer.write, batch)
                for call in done:
                    call()
        finally:
            self.writer.stop()
            thread.shutdown(wait=False)

    def _take(self) -> tuple[Batch, list[Callable[[], None]]]:
        taken = self._gathered, self._done
        self._gathered, self._done = Batch(), []
        self._some.clear()
        self._full.clear()
        self._room.set()
        return taken
