"""`deskwatch sample`: which tickets of a day are to be inspected, and which of them were."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
import typer
from clickhouse_connect.driver.exceptions import Error
from rich.console import Console
from rich.table import Table

from sinks.clickhouse.client import in_one_line
from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Json
from streams.cli.sql import Unreachable, open_client
from streams.embedded import NotInstalled
from streams.embedded.client import NoDatabase
from streams.embedded.directory import DirectoryInUse
from streams.settings import load

_SAMPLE = """
SELECT ticket_id, team, agent_id, solved_at, toUInt8(ticket_id IN (SELECT ticket_id FROM reviews)) AS reviewed, url
FROM tickets
WHERE sampled = 1 AND toDate(solved_at) = toDate({day:String})
ORDER BY team, ticket_id
"""
_COVERAGE = """
SELECT team, solved, in_sample, in_sample_reviewed, reviewed
FROM review_coverage
WHERE day = toDate({day:String})
ORDER BY team
"""


def sample(
    day: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="The day (UTC) on which the tickets were solved.")],
    coverage: Annotated[bool, typer.Option("--coverage", help="How much was inspected, by team.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the tickets of a day that are in the sample for quality inspection."""
    try:
        date.fromisoformat(day)
    except ValueError:
        raise typer.BadParameter(f"expected a day such as 2026-10-12, found {day!r}", param_hint="--day") from None
    with one_sentence():
        try:
            with open_client(load(), data) as client:
                found = client.query(_COVERAGE if coverage else _SAMPLE, {"day": day}, tz_mode="aware")
        except (NoDatabase, NotInstalled, DirectoryInUse, Unreachable) as error:
            raise Refused(str(error)) from None
        except Error as error:
            raise Refused(in_one_line(error)) from None
    names = found.column_names
    if json:
        for row in found.result_rows:
            typer.echo(msgspec.json.encode(dict(zip(names, row, strict=True))))
        return
    table = Table(*names)
    for row in found.result_rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)
