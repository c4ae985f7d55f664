"""A child process under a watchdog, with its output in a file, and the rule for restarts.

Needs only the standard library and psutil: `deskwatch run` uses it in production.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from streams.embedded.private import open_private

PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""Pauses before a restart, seconds: the first, and the maximum."""

_WATCHDOG = Path(__file__).with_name("child_watchdog.py")


class Process:
    """A running program `name`; its process id is in `pid_file`, its output is appended to `log_file`.

    It dies when the *thread* that starts it ends (the kernel's rule for PR_SET_PDEATHSIG), so start it from a
    long-lived thread. Signals of the terminal do not reach it: the stack ends its processes in order.
    """

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], pid_file: Path, log_file: Path) -> None:
        self.name, self._pid_file, self._log_file = name, pid_file, log_file
        watchdog = [sys.executable, "-I", "-S", str(_WATCHDOG), str(os.getpid())]
        with open_private(log_file, "a") as log:
            self._popen = subprocess.Popen(
                [*watchdog, *argv],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        with open_private(pid_file, "w") as file:
            file.write(f"{self.pid}\n")

    def exit_status(self) -> int | None:
        """None while it runs; then its exit status (negative: the signal that ended it)."""
        status = self._popen.poll()
        if status is not None:
            self._pid_file.unlink(missing_ok=True)
        return status

    def listens(self, port: int) -> bool:
        """Whether this process, and not another one, listens on the port."""
        try:
            connections = psutil.Process(self.pid).net_connections("tcp")
        except psutil.Error:
            return False
        return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)

    def memory_bytes(self) -> int:
        """Its resident memory; 0 once it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def send(self, number: signal.Signals) -> None:
        """Sends a signal if it still runs."""
        if self.exit_status() is None:
            self._popen.send_signal(number)

    def ask_to_end(self) -> None:
        """Sends SIGTERM if it still runs."""
        self.send(signal.SIGTERM)

    def end(self, grace_s: float) -> None:
        """Waits `grace_s` seconds for it to end, then kills it."""
        try:
            self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The last line of its log, which should give the reason why it ended."""
        with self._log_file.open("rb") as log:
            log.seek(max(0, self._log_file.stat().st_size - 4096))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "(it said nothing)")


class Restarts:
    """When to restart a process that ended unexpectedly: after a pause that doubles until a run lasts long enough.

        started ──ended  0.5 s  started ──ended  1 s  started ──settled────────ended  0.5 s  started

    Arguments:
        settled_s: seconds after which a run counts as working; an error in the set-up shows sooner.
        pause_s: the first pause, in seconds.
        now: the monotonic clock, in seconds.
    """

    def __init__(self, settled_s: float, pause_s: float = PAUSE_S, now: Callable[[], float] = time.monotonic) -> None:
        self._settled_s, self._first_pause_s, self._pause_s, self._now = settled_s, pause_s, pause_s, now
        self._started_at = self._due_at = 0.0
        self._settled = False

    def started(self) -> None:
        """Record that the process was started."""
        self._started_at = self._now()

    def settled(self) -> bool:
        """Whether the process has worked once; call it while the process runs, or when it has just ended."""
        self._settled = self._settled or self._ran_long()
        return self._settled

    def ended(self) -> float:
        """Record that the process has ended; returns the pause before the restart, seconds."""
        if self._ran_long():
            self._pause_s = self._first_pause_s
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._due_at = self._now() + pause_s
        return pause_s

    def due(self) -> bool:
        """Whether the pause is over."""
        return self._now() >= self._due_at

    def _ran_long(self) -> bool:
        return self._now() - self._started_at > self._settled_s


def free_port() -> int:
    """A port of 127.0.0.1 that is free now; another process may still take it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
