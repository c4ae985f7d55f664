"""The embedded stack: broker, ClickHouse and worker roles as processes that start, run and end together.

    with Stack(Path("data")) as stack:      # broker and ClickHouse answer
        ...                                 # topics, migrations
        stack.start("track", ["faust", …])  # roles; they find DESKWATCH_BROKER and the rest in their environment
        stack.wait()                        # until Ctrl-C, SIGTERM or the death of the broker

A role or ClickHouse that dies is restarted after a growing pause. The broker keeps its data in memory: if it dies, the
stack ends with an error; so it does if a role stops for a reason that the user has to mend. Children die with this
process, even on kill -9.
"""

from __future__ import annotations

import http.client
import logging
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from urllib.parse import urlsplit

from sinks.clickhouse.client import Client, connect
from streams.embedded import broker
from streams.embedded.directory import USER, Directory, DirectoryInUse
from streams.embedded.process import Process, Restarts, free_port
from streams.errors import STOPPED_FOR_GOOD, UserError

__all__ = ["DirectoryInUse", "Stack", "StackError", "clickhouse_answers"]

_logger = logging.getLogger(__name__)
_BROKER, _CLICKHOUSE = "broker", "clickhouse"
_LOOK_S = 0.1
_START_S = 30.0
_SETTLED_S = 60.0
_GRACE_S = 10.0


class StackError(UserError):
    """The stack cannot start or continue; the message says which part, and why."""


def clickhouse_answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether a ClickHouse answers at the http `url` (its /ping), without a proxy."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().read() == b"Ok.\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class _Part:
    """A program that the stack keeps running: its command, its process, and its restart rule."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self.name, self.argv, self.env = name, argv, env
        self.process: Process | None = None
        self.restarts = Restarts(_SETTLED_S)


class Stack:
    """Broker and ClickHouse over the data directory `data`, and the roles given to `start`.

    Entering raises DirectoryInUse if another stack holds the directory, NotPrivate, StackError if a part does not
    start. If entered from the main thread, SIGTERM acts like Ctrl-C (KeyboardInterrupt), so the stack ends in order.
    """

    def __init__(self, data: Path) -> None:
        self.directory = Directory(data)
        self.addresses: dict[str, str] = {}
        self.environment: dict[str, str] = {}  # of the roles, beside the addresses
        self.apps = "streams.app"  # the module of the roles' apps; there is a separate one for the embedded broker
        self.failure: StackError | None = None
        self._parts: dict[str, _Part] = {}
        self._orders: queue.SimpleQueue[Callable[[], bool]] = queue.SimpleQueue()
        self._handlers: dict[signal.Signals, Any] = {}  # the former ones

    @property
    def broker(self) -> str:
        """The broker's `host:port`."""
        return self.addresses[_BROKER]

    @property
    def clickhouse(self) -> str:
        """ClickHouse's URL."""
        return self.addresses[_CLICKHOUSE]

    def connect(self, database: str = "default") -> Client:
        """A client of ClickHouse, which the caller closes."""
        return connect(self.clickhouse, user=USER, password=self.directory.password(), database=database)

    def __enter__(self) -> Stack:
        self.directory.take()
        if threading.current_thread() is threading.main_thread():
            # SIGINT too: a shell starts background jobs with SIGINT ignored.
            self._handlers = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        # One thread starts every child and runs to the end: the kernel ties a watchdog to the thread that started it.
        self._keeper = threading.Thread(target=self._keep, name="stack", daemon=True)
        self._keeper.start()
        try:
            self._start_servers()
            self.directory.publish(self.addresses)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Starts a role and keeps it running; several workers of a role are named `track`, `track-2` ….

        Its environment: that of this process, the addresses of the stack, and `env`, which overrides both.
        """
        environment = {
            "DESKWATCH_BROKER": self.broker,
            "DESKWATCH_CLICKHOUSE": self.clickhouse,
            "DESKWATCH_CLICKHOUSE_USER": USER,
            "DESKWATCH_CLICKHOUSE_PASSWORD": "",
            "DESKWATCH_CLICKHOUSE_PASSWORD_FILE": str(self.directory.password_file.absolute()),
            "DESKWATCH_DATA": str(self.directory.data),
            **self.environment,
        }
        self._order(lambda: self._launch(_Part(name, argv, {**environment, **(env or {})})))

    def stop(self, name: str, grace_s: float = _GRACE_S) -> None:
        """Ends one role for good: SIGTERM, and SIGKILL after `grace_s` seconds."""
        self._order(lambda: self._stop([name], grace_s))

    def announce(self, name: str, address: str) -> None:
        """Adds an address to ports.json, for example that of the board."""
        self.addresses[name] = address
        self.directory.publish(self.addresses)

    def pid(self, name: str) -> int | None:
        """The process id of a part; None while it does not run."""
        part = self._parts.get(name)
        process = part and part.process
        return process.pid if process and process.exit_status() is None else None

    def memory_bytes(self, name: str) -> int:
        """Resident memory of a part, bytes; that of the broker only grows."""
        part = self._parts.get(name)
        return part.process.memory_bytes() if part and part.process else 0

    def check(self) -> None:
        """Raises StackError if the stack can no longer work."""
        if self.failure is not None:
            raise self.failure

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for Ctrl-C or SIGTERM (True) or for the timeout (False). Raises StackError as `check` does."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            while until is None or time.monotonic() < until:
                self.check()
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            return True
        return False

    # ---- starting -------------------------------------------------------------------------------------------------

    def _start_servers(self) -> None:
        for answers in (self._start_broker(), self._start_clickhouse()):
            answers()

    def _start_broker(self) -> Callable[[], None]:
        """Starts the broker; returns a function that waits until it answers."""
        port = free_port()
        address = self.addresses[_BROKER] = f"127.0.0.1:{port}"
        self.environment = {"DESKWATCH_SESSION": str(broker.SESSION_S)}
        self.apps = broker.APPS
        self._order(lambda: self._launch(_Part(_BROKER, broker.command(port), {"RUST_LOG": "warn"})))
        return lambda: self._await(_BROKER, port, lambda: broker.answers(address))

    def _start_clickhouse(self) -> Callable[[], None]:
        """Starts ClickHouse; returns a function that waits until it answers."""
        port = free_port()
        url = self.addresses[_CLICKHOUSE] = f"http://127.0.0.1:{port}"
        places = ["--path", str(self.directory.clickhouse.absolute())]
        places += ["--password-file", str(self.directory.password_file.absolute())]
        argv = [*self._clickhouse_argv(), "--port", str(port), *places]
        self._order(lambda: self._launch(_Part(_CLICKHOUSE, argv, {})))
        return lambda: self._await(_CLICKHOUSE, port, lambda: clickhouse_answers(url))

    def _clickhouse_argv(self) -> list[str]:
        return [sys.executable, "-m", "streams.embedded.clickhouse"]

    def _await(self, name: str, port: int, answers: Callable[[], bool]) -> None:
        process = self._parts[name].process
        assert process is not None  # just launched
        until = time.monotonic() + _START_S
        while not (process.listens(port) and answers()):
            if process.exit_status() is not None:
                raise StackError(f"The {name} did not start: {process.last_words()} (see {self._log(name)})")
            if time.monotonic() > until:
                raise StackError(f"The {name} did not answer within {_START_S:.0f} s (see {self._log(name)}).")
            time.sleep(0.02)

    def _log(self, name: str) -> Path:
        return self.directory.log / f"{name}.log"

    def _order(self, order: Callable[[], bool]) -> None:
        """Runs `order` in the keeper's thread and waits for it."""
        done: Future[bool] = Future()

        def run() -> bool:
            try:
                go_on = order()
            except Exception as error:
                done.set_exception(error)
                return True
            done.set_result(go_on)
            return go_on

        self._orders.put(run)
        done.result()

    # ---- in the keeper's thread -----------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Runs orders and checks the parts until an order returns False."""
        go_on = True
        while go_on:
            try:
                go_on = self._orders.get(timeout=_LOOK_S)()
            except queue.Empty:
                for part in list(self._parts.values()):
                    self._check_part(part)

    def _launch(self, part: _Part) -> bool:
        pid_file = self.directory.run / f"{part.name}.pid"
        part.process = Process(part.name, part.argv, part.env, pid_file, self._log(part.name))
        part.restarts.started()
        self._parts[part.name] = part
        return True

    def _check_part(self, part: _Part) -> None:
        if part.process is None:
            if part.restarts.due():
                self._launch(part)
            return
        status = part.process.exit_status()
        if status is None or self.failure:
            return
        words = f"{part.process.last_words()} (see {self._log(part.name)})"
        if part.name == _BROKER:
            self.failure = StackError(
                f"The embedded broker died (exit status {status}), and with it what it kept in memory: the events that "
                "were not in ClickHouse yet, the checkpoints of the desk, and outputs on their way. What is in "
                f"ClickHouse stays in {self.directory.clickhouse}; replay the log again, with --append, and all is "
                f"whole. The broker's last words: {words}"
            )
            return
        if status == STOPPED_FOR_GOOD:
            self.failure = StackError(words)
            return
        pause_s = part.restarts.ended()
        _logger.warning(
            "%s ended with exit status %d and is started again in %g s. %s", part.name, status, pause_s, words
        )
        part.process = None

    def _stop(self, names: Sequence[str], grace_s: float) -> bool:
        """Ends these parts at the same time and removes them."""
        processes = [part.process for name in names if (part := self._parts.pop(name, None)) and part.process]
        for process in processes:
            process.ask_to_end()
        until = time.monotonic() + grace_s
        for process in processes:
            process.end(max(0.0, until - time.monotonic()))
        return True

    def _stop_all(self) -> bool:
        """Ends the roles first, while broker and ClickHouse still serve them, then ClickHouse, then the broker."""
        self._stop([name for name in self._parts if name not in (_BROKER, _CLICKHOUSE)], _GRACE_S)
        self._stop([_CLICKHOUSE], 2 * _GRACE_S)
        self._stop([_BROKER], _GRACE_S)
        return False

    def _end(self) -> None:
        """Ends everything; Ctrl-C and SIGTERM are ignored meanwhile."""
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)
        self._order(self._stop_all)
        self._keeper.join()
        self.directory.release()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
