"""The recorded month in other arrangements, and the whole job over them."""

import gzip
import random
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from typer.testing import CliRunner

from streams.cli.main import app


def lines_of(log: Path) -> list[bytes]:
    """The lines of a log."""
    return gzip.open(log).read().splitlines()


def minutes_of(line: bytes) -> float:
    """A line's business time, in minutes."""
    return datetime.fromisoformat(msgspec.json.decode(line)["time"]).timestamp() / 60


def shuffled_within_an_hour(lines: list[bytes], seed: int) -> list[bytes]:
    """The lines in an order that is up to an hour out of business time."""
    chance = random.Random(seed)
    return [line for _, line in sorted((minutes_of(line) + 60 * chance.random(), line) for line in lines)]


def write(file: Path, lines: Iterable[bytes]) -> Path:
    """Write a log."""
    with gzip.open(file, "wb", compresslevel=1) as out:
        out.writelines(line + b"\n" for line in lines)
    return file


def deskwatch(*arguments: object) -> str:
    """Run a command that must succeed; its output."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, f"{arguments}: {result.output}\n{result.exception!r}"
    return result.stdout


def whole_job(data: Path, *arguments: object) -> dict[str, Any]:
    """Replay logs, with options, through the embedded stack until all is in ClickHouse; the summary."""
    printed = deskwatch("replay", "--embedded", "--drain", "--json", "--data", data, *arguments)
    found: dict[str, Any] = msgspec.json.decode(printed.splitlines()[-1])
    return found


NO_SIGNALS = {"reviews", "callbacks", "callback_coverage", "actions", "agent_states", "proactive_contacts"}
"""The views that are empty for the recorded month."""


def check(counts: dict[str, Any], log: Path, *where: object) -> None:
    """All lines came, and no view differs: see :func:`check_views`."""
    assert counts["events"] == counts["lines"] == len(lines_of(log))
    assert counts["dead_letters"] == 0
    check_views(log, *where)


def check_views(log: Path, *where: object) -> None:
    """No view differs from what the log says; none of them is empty, so that this means something.

    `where` says to `deskwatch verify` which database it is.
    """
    verified = deskwatch("verify", *where, "--from", log, "--json")
    differences = [msgspec.json.decode(line) for line in verified.splitlines()]
    assert {row["view"] for row in differences} >= {"sla_ledger", "window_minutes", "backlog_minutes", "satisfaction"}
    assert {row["view"] for row in differences if not row["rows"]} <= NO_SIGNALS
