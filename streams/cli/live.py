"""`deskwatch bench live`: the latency of warnings on a running desk, also in a storm of breaches."""

import dataclasses
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from streams.bench.live import Live, measure
from streams.cli.errors import one_sentence
from streams.cli.options import Data, Json, settings_of


def live(
    rate: Annotated[float, typer.Option(help="Events fed per second.", min=40)] = 5000.0,
    seconds: Annotated[float, typer.Option(help="Duration of the feed, seconds.", min=25)] = 60.0,
    storm: Annotated[
        int,
        typer.Option(
            help="Number of further clocks that breach within the second minute (feed for 125 s or longer).", min=0
        ),
    ] = 0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Measure the latency of sla.at_risk and sla.breached on the wall clock: from their instant to the topic."""
    with one_sentence(), tempfile.TemporaryDirectory(prefix="deskwatch-live-") as temporary:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the processes in order
        folder = data / "live" if data else Path(temporary)
        with Console(stderr=True).status("") as status:
            found = measure(settings_of(), folder, rate=rate, seconds=seconds, storm=storm, tell=status.update)
    typer.echo(msgspec.json.encode(dataclasses.asdict(found)) if json else as_text(found))


def as_text(found: Live) -> str:
    """The figures in a few lines."""
    return (
        f"{found.events:,} events; {found.warnings:,} warnings, on the topic after their instant: "
        f"p50 {found.p50_s:.2f} s, p99 {found.p99_s:.2f} s, max {found.max_s:.2f} s\n"
        f"slowest five seconds: {found.slowest_rate:,.0f} events/s; all committed {found.behind_s:.1f} s after the "
        f"last event\nmemory at most, MiB: track {found.track_mb:,.0f}, escalate {found.escalate_mb:,.0f}; "
        f"{found.messages:,} messages received"
    )
