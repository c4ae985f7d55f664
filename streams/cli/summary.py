"""Prints what a replay or a recomputation came to."""

from collections.abc import Mapping
from typing import Any

import msgspec
import typer

_LISTS = ("unknown_types", "dead_letter_reasons", "warnings")


def print_summary(found: Mapping[str, Any], json: bool) -> None:
    """Print the figures (`streams.replay.summary`) as a table, or as one JSON object; warnings go to stderr."""
    if json:
        typer.echo(msgspec.json.encode(found))
        return
    for name, value in found.items():
        if name not in _LISTS:
            typer.echo(f"{name:24} {_text(value):>24}")
    for name, number in found.get("unknown_types", {}).items():
        typer.echo(f"Unknown type {name!r}: {number:,}")
    for letter in found.get("dead_letter_reasons", []):
        typer.echo(f"Dead letters, {letter['n']:,}: {letter['reason']}")
    for sentence in found.get("warnings", []):
        typer.echo(f"Warning: {sentence}", err=True)


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else "-" if value is None else str(value)
