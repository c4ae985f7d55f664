"""`deskwatch run [ROLE…]`: the worker roles, on the configured Kafka and ClickHouse."""

import os
import signal
import subprocess
from contextlib import suppress
from types import FrameType
from typing import Annotated

import typer

from sinks.clickhouse import migrate as migrations
from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Policy, policies_of, settings_of
from streams.cli.roles import argv_of
from streams.cli.sql import open_client
from streams.settings import Settings
from streams.topics import create_topics

ROLES = ("track", "store", "escalate")


def run(
    roles: Annotated[
        list[str] | None, typer.Argument(metavar="[ROLE...]", help="track, store, escalate; none: all.")
    ] = None,
    data: Data = None,
    policy: Policy = None,
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
        policies_of(settings)
        create_topics(settings)
        if "store" in wanted:
            with open_client(settings, None, database="default") as client:
                migrations.migrate(client, settings.database)
        _work(wanted, settings)


def _work(wanted: list[str], settings: Settings) -> None:
    """Run each role as a process of its own; when one ends, end the others."""
    env = {**os.environ, "DESKWATCH_DATA": str(settings.data)}
    if settings.policy is not None:
        env["DESKWATCH_POLICY"] = str(settings.policy)
    if settings.notify:
        env["DESKWATCH_NOTIFY"] = "yes"
    started = {role: subprocess.Popen(argv_of(role), env=env) for role in wanted}

    def stop(_number: int, _frame: FrameType | None) -> None:
        for process in started.values():
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    failed = None
    while started:
        for role, process in list(started.items()):
            with suppress(subprocess.TimeoutExpired):
                if process.wait(timeout=0.2) not in (0, -signal.SIGTERM):
                    failed = role
                del started[role]
                stop(signal.SIGTERM, None)
    if failed:
        raise Refused(f"The role {failed} ended with an error: see its last lines above.")
