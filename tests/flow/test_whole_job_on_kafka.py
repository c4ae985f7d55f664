"""The whole job on Apache Kafka, with the commands of an installation; ClickHouse is the embedded one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from streams.checkpoint.takeover import TOOK_OVER_LOG
from streams.embedded.process import Process, free_port
from streams.embedded.stack import clickhouse_answers
from tests.apache_kafka import Kafka
from tests.flow.conftest import started_kafka, wait_for
from tests.flow.month import check, deskwatch

pytestmark = pytest.mark.kafka


@pytest.fixture
def kafka_of_its_own(tmp_path: Path) -> Iterator[Kafka]:
    """The topics' names are fixed, and other tests use them too."""
    with started_kafka(tmp_path / "kafka") as kafka:
        yield kafka


@pytest.fixture
def clickhouse(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("chdb")
    port = free_port()
    (tmp_path / "password").write_text("secret")
    argv = [sys.executable, "-m", "streams.embedded.clickhouse", "--port", str(port), "--path", str(tmp_path / "ch")]
    argv += ["--password-file", str(tmp_path / "password")]
    process = Process("clickhouse", argv, {}, tmp_path / "clickhouse.pid", tmp_path / "clickhouse.log")
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for("ClickHouse", lambda: clickhouse_answers(url))
        yield url
    finally:
        process.end(0.0)


def deskwatch_run(role: str, folder: Path, number: int = 1) -> Process:
    name = f"{role}-{number}"
    argv = [str(Path(sys.executable).with_name("deskwatch")), "run", role]
    return Process(name, argv, {}, folder / f"{name}.pid", folder / f"{name}.log")


def owned(log: Path) -> int:
    """How many partitions a track worker took over last, by its log."""
    _, found, last = log.read_text().rpartition(TOOK_OVER_LOG)
    return last.partition("]")[0].count(",") + 1 if found else 0


def test_the_views_are_what_the_log_says(
    days: Path, tmp_path: Path, kafka_of_its_own: Kafka, clickhouse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"BROKER": kafka_of_its_own.address, "CLICKHOUSE": clickhouse, "CLOCK": "log", "DATA": str(tmp_path)}
    named["CLICKHOUSE_PASSWORD_FILE"] = str(tmp_path / "password")
    for name, value in named.items():
        monkeypatch.setenv(f"DESKWATCH_{name}", value)
    roles = [deskwatch_run("track", tmp_path, n) for n in (1, 2)]
    roles += [deskwatch_run(role, tmp_path) for role in ("watch", "store")]
    try:
        logs = [tmp_path / f"track-{number}.log" for number in (1, 2)]
        wait_for("two partitions each", lambda: [owned(log) for log in logs] == [2, 2])
        printed = deskwatch("replay", "--drain", "--json", days)
        check(msgspec.json.decode(printed.splitlines()[-1]), days)
        deskwatch("verify", "--from", "topic")
    finally:
        for role in roles:
            role.ask_to_end()
        for role in roles:
            role.end(10.0)
