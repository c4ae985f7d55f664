"""The options of all commands, and the settings that they override."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from streams.settings import Settings, load

Data = Annotated[Path | None, typer.Option(help="Directory of the embedded stack's data (DESKWATCH_DATA).")]
Policy = Annotated[
    Path | None, typer.Option(metavar="FILE|DIR", help="Policy file, or a directory of versions (DESKWATCH_POLICY).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
AsIs = Annotated[
    bool, typer.Option("--as-is", help="Keep the order of files and lines; else they are merged and sorted by time.")
]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON lines of CloudEvents, plain or .gz.")]


def settings_of(
    data: Path | None = None, policy: Path | None = None, partitions: int | None = None, *, notify: bool = False
) -> Settings:
    """The settings, overridden by the command line."""
    given = {"data": data, "policy": policy and policy.resolve(), "partitions": partitions, "notify": notify or None}
    return dataclasses.replace(load(), **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
