"""A worker's place in its consumer group, which its next life takes up again.

A group waits a whole session for a member that was killed before it shares its partitions out anew; and the killed
worker, started again meanwhile, joins as somebody new, so that they are shared out once with the dead and once without.
So each worker locks a file that is named after its member id. The kernel lets go of the lock however the process ends,
and only then: whoever can lock the file of another knows that it is dead, and joins in its place.

    a  =====x                                   a is killed: its lock is free, and for the group it is silent
    a'           start ──join as a──====        the group sees a come back; no session has to run out
    session  |─────────────────────────|

A place that the group has given up meanwhile is no harm: Kafka refuses it, and aiokafka joins as somebody new; the
embedded broker takes whoever names it for somebody new. One of another machine is not seen, and one that is frozen
keeps its lock: for these the session runs out. Kafka's static membership would do the same, but the embedded broker
then holds every join for three seconds, and a worker that stops for good would not leave.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

from aiokafka.protocol.group import JoinGroupRequest
from faust.transport.drivers import aiokafka as driver


class Place:
    """The member id that this process holds, among those of all workers that share the folder.

    The folder is made with the first place.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: tuple[str, int] | None = None  # member id and the descriptor of its locked file

    def inherit(self) -> str:
        """Take the place of a dead worker, of the one that joined last; returns its member id, "" if nobody is dead."""
        for file in self._newest_first():
            with suppress(FileNotFoundError):  # it left meanwhile
                descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:  # it lives
                    os.close(descriptor)
                else:
                    self._held = file.name, descriptor
                    return file.name
        return ""

    def _newest_first(self) -> Iterator[Path]:
        dated = []
        for file in self.folder.glob("[!.]*"):
            with suppress(FileNotFoundError):
                dated.append((file.stat().st_mtime_ns, file))
        return (file for _, file in sorted(dated, reverse=True))

    def hold(self, member: str) -> None:
        """The group knows this process by that member id now, and by no other; "" if by none."""
        if not member or (self._held is not None and self._held[0] == member):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        unlocked = self.folder / f".{os.getpid()}"  # nobody may see it before it is locked
        descriptor = os.open(unlocked, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unlocked.rename(self.folder / member)
        self.leave()
        self._held = member, descriptor

    def leave(self) -> None:
        """The group knows this process no more."""
        if self._held is not None:
            member, descriptor = self._held
            (self.folder / member).unlink(missing_ok=True)
            os.close(descriptor)
            self._held = None


class MissingLeader:
    """Tells that a group waits for a leader that has left it.

    The embedded broker (Tansu 0.6, administrator.rs) keeps the name of a leader that leaves while the group is forming:
    every member is told that somebody leads who never will, and all join again for ever. Whoever joins in that name
    makes it a member that can be missed: the broker does so after a session, and then lets another one lead.

        leader a  =====leaves
        b         join ── b's first try ─ second ─ third: joins once as a ──x missed ── b leads
        generation    7         7           7        7

    Apache Kafka counts generations with each join, so this never comes to pass there.
    """

    TRIES = 3  # longer than two sessions: a leader that only hangs was missed by then

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Whoever leads does."""
        self._led: tuple[int, str] = (-1, "")
        self._tries = 0

    def has_left(self, generation: int, leader: str, member: str) -> bool:
        """The group let `member` join: whether it has named the same other leader, in vain, often enough."""
        self._tries = self._tries + 1 if self._led == (generation, leader) else 1
        self._led = generation, leader
        if leader in ("", member) or self._tries < self.TRIES:
            return False
        self._tries = 0
        return True


class MemberThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that runs aiokafka's consumer: it joins in the place of a dead worker of this machine, if any is."""

    async def on_start(self) -> None:
        """Connect; joining comes later, with the subscription."""
        await super().on_start()
        self._leave_any_generation()
        self._miss_leader()
        self.place = Place(Path(self.app.conf.datadir) / "members" / self.app.conf.id)
        if member := self.place.inherit():
            self._consumer._coordinator.member_id = member
            self.log.info("Joins in the place of %s, whose process is dead", member)

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

    def _miss_leader(self) -> None:
        """Look at what the group answers to a join: see MissingLeader."""
        coordinator, self.leader = self._consumer._coordinator, MissingLeader()
        send = coordinator._send_req

        async def look(request: Any) -> Any:
            response = await send(request)
            joined = isinstance(request, JoinGroupRequest) and not response.error_code
            if joined and self.leader.has_left(response.generation_id, response.leader_id, response.member_id):
                self.log.warning("The group waits for %s, which has left: joins once in its name", response.leader_id)
                in_its_name = copy(request)
                in_its_name._member_id = response.leader_id
                await send(in_its_name)
            return response

        coordinator._send_req = look

    def joined(self) -> None:
        """Let a next life know the member id."""
        self.leader.forget()
        self.place.hold(self._consumer._coordinator.member_id)

    async def on_thread_stop(self) -> None:
        """Leave the group."""
        await super().on_thread_stop()
        self.place.leave()
