"""`deskwatch verify`: whether every number in ClickHouse equals the recomputed one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sinks.clickhouse.client import Client
from sinks.clickhouse.log import stored_lines
from streams.cli.errors import Refused, one_sentence
from streams.cli.log import ordered
from streams.cli.options import Data, Json, Policy, settings_of
from streams.cli.recompute import AsOf, instant
from streams.cli.sql import open_client
from streams.models.topics import INPUTS
from streams.policies import policies_of
from streams.replay.order import inspect
from streams.replay.restated import read_restated
from streams.replay.verify import Difference, verified
from streams.settings import Settings


def verify(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE...]", help="The same as --from.")] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE|topic|clickhouse", help="Where the log is; default: clickhouse."),
    ] = None,
    data: Data = None,
    policy: Policy = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Recompute from the log and compare with the pipeline's rows, view by view; exit code 1 if they differ."""
    with one_sentence():
        settings = settings_of(data, policy)
        with open_client(settings, data) as client:
            differences = _verify(client, settings, list(files or ()), source, instant(as_of))
    for difference in differences:
        _say(difference, json)
    if any(difference.surplus or difference.missing for difference in differences):
        raise typer.Exit(1)


def _verify(
    client: Client, settings: Settings, files: list[Path], source: str | None, as_of: int | None
) -> list[Difference]:
    if not client.query("SELECT 1 FROM event_rows LIMIT 1").result_rows:
        raise Refused(f"The database {settings.database} holds no events: nothing to verify.")
    log = _log(client, settings, files, source)
    restated = read_restated(client, settings.database)
    differences = verified(client, settings.database, log, policies_of(settings), as_of, restated)
    for said in restated.sentences():
        typer.echo(said, err=True)
    return differences


def _log(client: Client, settings: Settings, files: list[Path], source: str | None) -> Iterable[bytes]:
    """The log's lines, in the order of business time."""
    if files and source:
        raise Refused("Name the log once: as FILE or with --from.")
    if source in (None, "clickhouse") and not files:
        return stored_lines(client, settings.database, INPUTS)
    if source == "topic":
        from streams.replay.topic_log import read_topics

        return read_topics(settings)
    return ordered(inspect(files or [Path(str(source))]), as_is=False)


def _say(difference: Difference, json: bool) -> None:
    if json:
        typer.echo(msgspec.json.encode(difference._asdict(), enc_hook=str))
        return
    same = not (difference.surplus or difference.missing)
    typer.echo(f"{difference.view:18} {difference.rows:>10,} rows  {'equal' if same else 'DIFFERENT'}")
    if not same:
        typer.echo(
            f"    {difference.surplus:,} rows only in the pipeline, {difference.missing:,} only in the recomputation"
        )
        for example in difference.examples:
            typer.echo(f"    {example}")
