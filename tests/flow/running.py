"""A running embedded desk without a simulator, in log time, and queries to it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from typer.testing import CliRunner

from streams.cli.main import app
from streams.cli.options import settings_of
from streams.embedded.roles import prepare, start_roles
from streams.embedded.stack import Stack
from tests.flow.conftest import ROOT, wait_for
from tests.flow.month import deskwatch, write


@contextmanager
def running_desk(data: Path, *policy: Path) -> Iterator[Path]:
    """A desk of its own process over the directory `data`, which is returned."""
    ready, script = data / "ready", "from tests.flow.running import serve; import sys; serve(*sys.argv[1:])"
    with (data.parent / "desk.log").open("wb") as log:
        argv = [sys.executable, "-c", script, str(data), *map(str, policy)]
        process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for("the desk", lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None, (data.parent / "desk.log").read_text()
        yield data
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def serve(data: str, policy: str | None = None) -> None:
    """The desk, until SIGTERM."""
    with Stack(Path(data)) as stack:
        settings, client = prepare(stack, settings_of(Path(data), policy and Path(policy)))  # type: ignore[arg-type]
        client.close()
        start_roles(stack, settings, "log")
        (Path(data) / "ready").touch()
        stack.wait()


def feed(desk: Path, *lines: bytes) -> None:
    """Send events to it."""
    broker = msgspec.json.decode((desk / "run" / "ports.json").read_bytes())["broker"]
    log = write(desk / "log.jsonl.gz", lines)
    result = CliRunner().invoke(app, ["replay", str(log), "--json"], env={"DESKWATCH_BROKER": broker})
    assert result.exit_code == 0, result.output


def objects(*arguments: object) -> list[dict[str, Any]]:
    """What a command prints with --json."""
    return [msgspec.json.decode(line) for line in deskwatch(*arguments, "--json").splitlines()]


def rows(desk: Path, question: str) -> list[tuple[Any, ...]]:
    """The rows of a question."""
    return [tuple(row.values()) for row in objects("sql", "--data", desk, question)]


def value(desk: Path, question: str) -> Any:
    """The value of a question, None if it has none."""
    found = rows(desk, question)
    return found[0][0] if found else None
