"""`deskwatch simulate`: a desk as CloudEvents, one per line, in time order."""

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from streams.simulator import Scenario, ScenarioError, World, duration, encode, events, instant, parse

_LINES = 1_000  # lines written at once


def simulate(
    seed: Annotated[int, typer.Option(help="The same seed and options give the same bytes.")] = 1,
    agents: Annotated[int, typer.Option(help="Agents on the desk, in four teams; at least 4.")] = 40,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Mean contacts (calls and tickets) per day, about eleven events each; default: 20 per agent."
        ),
    ] = None,
    for_: Annotated[str, typer.Option("--for", help="How long: 7d, 8h, 1d12h.")] = "7d",
    start: Annotated[
        str, typer.Option(help="First instant (RFC 3339); without an offset, in the zone's time.")
    ] = "2026-10-12T00:00:00",
    timezone: Annotated[str, typer.Option(help="The desk's time zone.")] = "Asia/Shanghai",
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="A scenario file, or one of: outage, policy_change, shortage. May be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write here instead of to standard output; .gz compresses.")] = None,
) -> None:
    """Simulate a service desk: its events as JSON lines of CloudEvents, in time order."""
    try:
        zone = ZoneInfo(timezone)
        start_at = instant(_with_zone(start, zone))
        happenings = Scenario()
        for name in scenario or []:
            happenings = happenings.joined(_read(name, start_at))
        world = World(seed, start_at, start_at + duration(for_), agents, rate, zone, happenings)
    except ZoneInfoNotFoundError:
        raise typer.BadParameter(f"There is no time zone {timezone!r}; names are like Asia/Shanghai.") from None
    except (ScenarioError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    try:
        with _opened(out) as lines:
            count = write(world, lines)
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except OSError as error:
        typer.echo(f"Cannot write {out or 'standard output'}: {error.strerror}.", err=True)
        raise typer.Exit(1) from None
    if out is not None:
        typer.echo(f"{count} events in {out}", err=True)


def write(world: World, lines: BinaryIO) -> int:
    """Write a world's events, one per line; returns their number."""
    stream = (encode(event) for event in events(world))
    count = 0
    while block := list(islice(stream, _LINES)):
        lines.write(b"\n".join(block) + b"\n")
        count += len(block)
    return count


@contextmanager
def _opened(out: Path | None) -> Iterator[BinaryIO]:
    """The destination; a compressed file contains neither name nor time, so that its bytes are reproducible."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with out.open("wb") as file:
        if out.suffix != ".gz":
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield packed  # type: ignore[misc]  # a GzipFile is a BinaryIO in all but name


def _with_zone(start: str, zone: ZoneInfo) -> str | datetime:
    try:
        when = datetime.fromisoformat(start)
    except ValueError:
        return start  # `instant` reports the error
    return when if when.tzinfo else when.replace(tzinfo=zone)


def _read(name: str, start_at: int) -> Scenario:
    shipped = files("streams.simulator") / "scenarios" / f"{name}.toml"
    try:
        text = shipped.read_text() if shipped.is_file() else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"Scenario {name} cannot be read ({error}); name a TOML file or a shipped one.") from None
    return parse(text, name, start_at)
