"""Feeds the events of a round at a steady rate, and counts those in flight."""

import asyncio
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from sinks.clickhouse.progress import Offsets
from streams.models.topics import INPUTS
from streams.replay.feeder import Feeder, advance_clock, connected
from streams.replay.log import place, targets

CLOCK_EVERY_S = 0.25
TICK_S = 0.02


class Feeding:
    """Feeds lines through the broker, in a thread of its own.

    Arguments:
        lines: what is fed, in this order.
        rate: lines a second.
    """

    def __init__(self, lines: Sequence[bytes], broker: str, partitions: int, rate: float) -> None:
        self.lines, self.broker, self.partitions, self.rate = lines, broker, partitions, rate
        self.fed = 0
        self.ends: dict[tuple[str, int], int] = {}
        self.error: BaseException | None = None
        self._sent: defaultdict[tuple[str, int], int] = defaultdict(int)  # records
        self._clock: defaultdict[tuple[str, int], list[int]] = defaultdict(list)  # which of them are clock.advanced
        self.began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="feeding", daemon=True)
        self._thread.start()

    def in_flight(self, done: Offsets) -> int:
        """How many events were produced whose outputs are not all in ClickHouse yet."""
        events = 0
        for tp, sent in list(self._sent.items()):
            came, clock = done.get(tp, 0), self._clock[tp]
            events += max(0, sent - came) - (len(clock) - bisect_left(clock, came))
        return max(0, events)

    def finished(self) -> bool:
        """Whether all is fed. Raises the error of the broker if it did not take the events."""
        if self._thread.is_alive():
            return False
        if self.error is not None:
            raise self.error
        return True

    def _run(self) -> None:
        try:
            asyncio.run(self._feed())
        except BaseException as error:
            self.error = error

    async def _feed(self) -> None:
        async with connected(self.broker, self.partitions) as feeder:
            latest, advanced_s = -1, 0.0
            self.began = time.monotonic()
            for n, value in enumerate(self.lines):
                while n > (time.monotonic() - self.began) * self.rate:
                    await feeder.flush()
                    await asyncio.sleep(TICK_S)
                line = place(value)
                if line.event is not None:
                    latest = max(latest, line.event.at)
                for partition in targets(line, self.partitions):
                    self._sent[line.topic, partition] += 1
                    await feeder.send(line.topic, partition, line.key, value)
                self.fed = n + 1
                if latest >= 0 and time.monotonic() - advanced_s > CLOCK_EVERY_S:
                    advanced_s = time.monotonic()
                    await self._advance_clock(feeder, latest)
            await self._advance_clock(feeder, latest)
            await feeder.flush(wait=True)
            self.ends = feeder.ends

    async def _advance_clock(self, feeder: Feeder, to: int) -> None:
        for topic in INPUTS:
            for partition in range(self.partitions):
                self._clock[topic, partition].append(self._sent[topic, partition])
                self._sent[topic, partition] += 1
        await advance_clock(feeder, to)
