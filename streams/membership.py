"""Which members of a consumer group are dead, as far as this machine can tell: nobody needs to wait for those.

A group waits a whole session for a member that was killed, and then gives its partitions to the others; the killed
worker is started again meanwhile, and joins a group that still counts on the dead. So each worker locks a file that is
named after its membership. The kernel lets go of the lock however the process ends, and only then: whoever can lock the
file of another knows that it is dead, and takes it out of the group before joining.

    a  ==========x                        lock of a's file gone, a still a member
    b                start ──leave(a)──join──> the group never waits for a's session

A worker of another machine, or one that is frozen, keeps its session.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from faust.transport.drivers import aiokafka as driver

PATIENCE_S = 2.0
"""How long a start waits for the group to let the dead go: else their sessions run out."""


class Members:
    """The memberships of the workers that share the folder, which is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own: tuple[str, int] | None = None  # name and descriptor of the file that this process holds locked

    def enter(self, member: str) -> None:
        """This process is that member now, and no other any more."""
        if not member or (self._own is not None and self._own[0] == member):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        unlocked = self.folder / f".{os.getpid()}"  # nobody may see it before it is locked
        descriptor = os.open(unlocked, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unlocked.rename(self.folder / member)
        self.leave()
        self._own = member, descriptor

    def leave(self) -> None:
        """This process is no member any more."""
        if self._own is not None:
            member, descriptor = self._own
            self.forget(member)
            os.close(descriptor)
            self._own = None

    def dead(self) -> Iterator[str]:
        """Yield each member whose process has ended."""
        for file in sorted(self.folder.glob("[!.]*")):
            try:
                descriptor = os.open(file, os.O_RDWR)
            except FileNotFoundError:  # somebody else was faster
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield file.name
            except BlockingIOError:
                pass
            finally:
                os.close(descriptor)

    def forget(self, member: str) -> None:
        """It is out of the group."""
        (self.folder / member).unlink(missing_ok=True)


class MemberThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that runs aiokafka's consumer: it joins a group without dead members of this machine."""

    async def on_start(self) -> None:
        """Connect, and take the dead out of the group; joining comes later, with the subscription."""
        await super().on_start()
        self._leave_any_generation()
        self.members = Members(Path(self.app.conf.datadir) / "members" / self.app.conf.id)
        try:
            await asyncio.wait_for(self._bury(), PATIENCE_S)
        except (KafkaError, TimeoutError) as error:
            self.log.warning("The group waits for dead members until their sessions end: %r", error)

    def _leave_any_generation(self) -> None:
        """Leave at the end from generation 0, too: the embedded broker begins there, and Apache Kafka with 1.

        aiokafka 0.14 group_coordinator.py:375 takes 0 for no generation, and the group would wait for a session.
        """
        coordinator = self._consumer._coordinator
        leave = coordinator._maybe_leave_group

        async def leave_any() -> None:
            coordinator.generation = coordinator.generation or 1  # the request names the member only
            await leave()

        coordinator._maybe_leave_group = leave_any

    async def _bury(self) -> None:
        coordinator = self._consumer._coordinator
        for member in self.members.dead():
            await coordinator.ensure_coordinator_known()
            await coordinator._send_req(LeaveGroupRequest(self.app.conf.id, member))
            self.members.forget(member)
            self.log.info("Took %s, whose process is dead, out of the group", member)

    def joined(self) -> None:
        """Let others of this machine know the membership, for when this process no longer lives."""
        self.members.enter(self._consumer._coordinator.member_id)

    async def on_thread_stop(self) -> None:
        """Leave the group."""
        await super().on_thread_stop()
        self.members.leave()
