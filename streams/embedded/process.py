"""One child process of the stack: started under a watchdog, its output in a file, ended in good time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

_WATCHDOG = Path(__file__).with_name("child_watchdog.py")


class Process:
    """A running program `name`; its process id stands in `pid_file`, its output is appended to `log_file`.

    It dies when the *thread* that starts it ends (the kernel's rule for PR_SET_PDEATHSIG), so start it from one that
    lives as long as it should. Signals of the terminal do not reach it: the stack ends its processes in order.
    """

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], pid_file: Path, log_file: Path) -> None:
        self.name, self._pid_file, self._log_file = name, pid_file, log_file
        watchdog = [sys.executable, "-I", "-S", str(_WATCHDOG), str(os.getpid())]
        with log_file.open("ab") as log:
            self._popen = subprocess.Popen(
                [*watchdog, *argv],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        pid_file.write_text(f"{self.pid}\n")

    def exit_status(self) -> int | None:
        """None while it runs; else its exit status (negative: the signal that ended it)."""
        status = self._popen.poll()
        if status is not None:
            self._pid_file.unlink(missing_ok=True)
        return status

    def listens(self, port: int) -> bool:
        """Whether it, and not some other program, listens on this port."""
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
        """Sends a signal, if it still runs."""
        if self.exit_status() is None:
            self._popen.send_signal(number)

    def ask_to_end(self) -> None:
        """Sends SIGTERM, if it still runs."""
        self.send(signal.SIGTERM)

    def end(self, grace_s: float) -> None:
        """Waits `grace_s` seconds for it to end by itself, then kills it."""
        try:
            self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The last line of its log: what it says of its end."""
        with self._log_file.open("rb") as log:
            log.seek(max(0, self._log_file.stat().st_size - 4096))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "(it said nothing)")


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now; another process may still take it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
