"""The data directory of an embedded stack: its lock, and the addresses of its parts.

DIR/clickhouse/       the database           DIR/run/lock          held by the running stack; its process id
DIR/password          of ClickHouse          DIR/run/<role>.pid    process id of each part
DIR/log/<role>.log    output of each part    DIR/run/ports.json    {"broker": "127.0.0.1:39092", "clickhouse": …}

Only its owner can read it: :mod:`streams.embedded.private`.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from streams.embedded.private import make_private, new_password, open_private, read_password
from streams.errors import UserError

USER = "default"
"""The one user of an embedded ClickHouse, by ClickHouse's usual name."""


class DirectoryInUse(UserError):
    """Another process (a stack, or `deskwatch sql`) holds this directory."""


class Directory:
    """The paths under one data directory, and the lock on it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.clickhouse, self.run, self.log = data / "clickhouse", data / "run", data / "log"
        self.ports, self._lock_file = self.run / "ports.json", self.run / "lock"
        self.password_file = data / "password"
        self._lock: IO[str] | None = None

    def take(self, patience_s: float = 1.0) -> None:
        """Locks the directory for this process and removes the files of a killed stack.

        It waits up to `patience_s` seconds: `addresses` of another process briefly holds the lock. From now on this
        process makes files that only the user can read. Raises DirectoryInUse, NotPrivate.
        """
        os.umask(0o077)
        for folder in (self.data, self.run, self.log, self.clickhouse):
            make_private(folder)
        lock = open_private(self._lock_file, "a+")
        until = time.monotonic() + patience_s
        while not _locked(lock, fcntl.LOCK_EX):
            if time.monotonic() > until:
                lock.seek(0)
                holder = lock.read().strip() or "another process"
                lock.close()
                raise DirectoryInUse(
                    f"{self.data} is in use by process {holder}: stop that one first, or name another --data."
                )
            time.sleep(0.05)
        self._lock = lock
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self.clear()
        with suppress(FileExistsError), open_private(self.password_file, "x") as file:
            file.write(f"{new_password()}\n")

    def password(self) -> str:
        """The password of the directory's ClickHouse. Raises UserError if there is none, NotPrivate."""
        return read_password(self.password_file)

    def publish(self, addresses: dict[str, str]) -> None:
        """Writes ports.json atomically."""
        draft = self.ports.with_suffix(".draft")
        with open_private(draft, "w") as file:
            file.write(json.dumps(addresses, indent=1) + "\n")
        draft.replace(self.ports)

    def addresses(self) -> dict[str, str] | None:
        """The addresses of the stack running in this directory; None if none runs, or not yet."""
        try:
            with open_private(self._lock_file, "r") as lock:
                if self._lock is None and _locked(lock, fcntl.LOCK_SH):
                    return None  # not locked: a ports.json is left from a killed stack
            with open_private(self.ports, "r") as ports:
                addresses: dict[str, str] = json.loads(ports.read())
        except FileNotFoundError:
            return None
        return addresses

    def broker(self) -> str | None:
        """The address of the running stack's broker; None if none runs: `deskwatch sql --serve` has no broker."""
        return (self.addresses() or {}).get("broker")

    def clear(self) -> None:
        """Removes ports.json and the pid files."""
        for left in (*self.run.glob("*.pid"), self.ports, self.ports.with_suffix(".draft")):
            left.unlink(missing_ok=True)

    def release(self) -> None:
        """Removes the stack's files and unlocks the directory."""
        if self._lock is not None:
            self.clear()
            self._lock.close()
            self._lock = None


def _locked(lock: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
