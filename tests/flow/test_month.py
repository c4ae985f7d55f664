"""The whole recorded month in every arrangement (`make proof`): equal, view by view and row by row."""

from pathlib import Path
from random import Random

import msgspec
import pytest

from streams.models.instants import DAY, parse_instant
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


@pytest.mark.parametrize("arrangement", ["reversed", "shuffled", "doubled, a day late"])
def test_in_another_order_as_it_is(arrangement: str, tmp_path: Path) -> None:
    """Whatever the order of arrival, every view is equal but for warnings of window rules that came too late."""
    log, random = service_month(), Random(7)
    lines = lines_of(log)
    if arrangement == "reversed":
        lines.reverse()
    elif arrangement == "shuffled":
        random.shuffle(lines)
    else:
        lines = late_by_a_day([line for line in lines for _ in range(2)], random)
    arranged = write(tmp_path / "log.jsonl.gz", lines)
    assert whole_job(tmp_path / "d", arranged, "--as-is")["events"] == EVENTS
    deskwatch("verify", "--data", tmp_path / "d", "--from", log)
    deskwatch("verify", "--data", tmp_path / "d")


def late_by_a_day(lines: list[bytes], random: Random) -> list[bytes]:
    """Of these lines, 5 % come a day of business time later."""
    timed = [(parse_instant(msgspec.json.decode(line)["time"]), line) for line in lines]
    return [line for _, line in sorted((at + DAY * (random.random() < 0.05), line) for at, line in timed)]
