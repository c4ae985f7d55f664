"""`deskwatch warnings`: lists warnings from ClickHouse, open ones first, and follows new ones."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sinks.clickhouse.client import Client
from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Json, settings_of
from streams.cli.sql import open_client
from streams.desk.policy.values import parse_milliseconds
from streams.embedded.directory import Directory
from streams.models.instants import format_instant, parse_instant
from streams.models.topics import WARNINGS
from streams.settings import Settings

COLOURS = {"critical": "red", "warning": "yellow", "info": "cyan"}
COLUMNS = (
    "warning_id", "state", "severity", "rule", "subject", "raised_at", "cleared_at", "acknowledged_at",
    "acknowledged_by", "escalated_at", "due_at", "team", "customer_id", "url",
)  # fmt: skip


class Filter(NamedTuple):
    """The filter; "" and None: all warnings."""

    rule: str
    severity: str
    since: int | None


def warnings(
    data: Data = None,
    rule: Annotated[str, typer.Option(help="Only this rule, e.g. sla.breached.")] = "",
    severity: Annotated[str, typer.Option(help="Only info, warning or critical.")] = "",
    since: Annotated[str, typer.Option(help="Raised since: 30m, 24h, 7d ago, or an instant (RFC 3339).")] = "",
    limit: Annotated[int, typer.Option(help="Maximum number of warnings.", min=1)] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Then print new ones, until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """List warnings, open ones first; with --follow, then print new ones as they arrive."""
    if severity and severity not in COLOURS:
        raise typer.BadParameter(f"{severity!r} is none of {', '.join(COLOURS)}", param_hint="--severity")
    now = time.time_ns() // 1_000_000
    wanted = Filter(rule, severity, _since(since, now))
    with one_sentence():
        settings = settings_of(data)
        with open_client(settings, data) as client:
            _show(ask(client, wanted, limit), json)
        if follow:
            asyncio.run(follow_warnings(_broker(settings, data), wanted, now, json))


def _since(text: str, now: int) -> int | None:
    if not text:
        return None
    try:
        return now - parse_milliseconds(text) if text[-1] in "smhd" else parse_instant(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a length of time (30m, 24h, 7d) nor an instant such as 2026-11-24T08:00:00+08:00",
            param_hint="--since",
        ) from None


def ask(client: Client, wanted: Filter, limit: int) -> list[dict[str, Any]]:
    """The warnings, open ones first, then the latest first; instants as RFC 3339."""
    where, values = ["1"], {"limit": limit, **wanted._asdict()}
    if wanted.rule:
        where.append("rule = {rule:String}")
    if wanted.severity:
        where.append("severity = {severity:String}")
    if wanted.since is not None:
        where.append("raised_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')")
    found = client.query(
        f"SELECT {', '.join(COLUMNS)} FROM risk_warnings WHERE {' AND '.join(where)} "
        "ORDER BY cleared_at IS NULL DESC, raised_at DESC, warning_id LIMIT {limit:UInt32}",
        {name: value for name, value in values.items() if value is not None},
    )
    return [{name: _plain(value) for name, value in zip(COLUMNS, row, strict=True)} for row in found.result_rows]


def _plain(value: Any) -> Any:
    if hasattr(value, "timestamp"):
        return format_instant(round(value.timestamp() * 1000))
    return value


def _show(rows: list[dict[str, Any]], json: bool) -> None:
    if json:
        for row in rows:
            typer.echo(msgspec.json.encode(row))
        return
    table = Table(box=None)
    for name in ("raised", "severity", "rule", "about", "state", "acknowledged by", "id"):
        table.add_column(name, overflow="fold")
    for row in rows:
        colour = COLOURS.get(row["severity"], "white") if row["cleared_at"] is None else "dim"
        by = row["acknowledged_by"] or ""
        table.add_row(
            row["raised_at"], f"[{colour}]{row['severity']}[/]", row["rule"], escape(_about(row)), row["state"],
            escape(by), row["warning_id"],
        )  # fmt: skip
    console = Console()
    console.print(table if rows else "No warnings.")


def _about(row: dict[str, Any]) -> str:
    team = row.get("team")
    return f"{row['subject']} ({team})" if team and team not in row["subject"] else str(row["subject"])


def _broker(settings: Settings, data: Path | None) -> str:
    if data is None:
        return settings.broker
    address = Directory(data).broker()
    if address is None:
        raise Refused(f"No stack runs in {data}, so there is nothing to follow: leave out --follow.")
    return address


async def follow_warnings(broker: str, wanted: Filter, since: int, json: bool) -> None:
    """Print new warnings, found by the timestamps of the records: Tansu 0.6 reports a wrong end of the log."""
    consumer = AIOKafkaConsumer(WARNINGS, bootstrap_servers=broker, auto_offset_reset="latest")
    known: dict[str, dict[str, Any]] = {}
    try:
        await consumer.start()
        async for record in consumer:
            event = _read(record.value)
            if event is None or record.timestamp < since:
                continue
            data = event["data"]
            if "rule" in data:
                known[data["warning_id"]] = data
            whole = {**known.get(data["warning_id"], {}), **data}
            if _is_wanted(whole, wanted):
                _print(event, whole, json)
    except KafkaError as error:
        raise Refused(f"The broker at {broker} cannot be followed: {type(error).__name__} {error}") from None
    finally:
        await consumer.stop()


def _read(value: bytes | None) -> dict[str, Any] | None:
    try:
        event = msgspec.json.decode(value or b"")
        return event if event["type"].startswith("warning.") and event["data"]["warning_id"] else None
    except (ValueError, KeyError, TypeError):
        return None


def _is_wanted(data: dict[str, Any], wanted: Filter) -> bool:
    return (
        (not wanted.rule or data.get("rule") == wanted.rule)
        and (not wanted.severity or data.get("severity") == wanted.severity)
        and (wanted.since is None or data.get("raised_at", wanted.since) >= wanted.since)
    )


def _print(event: dict[str, Any], whole: dict[str, Any], json: bool) -> None:
    if json:
        typer.echo(msgspec.json.encode({"type": event["type"], "time": event.get("time"), **event["data"]}))
        return
    what = event["type"].removeprefix("warning.")
    words = [event.get("time", ""), what, whole.get("severity", ""), whole.get("rule", ""), whole.get("subject", "")]
    by = event["data"].get("by")
    typer.echo("  ".join(filter(None, [*words, by and f"by {by}", whole["warning_id"]])))
