"""`deskwatch recompute FILE…`: the same result without a broker."""

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sinks.clickhouse import migrate as migrations
from sinks.clickhouse.client import connect
from sinks.clickhouse.writer import Writer
from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Files, Json, Policy, settings_of
from streams.cli.replay import counts
from streams.desk.policy.versions import Policies
from streams.embedded.clickhouse import Server
from streams.embedded.directory import Directory
from streams.models.instants import parse_instant
from streams.policies import policies_of
from streams.replay.log import read
from streams.replay.recompute import recompute as fold
from streams.settings import Settings

AsOf = Annotated[
    str | None, typer.Option(metavar="T", help="Business time to recompute up to; default: the log's end.")
]


def recompute(files: Files, data: Data = None, policy: Policy = None, as_of: AsOf = None, json: Json = False) -> None:
    """Fold a log in one process, into a new embedded ClickHouse under --data DIR."""
    with one_sentence():
        settings = settings_of(data, policy)
        policies = policies_of(settings)
        read(files)
        directory = Directory(settings.data)
        directory.take()
        try:
            server = Server(directory.clickhouse, password=directory.password()).start()
            try:
                _recompute(files, settings, policies, server, instant(as_of), json)
            finally:
                server.stop()
        finally:
            directory.release()


def _recompute(
    files: list[Path], settings: Settings, policies: Policies, server: Server, as_of: int | None, json: bool
) -> None:
    started = time.monotonic()
    with connect(server.url, password=server.password) as client:
        migrations.migrate(client, settings.database)
    with connect(server.url, password=server.password, database=settings.database) as client:
        if client.query("SELECT 1 FROM event_rows LIMIT 1").result_rows:
            raise Refused(f"{settings.data} already holds events: name another directory with --data.")
        fold(read(files), policies, Writer(client, settings.database, policies), as_of)
        found = {**counts(client), "seconds": round(time.monotonic() - started, 1)}
        if json:
            typer.echo(msgspec.json.encode(found))
        else:
            for name, number in found.items():
                typer.echo(f"{name:24} {number:>14,}")


def instant(text: str | None) -> int | None:
    """Parse the instant of --as-of."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from None
