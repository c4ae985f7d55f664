"""`deskwatch bench`: the speed of the whole job, compared with an idiomatic Faust app and a raw drain of the topics."""

import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import psutil
import typer
from rich.console import Console
from rich.table import Table

from streams.bench.measure import NAMES, USUAL, WHOLE_JOB, Bench, Figure, as_json, medians, ratios
from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Json, Policy, settings_of
from streams.embedded.broker import APPS
from streams.embedded.roles import argv_of
from streams.models.instants import DAY
from streams.policies import policies_of
from streams.replay.log import read
from streams.settings import Settings
from streams.simulator import World, encode, events

MILLION = 1_000_000
BYTES_AN_EVENT = 3_000
"""Upper bound of the memory per event of the log, for the broker (input and outputs) and the processes."""
SIMULATED_FROM = 1_791_734_400_000  # 2026-10-12T00:00:00+08:00, a Monday
NOTES = (
    "events/s: events of the log per second, from the first record until outputs are acknowledged and offsets "
    "committed (includes up to one commit interval of a second). CPU s: in this time. RSS MB: the peak. start s: the "
    "time before. x Faust: times as fast as the idiomatic app, which gets ticket events only, a part of them, and is "
    "timed at a commit while it is still busy. of drain: share of the raw drain's rate."
)


Number = Annotated[
    int,
    typer.Option("--events", help="Number of events: the log is repeated until it has that many.", min=1),
]
Rounds = Annotated[int, typer.Option(help="Number of measurements; the medians are shown.", min=1)]
Only = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help=f"Measure only this one; may be repeated: {', '.join(NAMES)}.")
]


def bench(
    context: typer.Context,
    number: Number = MILLION,
    rounds: Rounds = 1,
    only: Only = None,
    data: Data = None,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Measure the speed (the default), the latency of warnings, or their quality."""
    if context.invoked_subcommand is None:
        speed(None, number, rounds, only, data, policy, json)
        return
    sources = [context.get_parameter_source(name) for name in context.params]
    if any(source is not None and source.name == "COMMANDLINE" for source in sources):
        raise typer.BadParameter(f"options belong behind the name: deskwatch bench {context.invoked_subcommand} …")


def speed(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE...]",
            help="The log: JSON lines of CloudEvents, plain or .gz. By default: service_month.jsonl.gz in the "
            "directory named by DESK_LOGS, or a simulated log.",
        ),
    ] = None,
    number: Number = MILLION,
    rounds: Rounds = 1,
    only: Only = None,
    data: Data = None,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Measure the whole job, an idiomatic Faust app and a raw drain, one after the other on the same input."""
    with one_sentence():
        names = _names(only)
        settings = settings_of(None, policy)
        policies_of(settings)
        _refuse_without_memory(number)
        lines = _log(files, number)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the processes in order
        with tempfile.TemporaryDirectory(prefix="deskwatch-bench-") as folder:
            figures = _measure(lines, number, settings, data or Path(folder), names, rounds)
    found = ratios(figures)
    if json:
        for figure in figures:
            typer.echo(msgspec.json.encode(as_json(figure, found[figure.name])))
    else:
        console = Console()
        console.print(table(figures))
        console.print(NOTES, style="dim")


def _names(only: Sequence[str] | None) -> list[str]:
    if unknown := [name for name in only or () if name not in NAMES]:
        raise typer.BadParameter(f"{unknown[0]!r} is not measured: choose from {', '.join(NAMES)}", param_hint="--only")
    return [name for name in NAMES if name in (only or USUAL)]


def _refuse_without_memory(number: int) -> None:
    free = psutil.virtual_memory().available
    if number * BYTES_AN_EVENT > free:
        raise Refused(
            f"{number:,} events need about {number * BYTES_AN_EVENT >> 20:,} MiB, the broker keeps all in memory, and "
            f"{free >> 20:,} MiB are free: choose fewer with --events."
        )


def _log(files: Sequence[Path] | None, number: int) -> list[bytes]:
    """At most `number` lines of the files, of the recorded month, or of four simulated weeks of a desk of 30 agents."""
    month = Path(os.environ.get("DESK_LOGS", "")) / "service_month.jsonl.gz"
    if files or month.is_file():
        return list(islice(read(files or [month]), number))
    world = World(seed=1, start=SIMULATED_FROM, end=SIMULATED_FROM + 28 * DAY, agents=30)
    return [encode(event) for event in islice(events(world), number)]


def _measure(
    lines: Sequence[bytes], number: int, settings: Settings, folder: Path, names: Sequence[str], rounds: int
) -> list[Figure]:
    """The figures in the order of `names`."""
    measured: dict[str, list[Figure]] = {name: [] for name in names}
    with Console(stderr=True).status("") as status:
        for n in range(1, rounds + 1):
            tell = _status(status.update, f"round {n} of {rounds}: " if rounds > 1 else "")
            bench = Bench(lines, number, settings, argv_of("track", APPS), folder / f"round-{n}", tell)
            for figure in bench.round(names):
                measured[figure.name].append(figure)
    return [medians(measured[name]) for name in names]


def _status(update: Callable[[str], None], prefix: str) -> Callable[[str], None]:
    return lambda text: update(prefix + text)


def table(figures: Sequence[Figure]) -> Table:
    """The figures side by side, with the ratio of the whole job's rate to each of the others."""
    found = ratios(figures)
    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("name", no_wrap=True)
    for heading in ("events", "events/s", "CPU s", "RSS MB", "start s", "x Faust", "of drain"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for figure in figures:
        ratio = found[figure.name]
        shown.add_row(
            figure.name,
            f"{figure.events:,}",
            f"{figure.events_per_s:,.0f}",
            f"{figure.cpu_s:.1f}",
            f"{figure.rss_mb:,.0f}",
            "" if figure.startup_s is None else f"{figure.startup_s:.1f}",
            _ratio(ratio, "times_idiomatic_faust", ".1f"),
            _ratio(ratio, "of_raw_drain", ".3f"),
            style="bold" if figure.name == WHOLE_JOB else None,
        )
    return shown


def _ratio(ratio: dict[str, float], name: str, form: str) -> str:
    return format(ratio[name], form) if name in ratio else ""
