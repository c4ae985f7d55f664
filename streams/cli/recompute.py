"""`deskwatch recompute FILE…`: the same result without a broker."""

import time
from typing import Annotated

import typer

from sinks.clickhouse import migrate as migrations
from sinks.clickhouse.client import connect
from sinks.clickhouse.writer import Writer
from streams.cli.errors import Refused, one_sentence
from streams.cli.log import inspected, ordered, refuse_without_events
from streams.cli.options import AsIs, Data, Files, Json, Policy, settings_of
from streams.cli.summary import print_summary
from streams.desk.policy.versions import Policies
from streams.embedded.clickhouse import Server
from streams.embedded.directory import Directory
from streams.models.instants import parse_instant
from streams.policies import policies_of
from streams.replay.order import Inspected
from streams.replay.recompute import recompute as fold
from streams.replay.summary import summary
from streams.settings import Settings

AsOf = Annotated[
    str | None, typer.Option(metavar="T", help="Business time to recompute up to; default: the log's end.")
]


def recompute(
    files: Files,
    data: Data = None,
    policy: Policy = None,
    as_of: AsOf = None,
    as_is: AsIs = False,
    json: Json = False,
) -> None:
    """Fold a log in one process, into a new embedded ClickHouse under --data DIR."""
    with one_sentence():
        settings = settings_of(data, policy)
        policies = policies_of(settings)
        log = inspected(files, json)
        refuse_without_events(log)
        directory = Directory(settings.data)
        directory.take()
        try:
            server = Server(directory.clickhouse, password=directory.password()).start()
            try:
                _recompute(log, as_is, settings, policies, server, instant(as_of), json)
            finally:
                server.stop()
        finally:
            directory.release()


def _recompute(
    log: Inspected, as_is: bool, settings: Settings, policies: Policies, server: Server, as_of: int | None, json: bool
) -> None:
    started = time.monotonic()
    with connect(server.url, password=server.password) as client:
        migrations.migrate(client, settings.database)
    with connect(server.url, password=server.password, database=settings.database) as client:
        if client.query("SELECT 1 FROM event_rows LIMIT 1").result_rows:
            raise Refused(f"{settings.data} already holds events: name another directory with --data.")
        fold(ordered(log, as_is), policies, Writer(client, settings.database, policies), as_of)
        found = {"lines": log.figures.lines, **summary(client, log.figures)}
        print_summary({**found, "seconds": round(time.monotonic() - started, 1)}, json)


def instant(text: str | None) -> int | None:
    """Parse the instant of --as-of."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from None
