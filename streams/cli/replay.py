"""`deskwatch replay FILE…`: feeds recorded events through the broker as if they were live."""

import asyncio
import dataclasses
import time
from collections.abc import Coroutine, Iterable, Iterator
from itertools import chain
from typing import Annotated, Any

import typer

from sinks.clickhouse import rebuild
from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.log import stored_lines
from sinks.clickhouse.progress import done, stages_behind
from streams.cli.errors import Refused, one_sentence
from streams.cli.log import inspected, ordered, progress_bar, refuse_without_events
from streams.cli.options import AsIs, Data, Files, Json, Policy, settings_of
from streams.cli.summary import print_summary
from streams.embedded.roles import prepare, start_roles
from streams.embedded.stack import Stack
from streams.kafka.topics import create_topics
from streams.models.topics import ACTIONS, INPUTS
from streams.policies import policies_of
from streams.replay.feeder import Fed, feed
from streams.replay.order import Inspected, merged, timed
from streams.replay.summary import summary
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
    as_is: AsIs = False,
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
        job = _Replay(inspected(files, json), as_is, _factor(speed), json)
        if append:
            refuse_without_events(job.log)
        if embedded:
            with Stack(settings.data) as stack:
                settings, client = prepare(stack, settings)
                if append:
                    _rebuild(job, stack, settings, client, workers)
                    return
                _refuse_rows(client)
                start_roles(stack, settings, "log", workers)
                _feed(job, settings, client if drain else None, stack)
        else:
            create_topics(settings)
            client = None
            if drain or append:
                user, password = settings.clickhouse_user, settings.clickhouse_password
                client = connect(settings.clickhouse, user=user, password=password, database=settings.database)
                if not append:
                    _refuse_rows(client)
            _feed(job, settings, client if drain else None, None)


def _feed(job: "_Replay", settings: Settings, client: Client | None, stack: Stack | None) -> None:
    job.run(ordered(job.log, job.as_is), job.log.figures.lines, settings, client, stack)
    job.print_summary(client)


def _rebuild(job: "_Replay", stack: Stack, settings: Settings, client: Client, workers: int) -> None:
    """Feed the events in the database and the files into a database beside it, and swap them.

    The embedded broker has lost the former run, so its events are fed again, and what people did.
    """
    beside = dataclasses.replace(settings, database=rebuild.begin(client, settings.database))
    topics = (*INPUTS, ACTIONS)
    stored = client.query(f"SELECT count() FROM event_rows FINAL WHERE topic IN {topics!r}").result_rows[0][0]
    before = stored_lines(client, settings.database, topics)
    if job.as_is:
        lines: Iterator[bytes] = chain(before, ordered(job.log, as_is=True))
    else:
        lines = merged(timed(before, in_order=True), timed(ordered(job.log, as_is=False), in_order=True))
    start_roles(stack, beside, "log", workers)
    filled = stack.connect(beside.database)
    job.run(lines, stored + job.log.figures.lines, beside, filled, stack)
    stack.stop("store")  # else it would go on writing into tables that are swapped
    rebuild.finish(client, settings.database)
    job.print_summary(client)


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


def _refuse_rows(client: Client) -> None:
    if client.query("SELECT 1 FROM event_rows LIMIT 1").result_rows:
        raise Refused(
            "The database already holds events: name another directory with --data, or say --append to add to them."
        )


class _Replay:
    """A replay of inspected files. `speed`: a multiple of the log's own; None: no pauses."""

    def __init__(self, log: Inspected, as_is: bool, speed: float | None, json: bool) -> None:
        self.log, self.as_is, self._speed, self._json = log, as_is, speed, json
        self._started = time.monotonic()
        self._found: dict[str, Any] = {}

    def run(
        self, lines: Iterable[bytes], number: int, settings: Settings, client: Client | None, stack: Stack | None
    ) -> None:
        """Feed the lines, `number` of them, and, given a client, wait until all is in its database."""
        with progress_bar(self._json) as bar:
            task = bar.add_task("events fed", total=number)
            started = time.monotonic()
            feeding = feed(
                lines, settings.broker, settings.partitions, self._speed, lambda n: bar.update(task, completed=n)
            )
            fed = asyncio.run(_while_it_works(feeding, stack))
            bar.update(task, completed=fed.lines, total=fed.lines)
            self._found = {"lines": fed.lines, "fed_s": round(time.monotonic() - started, 1)}
            if client is not None:
                task = bar.add_task("in ClickHouse", total=len(fed.ends))
                for complete in _drained(client, fed, settings.partitions, stack):
                    bar.update(task, completed=complete)

    def print_summary(self, client: Client | None) -> None:
        """Print what was fed and, given a client, what is in its database."""
        if client is not None:
            self._found |= summary(client, self.log.figures) | {"seconds": round(time.monotonic() - self._started, 1)}
        print_summary(self._found, self._json)


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
