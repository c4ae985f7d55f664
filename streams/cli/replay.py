"""`deskwatch replay FILE…`: feeds recorded events through the broker as if they were live."""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.progress import done, stages_behind
from sinks.clickhouse.rows import DERIVED
from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Files, Json, Policy, settings_of
from streams.embedded.roles import prepare, start_roles
from streams.embedded.stack import Stack
from streams.kafka.topics import create_topics
from streams.policies import policies_of
from streams.replay.feeder import Fed, feed
from streams.replay.log import read
from streams.settings import Settings

POLL_S = 0.1


def replay(
    files: Files,
    data: Data = None,
    policy: Policy = None,
    speed: Annotated[str, typer.Option(help="max, or a multiple of the log's own speed: 1x, 60x, 600x.")] = "max",
    embedded: Annotated[bool, typer.Option("--embedded", help="Start the embedded stack for it.")] = False,
    drain: Annotated[
        bool,
        typer.Option(
            "--drain", help="Wait until ClickHouse has all of it (track, watch, store must run); print counts."
        ),
    ] = False,
    append: Annotated[bool, typer.Option("--append", help="Append to a database that already has rows.")] = False,
    partitions: Annotated[int | None, typer.Option(help="Partitions of the topics.")] = None,
    workers: Annotated[int, typer.Option(help="Track workers of the embedded stack.", min=1)] = 1,
    notify: Annotated[
        bool, typer.Option("--notify", help="Send warnings to receivers (else each step is recorded as skipped).")
    ] = False,
    json: Json = False,
) -> None:
    """Feed recorded events through the broker; with --embedded --drain the whole job in one command."""
    with one_sentence():
        settings = settings_of(data, policy, partitions, notify=notify)
        policies_of(settings)
        factor = _factor(speed)
        read(files)
        if embedded:
            with Stack(settings.data) as stack:
                settings, client = prepare(stack, settings)
                lines = _log(client, files, append)
                start_roles(stack, settings, "log", workers)
                _replay(lines, settings, factor, client if drain else None, stack, json)
        else:
            create_topics(settings)
            client = None
            if drain or append:
                user, password = settings.clickhouse_user, settings.clickhouse_password
                client = connect(settings.clickhouse, user=user, password=password, database=settings.database)
                if not append:
                    _refuse_rows(client)
            _replay(read(files), settings, factor, client if drain else None, None, json)


def _factor(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        factor = float(speed.removesuffix("x"))
        if factor <= 0:
            raise ValueError
    except ValueError:
        raise typer.BadParameter(f"{speed!r} is no speed: max, or a factor such as 60x", param_hint="--speed") from None
    return factor


def _log(client: Client, files: list[Path], append: bool) -> Iterable[bytes]:
    """The lines to feed: those of the files, with `append` after the events in the database.

    The embedded broker has lost the former run, so its events are fed again, after the derived tables are emptied.
    """
    if not append:
        _refuse_rows(client)
        return read(files)
    bodies = [
        str(row[0]).encode() for row in client.query("SELECT body FROM events ORDER BY time, source, id").result_rows
    ]
    for table in DERIVED:
        client.command(f"TRUNCATE TABLE {table}")
    return chain(bodies, read(files))


def _refuse_rows(client: Client) -> None:
    if client.query("SELECT 1 FROM event_rows LIMIT 1").result_rows:
        raise Refused(
            "The database already holds events: name another directory with --data, or say --append to add to them."
        )


def _replay(
    lines: Iterable[bytes],
    settings: Settings,
    speed: float | None,
    client: Client | None,
    stack: Stack | None,
    json: bool,
) -> None:
    started = time.monotonic()
    with _progress(json) as bar:
        task = bar.add_task("events fed", total=None)
        feeding = feed(lines, settings.broker, settings.partitions, speed, lambda n: bar.update(task, completed=n))
        fed = asyncio.run(_while_it_works(feeding, stack))
        bar.update(task, completed=fed.lines, total=fed.lines)
        fed_s = time.monotonic() - started
        if client is not None:
            task = bar.add_task("in ClickHouse", total=len(fed.ends))
            for complete in _drained(client, fed, settings.partitions, stack):
                bar.update(task, completed=complete)
    found: dict[str, Any] = {"lines": fed.lines, "fed_s": round(fed_s, 1)}
    if client is not None:
        found |= counts(client) | {"seconds": round(time.monotonic() - started, 1)}
    if json:
        typer.echo(msgspec.json.encode(found))
    else:
        for name, number in found.items():
            typer.echo(f"{name:24} {number:>14,}")


async def _while_it_works(feeding: Coroutine[Any, Any, Fed], stack: Stack | None) -> Fed:
    """Feed while the stack runs. Raises StackError as soon as its broker dies, not after the producer's timeout."""
    task = asyncio.create_task(feeding)
    try:
        while not (await asyncio.wait({task}, timeout=POLL_S))[0]:
            if stack is not None:
                stack.check()
    finally:
        task.cancel()
    return await task


def _progress(quiet: bool) -> Progress:
    columns = (
        TextColumn("{task.description:14}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=quiet)


def _drained(client: Client, fed: Fed, partitions: int, stack: Stack | None) -> Iterator[int]:
    """Wait until the events and all their outputs are in ClickHouse; yields the number of complete partitions."""
    while True:
        if stack is not None:
            stack.check()
        came = done(client, partitions)
        complete = sum(came[tp] >= end for tp, end in fed.ends.items())
        yield complete
        if complete == len(fed.ends) and not stages_behind(client, partitions, escalated=stack is not None):
            return
        time.sleep(POLL_S)


def counts(client: Client) -> dict[str, int]:
    """The number of rows of each view."""
    views = ("events", "dead_letters", "sla_ledger", "sla_outcomes", "tickets", "calls", "surveys", "risk_warnings")
    return {view: client.query(f"SELECT count() FROM {view}").result_rows[0][0] for view in views}
