"""`deskwatch sample`: the tickets of a day in the inspection sample, and whether each was reviewed."""

from datetime import date
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from streams.cli.errors import one_sentence
from streams.cli.options import Data, Json
from streams.cli.sql import open_client
from streams.settings import load

_SAMPLE = """
SELECT ticket_id, team, agent_id, solved_at, toUInt8(ticket_id IN (SELECT ticket_id FROM reviews)) AS reviewed, url
FROM (
    SELECT *, 1 AS one, toUnixTimestamp64Milli(assumeNotNull(solved_at)) AS solved_ms FROM tickets WHERE sampled = 1
) AS ticket
ASOF LEFT JOIN local_time ON ticket.one = local_time.one AND ticket.solved_ms >= local_time.from_at
WHERE solved_at IS NOT NULL AND toDate(intDiv(solved_ms + offset_ms, 86400000)) = toDate({day:String})
ORDER BY team, ticket_id
"""
_COVERAGE = """
SELECT team, solved, in_sample, in_sample_reviewed, reviewed
FROM review_coverage
WHERE day = toDate({day:String})
ORDER BY team
"""


def sample(
    day: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="The day, by the desk's clock, on which the tickets were solved.")
    ],
    coverage: Annotated[bool, typer.Option("--coverage", help="The inspected share, by team.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the tickets of a day that are in the sample for quality inspection."""
    try:
        date.fromisoformat(day)
    except ValueError:
        raise typer.BadParameter(f"expected a day such as 2026-10-12, found {day!r}", param_hint="--day") from None
    with one_sentence(), open_client(load(), data) as client:
        found = client.query(_COVERAGE if coverage else _SAMPLE, {"day": day}, tz_mode="aware")
    names = found.column_names
    if json:
        for row in found.result_rows:
            typer.echo(msgspec.json.encode(dict(zip(names, row, strict=True))))
        return
    table = Table(*names)
    for row in found.result_rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)
