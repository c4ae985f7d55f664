"""The command line: `deskwatch COMMAND`, one module a command."""

import typer

from streams.cli.bench import bench
from streams.cli.demo import demo
from streams.cli.doctor import doctor
from streams.cli.migrate import migrate
from streams.cli.policy import policy
from streams.cli.recompute import recompute
from streams.cli.replay import replay
from streams.cli.run import run
from streams.cli.simulate import simulate
from streams.cli.sql import sql
from streams.cli.verify import verify
from streams.cli.warnings import warnings

app = typer.Typer(
    name="deskwatch",
    help="Watches over a service desk while the day is still running: SLA clocks, rolling windows, early warnings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, run, replay, recompute, verify, simulate, sql, migrate, bench, doctor, warnings):
    app.command()(command)
app.add_typer(policy, name="policy")


def main() -> None:
    """Run the command that was given."""
    app()
