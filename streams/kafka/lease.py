"""The lease: the time since the group last counted this worker as the owner of its partitions.

After one session, Kafka revokes the partitions of a silent member. A frozen worker does not notice, so before it writes
it checks the *lease*: the age of the last heartbeat that the group accepted, counted from when it was **sent**, on a
clock that continues while the machine is suspended. The lease only makes zombies rare; the fencing rule of the
changelog makes them harmless.

    heartbeat sent ──> accepted            the group waits a whole session from here
    |<──────────── lease: 0.8 session ────────────>|
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

LEASE_SHARE = 0.8
"""Share of the session timeout for which an accepted heartbeat counts."""

CONFIRM_PATIENCE_S = 2.0
"""How long the group may take to confirm that a delayed worker is still a member, seconds."""


def clock() -> float:
    """Return seconds on a clock that continues while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """The send time and the generation of the last heartbeat that the group accepted; none before :meth:`attach`."""

    def __init__(self) -> None:
        self._accepted = float("-inf"), -1  # when it was sent, and the generation; set in the consumer's thread
        self._lasts_s = 0.0
        self._thread: Any = None
        self._coordinator: Any = None

    def attach(self, thread: Any) -> None:
        """Listen to the heartbeats of a consumer's thread: one of BatchApp's consumer hooks."""
        self._thread, self._coordinator = thread, thread._consumer._coordinator
        self._lasts_s = thread.app.conf.broker_session_timeout * LEASE_SHARE
        coordinator, beat = self._coordinator, self._coordinator._do_heartbeat

        async def heartbeat() -> bool:
            sent, generation = clock(), coordinator.generation
            accepted: bool = await beat()
            # aiokafka 0.14 group_coordinator.py:840 returns True, too, when the group is rebalancing.
            if accepted and coordinator.generation == generation and not coordinator._rejoin_needed_fut.done():
                self._accepted = sent, generation
            return accepted

        coordinator._do_heartbeat = heartbeat

    def held(self, generation: int) -> bool:
        """Return True if a heartbeat of this generation, the current one, was accepted recently enough."""
        sent, leased = self._accepted
        if self._coordinator is None or not leased == generation == self._coordinator.generation:
            return False
        return clock() - sent < self._lasts_s

    def age(self) -> float:
        """Return the seconds since the last heartbeat that the group accepted was sent."""
        return clock() - self._accepted[0]

    async def renew(self) -> None:
        """Send a heartbeat now, in the consumer's thread, instead of waiting for the next one."""
        await self._thread.call_thread(self._coordinator._do_heartbeat)

    async def confirm(self, generation: int, patience_s: float = CONFIRM_PATIENCE_S) -> bool:
        """Return True if the group counts the partitions as ours; an expired lease is renewed first."""
        if not self.held(generation):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.renew(), patience_s)
        return self.held(generation)
