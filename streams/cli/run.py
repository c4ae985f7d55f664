"""`deskwatch run [ROLE…]`: the worker roles, on the configured Kafka and ClickHouse."""

import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Annotated

import typer

from sinks.clickhouse import migrate as migrations
from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Policy, settings_of
from streams.cli.sql import open_client
from streams.embedded.process import Restarts
from streams.embedded.roles import argv_of
from streams.kafka.topics import create_topics
from streams.policies import policies_of
from streams.settings import Settings

ROLES = ("track", "watch", "store", "escalate")
LOOK_S = 0.2
"""Interval between two checks of the roles' processes, seconds."""

SETTLED_S = 20.0
"""Seconds after which a role counts as working: an error in the set-up shows sooner."""


def run(
    roles: Annotated[
        list[str] | None, typer.Argument(metavar="[ROLE...]", help="track, watch, store, escalate; none: all.")
    ] = None,
    data: Data = None,
    policy: Policy = None,
    restate: Annotated[
        bool,
        typer.Option(
            "--restate", help="A policy version may take effect in the past: recompute all retained subjects."
        ),
    ] = False,
    notify: Annotated[
        bool, typer.Option("--notify", help="Send warnings of a replay (DESKWATCH_CLOCK=log) to receivers, too.")
    ] = False,
) -> None:
    """Run the worker roles: create missing topics and schema, then work until Ctrl-C or SIGTERM."""
    with one_sentence():
        wanted = list(dict.fromkeys(roles or ROLES))
        if unknown := [role for role in wanted if role not in ROLES]:
            raise typer.BadParameter(f"{unknown[0]!r} is no role: choose from {', '.join(ROLES)}")
        settings = settings_of(data, policy, notify=notify)
        settings = dataclasses.replace(settings, restate=settings.restate or restate)
        policies_of(settings)
        create_topics(settings)
        if "store" in wanted:
            with open_client(settings, None, database="default") as client:
                migrations.migrate(client, settings.database)
        supervise({role: argv_of(role) for role in wanted}, _environment(settings))


def _environment(settings: Settings) -> dict[str, str]:
    """The environment of the roles: that of this process, overridden by the command line."""
    environment = {**os.environ, "DESKWATCH_DATA": str(settings.data)}
    if settings.policy is not None:
        environment["DESKWATCH_POLICY"] = str(settings.policy)
    if settings.restate:
        environment["DESKWATCH_RESTATE"] = "yes"
    if settings.notify:
        environment["DESKWATCH_NOTIFY"] = "yes"
    return environment


def supervise(
    commands: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    restarts: Callable[[], Restarts] = lambda: Restarts(SETTLED_S),
) -> None:
    """Run each role in its own process until all have ended; if one ends for good, end the others.

    A role that has worked once is restarted whenever it fails, so a broker outage needs no action. A role that never
    worked, for example because its port is taken, ends them all.

    Arguments:
        commands: by role, its command line.
        restarts: creates the restart rule of a role.

    Raises Refused if a role ended with an error.
    """
    roles = [_Role(name, command, environment, restarts()) for name, command in commands.items()]

    def stop(_number: int, _frame: FrameType | None) -> None:
        for role in roles:
            role.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    failed = None
    while roles:
        time.sleep(LOOK_S)
        for role in list(roles):
            status = role.ended()
            if status is None:
                continue
            roles.remove(role)
            if status not in (0, -signal.SIGTERM):
                failed = role.name
            stop(signal.SIGTERM, None)
    if failed:
        raise Refused(f"The role {failed} ended with an error: see its last lines above.")


class _Role:
    """The process of a role, restarted by `restarts`."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], restarts: Restarts) -> None:
        self.name, self._command, self._environment, self._restarts = name, command, environment, restarts
        self._stopping = self._waiting = False
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        self._restarts.started()
        return subprocess.Popen(self._command, env=self._environment)

    def stop(self) -> None:
        """Ask it to end, for good."""
        self._stopping = True
        self._process.terminate()

    def ended(self) -> int | None:
        """Its exit status if it has ended for good; else None, after a restart if one is due."""
        status = self._process.poll()
        if status is None or self._stopping:
            return status
        if self._waiting:
            if self._restarts.due():
                self._process, self._waiting = self._start(), False
            return None
        if status == 0 or not self._restarts.settled():
            return status
        pause_s, self._waiting = self._restarts.ended(), True
        typer.echo(f"{self.name} ended with exit status {status}: started again in {pause_s:g} s.", err=True)
        return None
