"""A simulated desk whose events are sent to the broker as they happen.

clock   start ──────────────> caught up ────────> now
world   now - 8 h ──(fast)──> now ──────(1x)────> now          no event is ever ahead of the clock
"""

import asyncio
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.models.topics import INPUTS
from streams.replay.feeder import BATCH_BYTES, MAX_MESSAGE_BYTES, Feeder
from streams.replay.log import place, targets
from streams.simulator import Feed, World, encode, parse
from streams.simulator.kernel import HOUR

HISTORY_MS = 8 * HOUR
CATCH_UP_S = 5.0
MIN_PAUSE_S, MAX_PAUSE_S = 0.05, 0.5
"""Bounds of the pause between two checks for due events."""
LOCAL_HOUR = 14
SCENARIO = Path(__file__).with_name("scenario.toml")


def zone_at(now: int) -> ZoneInfo:
    """The time zone in which it is early afternoon at `now` (ms).

    So the desk has had a busy morning, and has hours of work ahead, whenever the demo starts.
    """
    east = (LOCAL_HOUR - datetime.fromtimestamp(now / 1000, UTC).hour + 12) % 24 - 12
    return ZoneInfo(f"Etc/GMT{-east:+d}")  # the sign is POSIX's: Etc/GMT-8 is eight hours east


def world_at(now: int, agents: int) -> World:
    """A world that began `HISTORY_MS` before `now`, without an end."""
    start = now - HISTORY_MS
    scenario = parse(SCENARIO.read_text(), SCENARIO.name, start)
    return World(seed=1, start=start, agents=agents, zone=zone_at(now), scenario=scenario)


class SimulatedDesk(threading.Thread):
    """Feeds the world's events to the input topics until `stop`.

    `fed` counts them (except broadcasts); `history` is their number when the world had caught up with the clock, None
    before; `failure` is the error that ended the thread.
    """

    def __init__(self, broker: str, partitions: int, world: World) -> None:
        super().__init__(name="simulated-desk", daemon=True)
        self.broker, self.partitions, self.world = broker, partitions, world
        self.fed = 0
        self.history: int | None = None
        self.failure: Exception | None = None
        self._over = threading.Event()

    def run(self) -> None:
        """Feed until `stop`."""
        try:
            asyncio.run(self._play())
        except (KafkaError, OSError) as error:
            self.failure = error

    def stop(self) -> None:
        """Stop the thread, and wait for it."""
        self._over.set()
        self.join()

    async def _play(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.broker,
            acks="all",
            max_batch_size=MAX_MESSAGE_BYTES,
            max_request_size=MAX_MESSAGE_BYTES + BATCH_BYTES,
        )
        async with producer:
            await producer.client.set_topics(list(INPUTS))
            feeder = Feeder(producer, self.partitions)
            feed = Feed(self.world, _now(), HISTORY_MS / CATCH_UP_S / 1000)
            while not self._over.is_set():
                caught_up = feed.position(now := _now()) == now
                await self._send(feed, feeder, now)
                if caught_up and self.history is None:
                    self.history = self.fed
                next_at = feed.next_at()
                pause = MAX_PAUSE_S if next_at is None else (next_at - _now()) / 1000
                await asyncio.sleep(min(MAX_PAUSE_S, max(MIN_PAUSE_S, pause)))
            await feeder.flush(wait=True)

    async def _send(self, feed: Feed, feeder: Feeder, now: int) -> None:
        """Send the events that are due at the instant `now` (ms)."""
        for event in feed.due(now):
            line = place(encode(event))
            for partition in targets(line, self.partitions):
                await feeder.send(line.topic, partition, line.key, line.value)
            self.fed += not line.broadcast
            if self._over.is_set():
                break
        await feeder.flush()


def _now() -> int:
    return time.time_ns() // 1_000_000
