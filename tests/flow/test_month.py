"""The whole recorded month in every arrangement (`make proof`): equal, view by view and row by row."""

from pathlib import Path

import pytest

from tests.flow.month import deskwatch, lines_of, shuffled_within_an_hour, whole_job, write
from tests.recorded import service_month

pytestmark = pytest.mark.bench

EVENTS = 173_197


@pytest.mark.parametrize(("partitions", "workers"), [(4, 1), (1, 1), (8, 1), (4, 2)])
def test_as_recorded(partitions: int, workers: int, tmp_path: Path) -> None:
    log = service_month()
    counts = whole_job(tmp_path / "d", log, "--partitions", partitions, "--workers", workers)
    assert (counts["lines"], counts["events"], counts["dead_letters"]) == (EVENTS, EVENTS, 0)
    deskwatch("verify", "--data", tmp_path / "d", "--from", log)


def test_every_line_doubled(tmp_path: Path) -> None:
    log = service_month()
    doubled = write(tmp_path / "log.jsonl.gz", [line for line in lines_of(log) for _ in range(2)])
    assert whole_job(tmp_path / "d", doubled)["events"] == EVENTS
    deskwatch("verify", "--data", tmp_path / "d", "--from", log)


@pytest.mark.parametrize("seed", [1, 2])
def test_lines_shuffled_within_an_hour(seed: int, tmp_path: Path) -> None:
    log = service_month()
    shuffled = write(tmp_path / "log.jsonl.gz", shuffled_within_an_hour(lines_of(log), seed))
    assert whole_job(tmp_path / "d", shuffled, "--partitions", 8, "--workers", 2)["events"] == EVENTS
    deskwatch("verify", "--data", tmp_path / "d", "--from", log)


def test_recomputed(tmp_path: Path) -> None:
    log = service_month()
    deskwatch("recompute", "--data", tmp_path / "d", log)
    deskwatch("verify", "--data", tmp_path / "d", "--from", log)
