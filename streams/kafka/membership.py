"""The member id of a worker in its consumer group; the worker reclaims it after a restart.

When a member is killed, the group waits a whole session before it reassigns the partitions; and a restarted worker
would join as a new member, so the group would rebalance twice. So each worker locks a file named after its member id.
The kernel releases the lock when the process ends, and not before. A worker that can lock another process's file knows
that this process is dead, and joins with its member id.

    a  =====x                                    a is killed: its lock is free, but the group does not know
    a'           start ──join as a──====         the group sees a again; no session has to expire
    session  |─────────────────────────|

If the group has removed the member meanwhile, Apache Kafka refuses the id, and aiokafka joins as a new member; the
embedded broker takes the id for a new member's. The session has to expire for a dead worker on another machine, whose
file is not here, and for a frozen worker, which keeps its lock.

Kafka's static membership (`group.instance.id`) is not used. A static member does not leave its group when it stops, so
the others would wait a session for its partitions. Workers that share a data directory would still need such files, to
assign the instance ids. And the embedded broker delays each join of a static member by three seconds.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


class MemberId:
    """The member id that this process holds, among those of all workers that share the folder.

    The folder is created with the first member id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: tuple[str, int] | None = None  # member id and the descriptor of its locked file

    def reclaim(self) -> str:
        """Take the member id of the dead worker that joined last, and return it; "" if no worker is dead."""
        for file in self._newest_first():
            with suppress(FileNotFoundError):  # it left meanwhile
                descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:  # its process is alive
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
        """Lock the file of the member id that the group assigned to this process, and release the former one.

        Does nothing if the id is "" or unchanged.
        """
        if not member or (self._held is not None and self._held[0] == member):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        unlocked = self.folder / f".{os.getpid()}"  # reclaim() must not see it before it is locked
        descriptor = os.open(unlocked, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unlocked.rename(self.folder / member)
        self.release()
        self._held = member, descriptor

    def release(self) -> None:
        """Remove the file: this process has left the group."""
        if self._held is not None:
            member, descriptor = self._held
            (self.folder / member).unlink(missing_ok=True)
            os.close(descriptor)
            self._held = None
