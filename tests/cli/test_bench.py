"""`deskwatch bench`: all measurements have the same input, and the ratios are those of their rates."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from streams.bench.measure import Figure, as_json, medians, ratios
from streams.cli.bench import BYTES_AN_EVENT
from streams.cli.main import app


def figure(name: str, events_per_s: float, **more: float) -> Figure:
    return Figure(name, 1_000_000, events_per_s, more.get("cpu_s", 1.0), more.get("rss_mb", 100.0), 10.0, None)


def test_ratios_are_of_the_rates() -> None:
    found = ratios(
        [
            figure("whole_job", 60_000.0),
            figure("whole_job_tickets", 30_000.0),
            figure("idiomatic_faust", 3_000.0),
            figure("raw_drain", 240_000.0),
        ]
    )
    assert found == {
        "whole_job": {"times_idiomatic_faust": 20.0, "of_raw_drain": 0.25},
        "whole_job_tickets": {"times_idiomatic_faust": 10.0, "of_raw_drain": 0.125},
        "idiomatic_faust": {},
        "raw_drain": {},
    }
    assert ratios([figure("whole_job", 60_000.0)]) == {"whole_job": {}}


def test_medians_are_taken_of_each_quantity() -> None:
    rounds = [figure("raw_drain", rate, cpu_s=cpu_s) for rate, cpu_s in ((300.0, 5.0), (100.0, 4.0), (200.0, 9.0))]
    middle = medians(rounds)
    assert (middle.name, middle.events_per_s, middle.cpu_s, middle.startup_s) == ("raw_drain", 200.0, 5.0, None)


def test_json_has_what_the_contract_says() -> None:
    found = as_json(figure("whole_job", 60_000.4, cpu_s=16.666), {"of_raw_drain": 0.2504})
    assert found == {
        "name": "whole_job",
        "events": 1_000_000,
        "events_per_s": 60_000,
        "cpu_s": 16.67,
        "rss_mb": 100.0,
        "seconds": 10.0,
        "of_raw_drain": 0.25,
    }


def test_an_unknown_name_is_wrong_use() -> None:
    result = CliRunner().invoke(app, ["bench", "--only", "everything"])
    assert result.exit_code == 2
    assert "'everything' is not measured" in " ".join(result.stderr.replace("│", "").split())


def test_an_option_before_the_name_of_a_benchmark_is_wrong_use() -> None:
    result = CliRunner().invoke(app, ["bench", "--json", "live"])
    assert result.exit_code == 2
    assert "options belong behind the name: deskwatch bench live" in " ".join(result.stderr.replace("│", "").split())


def test_too_much_for_this_machine_is_one_sentence() -> None:
    number = psutil.virtual_memory().total // BYTES_AN_EVENT + 1
    result = CliRunner().invoke(app, ["bench", "--events", str(number)])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "choose fewer with --events" in result.stderr


@pytest.mark.embedded
def test_all_report_on_the_same_input(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from streams.cli.main import main; main()", "bench", "--events", "4000", "--json"]
    done = subprocess.run([*command, "--data", str(tmp_path)], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    found = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert list(found) == ["whole_job", "whole_job_tickets", "idiomatic_faust", "raw_drain"]
    for name, line in found.items():
        assert line["events"] == 4000 if name != "idiomatic_faust" else line["events"] >= 4000
        assert line["events_per_s"] == pytest.approx(line["events"] / line["seconds"], rel=0.2)  # both are rounded
        assert line["cpu_s"] > 0
        assert 10 < line["rss_mb"] < 1000
    whole = found["whole_job"]
    assert whole["times_idiomatic_faust"] == pytest.approx(
        whole["events_per_s"] / found["idiomatic_faust"]["events_per_s"], rel=0.01
    )
    assert whole["of_raw_drain"] == pytest.approx(
        whole["events_per_s"] / found["raw_drain"]["events_per_s"], rel=0.05, abs=0.001
    )
    assert not list(tmp_path.rglob("*.pid"))
