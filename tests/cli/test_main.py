"""The program as a whole: its version, and every command with its help."""

from importlib.metadata import version

import pytest
import typer
from typer.testing import CliRunner

from streams.cli.main import app


def test_the_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"deskwatch {version('deskwatch')}\n")


def paths(command: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = getattr(command, "commands", {})
    return [path, *(each for name in below for each in paths(below[name], (*path, name)))]


@pytest.mark.parametrize("path", paths(typer.main.get_command(app)), ids=" ".join)
def test_a_command_has_help_that_says_what_it_does(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert "Usage: deskwatch" in result.stdout.replace("root", "deskwatch")
    assert len(result.stdout.splitlines()) > 5
