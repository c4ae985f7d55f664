"""`deskwatch dead-letters list | show | replay`: list, show and replay rejected messages, repaired or as they are.

    deskwatch dead-letters list --open --json > letters.jsonl
    jq -c '{id, event: (.value | fromjson | .data.score = 5)}' letters.jsonl > repaired.jsonl
    deskwatch dead-letters replay --fix repaired.jsonl

The letters are read from their topic, without ClickHouse. An embedded desk that is not running has no broker; then the
letters are read from its database.
"""

import dataclasses
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Json, Policy, settings_of
from streams.cli.sql import open_client
from streams.embedded.directory import Directory
from streams.models.dead_letters import DeadLetter, kind_of
from streams.models.instants import format_instant
from streams.replay.dead_letters import Repaired, fault, read_letters, send_letters
from streams.settings import Settings

dead_letters = typer.Typer(help="Rejected messages: list, show and replay them.", no_args_is_help=True)

MAX_REASON = 100  # characters in the table

Id = Annotated[str, typer.Argument(metavar="ID", help="topic/partition/offset, as shown by `list`.")]


@dead_letters.command("list")
def list_letters(
    data: Data = None,
    policy: Policy = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only letters not replayed yet.")] = False,
    reasons: Annotated[bool, typer.Option("--reasons", help="Only the counts by reason.")] = False,
    json: Json = False,
) -> None:
    """List the letters with origin and reason, and the counts by reason."""
    with one_sentence():
        letters = [letter for letter in _letters(data, policy) if not only_open or letter.state == "open"]
    counts = Counter((kind_of(letter.reason), letter.state) for letter in letters)
    by_reason = [
        {"reason": reason, "open": counts[reason, "open"], "replayed": counts[reason, "replayed"]}
        for reason in dict.fromkeys(reason for (reason, _), _ in counts.most_common())
    ]
    if json:
        for row in by_reason if reasons else map(_described, letters):
            typer.echo(msgspec.json.encode(row))
        return
    if not reasons:
        _print(["id", "received_at", "state", "bytes", "reason"], map(_line, letters))
    _print(["reason", "open", "replayed"], ([*row.values()] for row in by_reason))


@dead_letters.command()
def show(letter_id: Id, data: Data = None, policy: Policy = None, json: Json = False) -> None:
    """Show a letter: its origin and the reason on stderr, and its original bytes on stdout."""
    with one_sentence():
        letter = _named(_letters(data, policy), [letter_id])[0]
    described = _described(letter)
    if json:
        typer.echo(msgspec.json.encode(described))
        return
    for name, value in described.items():
        if name not in ("value", "value_base64") and value is not None:
            typer.echo(f"{name:12} {value}", err=True)
    sys.stdout.flush()
    sys.stdout.buffer.write(letter.value or b"")
    sys.stdout.buffer.flush()


@dead_letters.command()
def replay(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="The letters to replay; none: all open ones.")
    ] = None,
    fix: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help='Repaired events, lines of {"id": "calls/0/17", "event": {…}}; - for stdin. Only these are sent.',
        ),
    ] = None,
    data: Data = None,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Send open letters to their topics again, and mark them as replayed; letters that are still invalid are refused.

    Without --fix, this helps if a faulty release or clock rejected them.
    """
    with one_sentence():
        settings, running = _desk(data, policy)
        if not running:
            raise Refused(f"No desk runs in {data}: its broker is gone, so feed repaired events by `deskwatch replay`.")
        letters = read_letters(settings.broker)
        repaired = None if fix is None else _repaired(fix)
        wanted = [*(letter_ids or ()), *(name for name in repaired or () if name not in (letter_ids or ()))]
        chosen = _named(letters, wanted) if wanted or repaired is not None else letters
        chosen = [letter for letter in chosen if letter.state == "open"]
        accepted, refused = _checked(chosen, repaired or {}, settings)
        send_letters(settings.broker, accepted)
    if json:
        found: dict[str, Any] = {"replayed": len(accepted), "refused": len(refused)}
        typer.echo(msgspec.json.encode({**found, "reasons": dict(refused)}))
    else:
        typer.echo(f"{len(accepted):,} replayed, {len(refused):,} refused.")
        for letter_id, reason in refused:
            typer.echo(f"{letter_id} is no event yet: {reason}", err=True)
    if refused:
        raise typer.Exit(1)


def _desk(data: Path | None, policy: Path | None) -> tuple[Settings, bool]:
    """The settings, with the broker of the embedded desk in `data` if it runs; and whether there is a broker."""
    settings = settings_of(data, policy)
    if data is None:
        return settings, True
    address = Directory(data).broker()
    return (settings, False) if address is None else (dataclasses.replace(settings, broker=address), True)


def _letters(data: Path | None, policy: Path | None) -> list[DeadLetter]:
    settings, running = _desk(data, policy)
    if running:
        return read_letters(settings.broker)
    query = (
        "SELECT topic, partition, offset, toUnixTimestamp64Milli(received_at), reason, base64Encode(value), "
        "toUnixTimestamp64Milli(replayed_at) FROM dead_letters ORDER BY topic, partition, offset"
    )
    with open_client(settings, data) as client:
        rows = client.query(query).result_rows
    names = ("topic", "partition", "offset", "received_at", "reason", "value", "replayed_at")
    return [msgspec.convert(dict(zip(names, row, strict=True)), DeadLetter) for row in rows]


def _named(letters: Iterable[DeadLetter], names: Iterable[str]) -> list[DeadLetter]:
    """The letters of these ids. Raises Refused for an unknown one."""
    by_id = {letter.id: letter for letter in letters}
    for name in names:
        if name not in by_id:
            raise Refused(f"There is no dead letter {name}: `deskwatch dead-letters list` names them.")
    return [by_id[name] for name in names]


class _Fix(msgspec.Struct):
    id: str
    event: msgspec.Raw


_fix = msgspec.json.Decoder(_Fix).decode


def _repaired(file: str) -> dict[str, bytes]:
    """The repaired events of a file, by letter id."""
    try:
        lines = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}.") from None
    found: dict[str, bytes] = {}
    for number, line in enumerate(lines.splitlines(), 1):
        if line.strip():
            try:
                fixed = _fix(line)
            except msgspec.DecodeError as error:
                raise Refused(
                    f'{file}, line {number} is no repaired letter, {{"id": "topic/partition/offset", "event": {{…}}}}: '
                    f"{error}."
                ) from None
            found[fixed.id] = bytes(fixed.event)
    return found


def _checked(
    letters: Iterable[DeadLetter], repaired: Mapping[str, bytes], settings: Settings
) -> tuple[list[Repaired], list[tuple[str, str]]]:
    """The letters that are valid now, and the others with the reason; those are not sent."""
    now = time.time_ns() // 1_000_000 if settings.clock == "wall" else None
    accepted: list[Repaired] = []
    refused: list[tuple[str, str]] = []
    for letter in letters:
        try:
            value = repaired[letter.id] if letter.id in repaired else letter.document()
            reason = fault(value, now)
        except ValueError as error:
            value, reason = None, str(error)
        if reason is None and value is not None:
            accepted.append(Repaired(letter, value))
        else:
            refused.append((letter.id, reason or "it has no value"))
    return accepted, refused


def _described(letter: DeadLetter) -> dict[str, Any]:
    value = letter.value or b""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = None
    return {
        "id": letter.id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "received_at": format_instant(letter.received_at),
        "reason": letter.reason,
        "state": letter.state,
        "replayed_at": None if letter.replayed_at is None else format_instant(letter.replayed_at),
        "value": text,
        "value_base64": b64encode(value).decode(),
    }


def _line(letter: DeadLetter) -> list[Any]:
    reason = letter.reason if len(letter.reason) <= MAX_REASON else letter.reason[: MAX_REASON - 1] + "…"
    return [letter.id, format_instant(letter.received_at), letter.state, len(letter.value or b""), reason]


def _print(columns: list[str], rows: Iterable[list[Any]]) -> None:
    table = Table()
    for column in columns:
        numeric = column in ("bytes", "open", "replayed")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else Text(str(value)) for value in row))
    Console().print(table)
