"""The lease: how long ago the group still counted this worker as the owner of its partitions.

Kafka takes a silent member's partitions away after a session. A worker that was frozen does not notice, so before it
writes it looks at the *lease*: the age of the last heartbeat that the group accepted, counted from when it was
**sent**, on a clock that runs on while the machine sleeps. The lease only keeps zombies rare; the rule of the changelog
keeps them harmless.

    heartbeat sent ──> accepted            the group waits a whole session from here
    |<──────────── lease: 0.8 session ────────────>|
"""

import time
from typing import Any

from streams.kafka.consumer import BatchConsumer, BatchThread

LEASE_SHARE = 0.8
"""Share of the session timeout for which an accepted heartbeat counts."""


def clock() -> float:
    """Return seconds on a clock that runs on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LeaseThread(BatchThread):
    """Remembers when the last heartbeat that the group accepted was sent, and in which generation."""

    lease: tuple[float, int] = (float("-inf"), -1)

    async def on_start(self) -> None:
        """Start the consumer and listen to its heartbeats: aiokafka 0.14 group_coordinator.py:799 ``_do_heartbeat``."""
        await super().on_start()
        coordinator = self._consumer._coordinator
        beat = coordinator._do_heartbeat

        async def heartbeat() -> bool:
            sent, generation = clock(), coordinator.generation
            accepted: bool = await beat()
            # It is True, too, when the group is rebalancing (:840).
            if accepted and coordinator.generation == generation and not coordinator._rejoin_needed_fut.done():
                self.lease = (sent, generation)
            return accepted

        coordinator._do_heartbeat = heartbeat

    async def renew(self) -> None:
        """Send a heartbeat now, in the consumer's thread."""
        await self.call_thread(self._consumer._coordinator._do_heartbeat)


class LeasedConsumer(BatchConsumer):
    """A batch consumer that knows whether the group still counts this worker as a member of a generation."""

    def _new_consumer_thread(self) -> LeaseThread:
        return LeaseThread(self, loop=self.loop, beacon=self.beacon)

    def lease_held(self, generation: int) -> bool:
        """Return True if a heartbeat of this generation, the current one, was accepted not too long ago."""
        sent, leased = self._thread.lease
        coordinator: Any = self._thread._ensure_consumer()._coordinator
        if not leased == generation == coordinator.generation:
            return False
        return bool(clock() - sent < self.app.conf.broker_session_timeout * LEASE_SHARE)

    def lease_age(self) -> float:
        """Return the seconds since the last heartbeat that the group accepted was sent."""
        return float(clock() - self._thread.lease[0])

    async def renew_lease(self) -> None:
        """Ask the group now, instead of waiting for the next heartbeat."""
        await self._thread.renew()
