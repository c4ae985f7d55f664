"""The embedded stack starts, restarts its parts, and leaves nothing behind."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient

from sinks.clickhouse.client import connect
from streams.embedded import broker
from streams.embedded.directory import Directory, DirectoryInUse
from streams.embedded.stack import Stack, StackError, clickhouse_answers
from tests.embedded.waiting import until

pytestmark = pytest.mark.embedded

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


def test_broker_and_clickhouse_answer_where_ports_json_says(stack: Stack) -> None:
    addresses = json.loads((stack.directory.run / "ports.json").read_text())
    assert addresses == {"broker": stack.broker, "clickhouse": stack.clickhouse}
    assert broker.answers(addresses["broker"])
    admin = KafkaAdminClient(bootstrap_servers=addresses["broker"])
    admin.create_topics({"tickets": {"num_partitions": 3, "replication_factor": 1}})
    assert len(admin.describe_topics(["tickets"])[0]["partitions"]) == 3
    admin.close()
    client = connect(addresses["clickhouse"], password=stack.directory.password())
    assert client.command("SELECT timezone()") == "UTC"
    client.close()


def test_a_role_finds_the_stack_in_its_environment(stack: Stack, tmp_path: Path) -> None:
    out = tmp_path / "environment"
    script = f"import os, json, time; open({str(out)!r}, 'w').write(json.dumps(dict(os.environ))); time.sleep(600)"
    stack.start("board", [sys.executable, "-c", script], {"DESKWATCH_CLOCK": "log"})
    until(lambda: out.exists() and out.read_text().endswith("}"))
    found = json.loads(out.read_text())
    assert found["DESKWATCH_BROKER"] == stack.broker
    assert found["DESKWATCH_CLICKHOUSE"] == stack.clickhouse
    assert found["DESKWATCH_DATA"] == str(stack.directory.data)
    assert found["DESKWATCH_CLOCK"] == "log"
    stack.stop("board")
    assert not (stack.directory.run / "board.pid").exists()


def test_a_role_that_dies_is_started_again(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    stack.start("store", SLEEP)
    first = stack.pid("store")
    assert first is not None
    assert (stack.directory.run / "store.pid").read_text() == f"{first}\n"
    with caplog.at_level(logging.WARNING):
        os.kill(first, signal.SIGKILL)
        until(lambda: stack.pid("store") not in (None, first))
    assert "store ended with exit status -9 and is started again in 0.5 s" in caplog.text
    assert (stack.directory.run / "store.pid").read_text() == f"{stack.pid('store')}\n"
    stack.stop("store")


def test_a_program_that_is_not_there_is_said_in_the_warning(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        stack.start("missing", ["/no/such/program"])
        until(lambda: "missing ended" in caplog.text)
    stack.stop("missing")
    assert "/no/such/program cannot be started: No such file or directory." in caplog.text


def test_clickhouse_comes_back_at_its_address_with_its_data(stack: Stack) -> None:
    client = stack.connect()
    client.command("CREATE TABLE kept (a Int8) ENGINE = MergeTree ORDER BY a")
    client.command("INSERT INTO kept VALUES (1)")
    first = stack.pid("clickhouse")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: stack.pid("clickhouse") not in (None, first) and clickhouse_answers(stack.clickhouse))
    assert client.command("SELECT count() FROM kept") == 1
    client.close()


def test_a_second_stack_is_refused_in_one_sentence(stack: Stack) -> None:
    data = stack.directory.data
    second = subprocess.run(
        [sys.executable, "-m", "tests.embedded.toy_stack", str(data)], capture_output=True, text=True, check=False
    )
    expected = f"{data} is in use by process {os.getpid()}: stop that one first, or name another --data.\n"
    assert (second.returncode, second.stderr) == (1, expected)
    assert stack.directory.ports.exists()
    with pytest.raises(DirectoryInUse):
        Directory(data).take(patience_s=0)


def test_the_broker_s_death_ends_the_stack_with_an_error(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        pid = stack.pid("broker")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(
            StackError, match=r"broker died \(exit status -9\), and with it .* events that were not in ClickHouse"
        ):
            stack.wait(20)
    assert os.listdir(tmp_path / "run") == ["lock"]


# ---- the program that holds the stack is ended ----------------------------------------------------------------------


def toy(data: Path) -> tuple[subprocess.Popen[str], dict[str, int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.embedded.toy_stack", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for role in ("track", "track-2"):
        until(lambda: "working" in (data / "log" / f"{role}.log").read_text())  # noqa: B023  called here and now
    pids = {file.stem: int(file.read_text()) for file in (data / "run").glob("*.pid")}
    assert pids.keys() == {"broker", "clickhouse", "track", "track-2"}
    return process, pids


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_in_order_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    process, pids = toy(tmp_path)
    process.send_signal(number)
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 0
    assert all(gone(pid) for pid in pids.values())
    assert os.listdir(tmp_path / "run") == ["lock"]
    assert "said goodbye" in (tmp_path / "log" / "track-2.log").read_text()
    assert Directory(tmp_path).addresses() is None


def test_a_killed_parent_leaves_no_child_and_a_directory_that_can_be_used(tmp_path: Path) -> None:
    process, pids = toy(tmp_path)
    process.kill()
    process.communicate()
    until(lambda: all(gone(pid) for pid in pids.values()))
    assert (tmp_path / "run" / "ports.json").exists()
    assert Directory(tmp_path).addresses() is None  # the addresses of a dead stack do not count
    process, pids = toy(tmp_path)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
