"""The minimum speed and maximum memory, with nothing else running; the goals are in docs/benchmarks.md."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.recorded import service_month

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]


BENCH = [sys.executable, "-c", "from streams.cli.main import main; main()", "bench"]


def speed(*arguments: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run([*BENCH, "speed", "--json", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


def test_the_whole_job_on_a_million_events() -> None:
    only = [f"--only={name}" for name in ("whole_job", "idiomatic_faust", "raw_drain")]
    whole = speed(str(service_month()), *only)["whole_job"]
    assert whole["times_idiomatic_faust"] >= 2.0
    assert whole["of_raw_drain"] >= 0.02


def test_a_worker_holds_a_hundred_thousand_open_tickets_in_400_mb() -> None:
    assert speed("--only", "track_memory")["track_memory"]["rss_mb"] < 400


def test_warnings_are_on_the_topic_soon_after_their_instant() -> None:
    found = live("--seconds", "60")
    assert found["p50_s"] < 0.6
    assert found["p99_s"] < 1.5


def test_a_storm_leaves_half_of_the_speed_and_sends_digests() -> None:
    found = live("--seconds", "125", "--storm", "10000")
    assert found["slowest_rate"] > 2500
    assert found["messages"] < 1000


def live(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([*BENCH, "live", "--json", *arguments], capture_output=True, text=True, check=True)
    print(done.stdout)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
