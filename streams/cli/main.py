"""The command line: `deskwatch COMMAND`, one module a command."""

from typing import Any

import typer
from typer.core import TyperGroup

from streams.cli.bench import bench
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
from streams.cli.warnings import warnings
from tests.faults.command import faults


class _SpeedUnlessNamed(TyperGroup):
    """`deskwatch bench FILE` is `deskwatch bench speed FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command's name before arguments that begin with none."""
        named = args[:1] == ["--help"] or (args and args[0] in self.commands)
        return super().parse_args(ctx, list(args) if named else ["speed", *args])


benchmarks = typer.Typer(cls=_SpeedUnlessNamed, help="Measure: the speed (as without a name), or strike: the faults.")
benchmarks.command("speed")(bench)
benchmarks.command("faults")(faults)
benchmarks.command("live")(live)

app = typer.Typer(
    name="deskwatch",
    help="Watches over a service desk while the day is still running: SLA clocks, rolling windows, early warnings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, run, replay, recompute, verify, simulate, sample, sql, migrate, doctor, warnings):
    app.command()(command)
app.add_typer(policy, name="policy")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(benchmarks, name="bench")


def main() -> None:
    """Run the command that was given."""
    app()
