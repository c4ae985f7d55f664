"""`deskwatch policy check FILE`: validates a policy, and shows its contents."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from streams import policies
from streams.cli.errors import one_sentence
from streams.cli.options import Json
from streams.desk.escalation.rota import gaps
from streams.desk.policy.receivers import Rota
from streams.models.instants import format_instant

policy = typer.Typer(help="Policy files.", no_args_is_help=True)


@policy.callback()
def _policy() -> None:
    """Policy files."""


@policy.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="Policy file, or a directory of versions.")],
    json: Json = False,
) -> None:
    """Check a policy file: exit code 0 and its contents, or 1 and what is wrong, where, and what was expected."""
    with one_sentence():
        for version in policies.load(file).versions:
            found = {
                "file": version.file,
                "version": version.version,
                "effective_from": None if version.effective_from is None else format_instant(version.effective_from),
                "calendars": sorted(version.calendars),
                "sla": [section.name for section in version.sla],
                "rota_gaps": {name: list(gaps(rota)) for name, rota in version.rotas.items()},
            }
            if json:
                typer.echo(msgspec.json.encode(found))
            else:
                since = found["effective_from"] or "always"
                names = ", ".join(section.name for section in version.sla)
                typer.echo(f"{version.file}: version {version.version}, from {since}, SLAs: {names}")
                for name, rota in version.rotas.items():
                    for gap in gaps(rota):
                        typer.echo(f"{version.file}: rotas.{name}: nobody is on shift {gap}{_filled(rota)}")


def _filled(rota: Rota) -> str:
    return f": {rota.otherwise} is told" if rota.otherwise else ": steps in it are skipped"
