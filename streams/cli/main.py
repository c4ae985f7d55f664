"""The command line: `deskwatch COMMAND`, one module per command."""

from importlib.metadata import version
from typing import Annotated

import typer

from streams.cli.bench import bench, speed
from streams.cli.dead_letters import dead_letters
from streams.cli.demo import demo
from streams.cli.doctor import doctor
from streams.cli.live import live
from streams.cli.migrate import migrate
from streams.cli.policy import policy
from streams.cli.recompute import recompute
from streams.cli.replay import replay
from streams.cli.run import run
from streams.cli.sample import sample
from streams.cli.simulate import simulate
from streams.cli.sql import sql
from streams.cli.verify import verify
from streams.cli.warning_quality import warning_quality
from streams.cli.warnings import warnings

benchmarks = typer.Typer(help="Measure the speed (the default), the latency of warnings, or their quality.")
benchmarks.callback(invoke_without_command=True)(bench)
benchmarks.command("speed")(speed)
benchmarks.command("live")(live)
benchmarks.command("warning-quality")(warning_quality)

app = typer.Typer(name="deskwatch", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in (demo, run, replay, recompute, verify, simulate, sample, sql, migrate, doctor, warnings):
    app.command()(command)
app.add_typer(policy, name="policy")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(benchmarks, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deskwatch {version('deskwatch')}")
        raise typer.Exit


@app.callback()
def deskwatch(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Watch over a service desk while the day is still running: SLA clocks, rolling windows, early warnings."""


def main() -> None:
    """Run the given command."""
    app()
