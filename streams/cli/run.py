"""`deskwatch run [ROLE…]`: the worker roles, on the configured Kafka and ClickHouse."""

import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from types import FrameType
from typing import Annotated

import typer

from sinks.clickhouse import migrate as migrations
from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Policy, settings_of
from streams.cli.sql import open_client
from streams.embedded.roles import argv_of
from streams.kafka.topics import create_topics
from streams.policies import policies_of
from streams.settings import Settings

ROLES = ("track", "watch", "store", "escalate")
LOOK_S = 0.2
PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
SETTLED_S = 20.0
"""A role that has run for so long has worked: an error in the set-up shows sooner."""


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
    """Run the worker roles: create topics and schema where they lack, then work until Ctrl-C or SIGTERM."""
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
        _work(wanted, settings)


class _Role:
    """A role's process: once it has worked, it is started again whenever it fails, after a growing pause.

    So a broker that was away needs nobody; but what never worked, for want of a port, say, ends the command.
    """

    def __init__(self, name: str, env: Mapping[str, str]) -> None:
        self.name, self.env = name, env
        self.settled = self.stopping = False
        self.pause_s = PAUSE_S
        self.start()

    def start(self) -> None:
        """Start the process."""
        self.process = subprocess.Popen(argv_of(self.name), env=self.env)
        self.started_at, self.again_at = time.monotonic(), 0.0

    def stop(self) -> None:
        """Ask it to end, for good."""
        self.stopping = True
        self.process.terminate()

    def ended(self) -> int | None:
        """Its exit status if it has ended for good; starts it again when it is time."""
        status, now = self.process.poll(), time.monotonic()
        if status is None:
            if now - self.started_at > SETTLED_S:
                self.settled, self.pause_s = True, PAUSE_S
        elif self.stopping or not self.settled or status == 0:
            return status
        elif not self.again_at:
            typer.echo(f"{self.name} ended with exit status {status}: started again in {self.pause_s:g} s.", err=True)
            self.again_at, self.pause_s = now + self.pause_s, min(2 * self.pause_s, LONGEST_PAUSE_S)
        elif now >= self.again_at:
            self.start()
        return None


def _work(wanted: list[str], settings: Settings) -> None:
    """Run each role as a process of its own; when one ends for good, end the others."""
    env = {**os.environ, "DESKWATCH_DATA": str(settings.data)}
    if settings.policy is not None:
        env["DESKWATCH_POLICY"] = str(settings.policy)
    if settings.restate:
        env["DESKWATCH_RESTATE"] = "yes"
    if settings.notify:
        env["DESKWATCH_NOTIFY"] = "yes"
    roles = [_Role(name, env) for name in wanted]

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
