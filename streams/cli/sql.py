"""`deskwatch sql`: queries ClickHouse, the configured one or the embedded one of a data directory."""

import os
import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from clickhouse_connect.driver.exceptions import OperationalError
from rich.console import Console
from rich.table import Table

from sinks.clickhouse.client import Client, connect
from streams.cli.errors import one_sentence
from streams.embedded.client import access_of, client_of
from streams.embedded.statement import output_format
from streams.errors import UserError
from streams.settings import Settings, load

# Of JSON output: instants as ISO with Z, decimals and 64-bit numbers as numbers.
_JSON = {
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": "0",
    "output_format_json_quote_decimals": "0",
}
_RETURNS_ROWS = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(SELECT|WITH|SHOW|DESCRIBE|DESC|EXPLAIN|EXISTS|CHECK)\b", re.I | re.S
)
_NUMERIC = re.compile(r"(Nullable\()?(U?Int|Float|Decimal)")


def sql(
    statement: Annotated[str | None, typer.Argument(metavar="[SQL]", help="The statement, in quotes.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Query the embedded ClickHouse of this directory, running or not.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the embedded one of --data open to BI tools; print how to connect.")
    ] = False,
) -> None:
    """Query ClickHouse: a table on the terminal, tab-separated lines in a pipe, or JSON."""
    if serve:
        if data is None or statement is not None:
            raise typer.BadParameter("it takes --data DIR, and no statement", param_hint="--serve")
        with one_sentence():
            _serve(data, load().database)
        return
    if statement is None:
        raise typer.BadParameter("a statement is missing", param_hint="SQL")
    try:
        with one_sentence(), open_client(load(), data) as client:
            _answer(client, statement.strip().rstrip(";"), json)
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _serve(data: Path, database: str) -> None:
    """Print how BI tools connect, and serve until Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with access_of(data, database, publish=True) as access:
        for name, value in {**access._asdict(), "database": database}.items():
            typer.echo(f"{name:8} {value}")
        sys.stdout.flush()
        ended.wait()


class Unreachable(UserError):
    """No ClickHouse answers at the configured address."""


@contextmanager
def open_client(settings: Settings, data: Path | None, *, database: str | None = None) -> Iterator[Client]:
    """A client of the embedded ClickHouse of `data`, or of the configured one if `data` is None.

    `database`: the default database; None: that of the settings. Raises Unreachable, NoDatabase, NotInstalled,
    DirectoryInUse; each says what to do.
    """
    name = settings.database if database is None else database
    if data is not None:
        with client_of(data, name) as client:
            yield client
        return
    try:
        client = connect(
            settings.clickhouse, user=settings.clickhouse_user, password=settings.clickhouse_password, database=name
        )
    except OperationalError as error:
        raise Unreachable(
            f"No ClickHouse answers at {settings.clickhouse}: start it, set DESKWATCH_CLICKHOUSE, or name the embedded "
            "one's directory with --data DIR."
        ) from error
    try:
        yield client
    finally:
        client.close()


def _answer(client: Client, statement: str, json: bool) -> None:
    if not _RETURNS_ROWS.match(statement):
        client.command(statement)
    elif output_format(statement):
        _copy(client.raw_stream(statement))
    elif json:
        _copy(client.raw_stream(statement, fmt="JSONEachRow", settings=_JSON))
    elif sys.stdout.isatty():
        lines = client.raw_query(statement, fmt="JSONCompactEachRowWithNamesAndTypes").splitlines()
        Console().print(table_of(msgspec.json.decode(line) for line in lines))
    else:
        _copy(client.raw_stream(statement, fmt="TabSeparatedWithNames"))


def _copy(stream: Any) -> None:
    for piece in iter(lambda: stream.read(1 << 16), b""):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def table_of(rows: Iterable[list[Any]]) -> Table:
    """A table of rows; the first two rows are the names and the types of the columns."""
    lines = iter(rows)
    names, types = next(lines), next(lines)
    table = Table()
    for name, kind in zip(names, types, strict=True):
        table.add_column(name, justify="right" if _NUMERIC.match(kind) else "left", overflow="fold")
    for line in lines:
        table.add_row(*("" if value is None else str(value) for value in line))
    return table
