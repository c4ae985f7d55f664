"""The command: files, options, errors."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from streams.cli.simulate import simulate

app = typer.Typer()
app.command()(simulate)


def run(*args: str) -> str:
    result = CliRunner().invoke(app, list(args), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_lines_of_json_in_time_order() -> None:
    lines = [json.loads(line) for line in run("--agents", "8", "--for", "10h", "--seed", "2").splitlines()]
    assert len(lines) > 100
    assert lines[0]["time"].startswith("2026-10-12T0")
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


def test_a_file_and_a_compressed_file_hold_what_is_printed_and_are_the_same_again(tmp_path: Path) -> None:
    options = ["--agents", "8", "--for", "8h", "--scenario", "outage", "--scenario", "shortage"]
    printed = run(*options)
    plain, packed, again = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz"
    for path in (plain, packed, again):
        run(*options, "--out", str(path))
    assert plain.read_text() == printed
    assert gzip.decompress(packed.read_bytes()).decode() == printed
    assert packed.read_bytes() == again.read_bytes()


def test_the_same_bytes_in_another_process_with_another_hash_seed() -> None:
    code = "import typer; from streams.cli.simulate import simulate; typer.run(simulate)"
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, "--agents", "8", "--for", "10h", "--scenario", "policy_change"],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True, timeout=60,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert len(outputs[0]) > 10_000
    assert outputs[0] == outputs[1]


def test_a_start_keeps_its_offset_and_a_zone_gives_its_own() -> None:
    first = json.loads(run("--agents", "4", "--for", "3h", "--start", "2026-11-02T08:00:00Z").splitlines()[0])
    assert first["time"].startswith("2026-11-02T16:0")
    zoned = run("--agents", "4", "--for", "9h", "--start", "2026-11-02T08:00:00", "--timezone", "Europe/Berlin")
    assert json.loads(zoned.splitlines()[0])["time"].startswith("2026-11-02T08:0")
    assert json.loads(zoned.splitlines()[0])["time"].endswith("+01:00")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--agents", "2"], "too small"),
        (["--for", "soon"], "not a duration"),
        (["--start", "yesterday"], "not a time"),
        (["--timezone", "Mars/Base"], "no time zone"),
        (["--rate", "0"], "contacts a day"),
        (["--scenario", "no-such.toml"], "no-such.toml"),
    ],
)
def test_wrong_use_is_said_in_a_sentence(args: list[str], says: str) -> None:
    result = CliRunner().invoke(app, args, env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert says in result.output


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--for", "1h", "--out", str(tmp_path / "none" / "a.jsonl")])
    assert result.exit_code == 1
    assert "Cannot write" in result.output
