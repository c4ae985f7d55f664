"""`deskwatch demo`: everything starts, shows figures and ends, and nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import psutil
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from streams.cli.demo import End, demo, memory_standing
from streams.demo.board import board, duration, line
from streams.demo.desk import HISTORY_MS, LOCAL_HOUR, world_at, zone_at
from streams.demo.figures import Backlog, Due, Figures, Pace, Rate, satisfaction
from streams.embedded.directory import Directory
from streams.models.instants import HOUR, parse_instant

app = typer.Typer()
app.command()(demo)

MIB = 1 << 20
FIGURES = Figures(
    events=52_017,
    behind_s=1.4,
    backlog=[Backlog("complaints", 40, 3, 1, 7_500.0), Backlog("hotline", 10, 0, 0, 59.0)],
    due=[Due("T1-000042", "first_response", "hotline", 130.0)],
    breach=[Rate("complaints", 0.1, 30), Rate("hotline", 0.0, 70)],
    service=[Rate("billing", 0.5, 100), Rate("vip", 1.0, 100)],
    csat=satisfaction(80, 100),
)


def test_satisfaction_lies_between_the_wilson_bounds() -> None:
    """80 of 100: 0.7111 to 0.8666 (R's prop.test(80, 100, correct = FALSE))."""
    found = satisfaction(80, 100)
    assert found is not None
    assert found == pytest.approx((0.8, 0.71117, 0.86663, 100), abs=1e-5)
    assert satisfaction(0, 0) is None


def test_the_pace_is_that_of_the_last_ten_seconds() -> None:
    pace = Pace()
    assert pace.per_s(0.0, 1000) == 0.0
    assert pace.per_s(1.0, 1010) == 10.0
    for second in range(2, 30):
        rate = pace.per_s(float(second), 1010 + 3 * (second - 1))
    assert rate == 3.0


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0 s"), (59.0, "59 s"), (130.0, "2 min"), (-130.0, "-2 min"), (11_100.0, "3 h 05"), (187_200.0, "2 d 04 h")],
)
def test_durations_for_the_eye(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_line_has_every_figure() -> None:
    assert line(FIGURES, 3.46, "en") == (
        "Backlog 50 (at risk 3, breached 1) | Due next T1-000042 2 min | Breach rate, 1 h 3.0 % (n 100) | "
        "Service level 75.0 % (n 200) | CSAT 80.0 % (95 % interval 71.1–86.7 %, n 100) | 3.5 events per second | "
        "52,017 events stored | 1 s behind"
    )
    empty = line(Figures(0, None, [], [], [], [], None), 0.0, "en")
    assert empty.startswith(
        "Backlog 0 (at risk 0, breached 0) | Due next – | Breach rate, 1 h – | Service level – | CSAT –"
    )


def test_the_board_has_them_by_team_and_queue_in_both_languages() -> None:
    for language, words in (("en", ("Backlog", "first response", "oldest")), ("zh", ("积压工单", "首次响应", "最久"))):
        console = Console(width=110, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
        console.print(board(FIGURES, 3.46, ["a note"], language))  # type: ignore[arg-type]
        shown = console.export_text()
        for word in (
            *words,
            "complaints",
            "2 h 05",
            "T1-000042",
            "10.0 %",
            "billing",
            "50.0 %",
            "71.1–86.7 %",
            "a note",
        ):
            assert word in shown


@pytest.mark.parametrize("hour", range(24))
def test_the_simulated_desk_has_its_early_afternoon(hour: int) -> None:
    now = parse_instant(f"2026-11-22T{hour:02}:40:00Z")
    assert datetime.fromtimestamp(now / 1000, zone_at(now)).hour == LOCAL_HOUR
    world = world_at(now, 40)
    assert world.start == now - HISTORY_MS == now - 8 * HOUR
    assert world.scenario.surges


def test_memory_is_short_before_it_is_over() -> None:
    plenty = 8_000 * MIB
    assert memory_standing(700 * MIB, 1000 * MIB, plenty) == "enough"
    assert memory_standing(900 * MIB, 1000 * MIB, plenty) == "short"
    assert memory_standing(1001 * MIB, 1000 * MIB, plenty) == "over"
    assert memory_standing(10 * MIB, 1000 * MIB, 400 * MIB) == "short"
    assert memory_standing(10 * MIB, 1000 * MIB, 200 * MIB) == "over"


def test_the_seconds_count_from_the_first_figures() -> None:
    end = End(0.0)
    assert not end.come()
    end.begin()
    assert end.come()
    end = End(None)
    end.begin()
    assert not end.come()
    assert end.left_s() == float("inf")


def test_an_unknown_language_is_wrong_use() -> None:
    assert CliRunner().invoke(app, ["--lang", "fr"]).exit_code == 2


# ---- the real thing -------------------------------------------------------------------------------------------------


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", "from streams.cli.main import main; main()", "demo", "--agents", "60", *arguments]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes whose environment or command line names the folder: parts of the stack, and workers."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join([*process.cmdline(), *process.environ().values()]):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.pid != os.getpid()]


@pytest.mark.embedded
def test_it_shows_figures_and_ends_by_itself(tmp_path: Path) -> None:
    """In an empty directory; a second time it begins afresh, in Chinese."""
    data = tmp_path / "data" / "demo"
    out, errors = start(tmp_path, "--seconds", "8", "--plain").communicate(timeout=200)
    assert errors == ""
    assert "Data: data/demo\n" in out
    assert re.search(r"^ClickHouse: http://127\.0\.0\.1:\d+   deskwatch sql ", out, re.MULTILINE)
    assert re.search(r"^Metrics: http://127\.0\.0\.1:\d+/metrics", out, re.MULTILINE)
    lines = [each for each in out.splitlines() if each.startswith("Backlog ")]
    assert len(lines) >= 2
    assert re.fullmatch(
        r"Backlog \d+ \(at risk \d+, breached \d+\) \| Due next T1-\d+ [\d dhmins]+ \| Breach rate, 1 h [\d.]+ % "
        r"\(n \d+\) \| Service level [\d.]+ % \(n \d+\) \| CSAT [\d.]+ % \(95 % interval [\d.]+–[\d.]+ %, n \d+\) \| "
        r"[\d.,]+ events per second \| [\d,]+ events stored \| \d+ s behind",
        lines[-1],
    )
    assert os.listdir(data / "run") == ["lock"]
    assert Directory(data).addresses() is None
    assert processes_of(tmp_path) == []

    out, errors = start(tmp_path, "--seconds", "1", "--plain", "--lang", "zh").communicate(timeout=200)
    assert errors == ""
    assert out.startswith("已清除 data/demo 中上次演示的数据库\n")
    assert "\n积压工单 " in out


@pytest.mark.embedded
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, "--plain")
    assert process.stdout is not None
    for each in process.stdout:
        if each.startswith("Press Ctrl-C"):
            break
    time.sleep(1.0)  # somewhere in the beginning: wherever that is, it has to end well
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert out.splitlines()[-1].startswith("Ended after ")
    assert processes_of(tmp_path) == []


@pytest.mark.embedded
def test_data_of_anything_but_a_demo_are_refused(tmp_path: Path) -> None:
    from sinks.clickhouse.client import connect
    from streams.embedded.clickhouse import Server

    server = Server(Directory(tmp_path).clickhouse).start()
    with connect(server.url, password=server.password) as client:
        client.command("CREATE DATABASE deskwatch")
    server.stop()
    process = start(tmp_path, "--plain", "--data", str(tmp_path))
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert errors == f"{tmp_path} holds data that are not a demo's: name another --data DIR.\n"
