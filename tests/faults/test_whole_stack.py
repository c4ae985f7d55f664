"""The embedded broker's data dies with it: the stack says what is lost, and a new replay restores everything.

replay  =====x (the broker, or the command itself, is killed)          replay --append  ==========> verify
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.embedded.client import client_of
from tests.faults.log import disorderly
from tests.flow.month import deskwatch, write

pytestmark = [pytest.mark.embedded, pytest.mark.faults]

REPLAY = [
    sys.executable,
    "-c",
    "from streams.cli.main import main; main()",
    "replay",
    "--embedded",
    "--drain",
    "--json",
]


def wait_until_under_way(data: Path) -> None:
    """Until some of the events are in ClickHouse."""
    until = time.monotonic() + 60
    ports = data / "run" / "ports.json"
    while not (ports.exists() and (data / "run" / "store.pid").exists()):
        assert time.monotonic() < until
        time.sleep(0.05)
    with client_of(data, "deskwatch") as client:
        while not client.query("SELECT 1 FROM event_rows LIMIT 1").result_rows:
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.mark.parametrize("victim", ["broker", "command"])
def test_a_fresh_replay_makes_everything_whole(victim: str, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl.gz", [line for line in disorderly(5, 12_000) if b'"poison-' not in line])
    data = tmp_path / "d"
    with subprocess.Popen([*REPLAY, "--data", str(data), str(log)], stderr=subprocess.PIPE, text=True) as replay:
        wait_until_under_way(data)
        pid = int((data / "run" / "broker.pid").read_text()) if victim == "broker" else replay.pid
        os.kill(pid, signal.SIGKILL)
        said = replay.communicate(timeout=60)[1]
    if victim == "broker":
        assert replay.returncode == 1
        assert "The embedded broker died (exit status -9), and with it" in said
        assert "events that were not in ClickHouse yet, the checkpoints of the desk" in said
        assert "Traceback" not in said
    deskwatch("replay", "--embedded", "--drain", "--append", "--data", data, log)
    deskwatch("verify", "--data", data, "--from", log)
