"""Dead letters on a running desk: listed, shown, repaired and replayed; too many stop the worker."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from streams.embedded.broker import APPS
from streams.embedded.roles import argv_of
from streams.embedded.stack import Stack
from streams.errors import STOPPED_FOR_GOOD
from tests.flow.conftest import ROOT, wait_for
from tests.flow.month import deskwatch, write
from tests.flow.running import feed, objects, running_desk, value
from tests.sinks.desk import event

pytestmark = pytest.mark.embedded

ANSWER: dict[str, Any] = {"survey_id": "s1", "ticket_id": "t1", "metric": "csat", "scale_min": 1, "scale_max": 5}
WRONG = event("survey.responded", "mon 10:00", score=50, **ANSWER)
HOPELESS = b'{"specversion":"1.0","id":"x\xff'


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with running_desk(tmp_path_factory.mktemp("desk") / "d") as data:
        yield data


def test_a_letter_is_repaired_and_replayed_once(desk: Path) -> None:
    lines = [
        event("ticket.created", "mon 09:00", team="A"),
        WRONG,
        HOPELESS,
        event("ticket.created", "mon 11:00", "t2"),
    ]
    feed(desk, *lines)
    letters = wait_for(
        "the letters", lambda: found if len(found := objects("dead-letters", "list", "--data", desk)) == 2 else None
    )
    wrong = next(letter for letter in letters if letter["topic"] == "surveys")
    hopeless = next(letter for letter in letters if letter["topic"] == "signals")
    assert wrong["state"] == hopeless["state"] == "open"
    assert wrong["value"].encode() == WRONG
    assert "50" in wrong["reason"]

    shown = CliRunner().invoke(app, ["dead-letters", "show", hopeless["id"], "--data", str(desk)])
    assert shown.exit_code == 0
    assert shown.stdout_bytes == HOPELESS
    assert hopeless["reason"] in shown.stderr

    by_reason = objects("dead-letters", "list", "--data", desk, "--reasons")
    assert [row["open"] for row in by_reason] == [1, 1]

    again = CliRunner().invoke(app, ["dead-letters", "replay", "--data", str(desk), "--json"])
    assert again.exit_code == 1
    assert msgspec.json.decode(again.stdout) == {
        "replayed": 0, "refused": 2, "reasons": {letter["id"]: letter["reason"] for letter in letters}
    }  # fmt: skip

    repaired = desk / "repaired.jsonl"
    fixed = {"id": wrong["id"], "event": msgspec.json.decode(WRONG.replace(b"50", b"5"))}
    repaired.write_bytes(msgspec.json.encode(fixed))
    fix = ("dead-letters", "replay", "--fix", repaired, "--data", desk)
    assert objects(*fix) == [{"replayed": 1, "refused": 0, "reasons": {}}]
    assert objects(*fix) == [{"replayed": 0, "refused": 0, "reasons": {}}]

    wait_for("the answer", lambda: value(desk, "SELECT score FROM surveys") == 5)
    wait_for("the mark", lambda: value(desk, "SELECT countIf(replayed_at IS NOT NULL) FROM dead_letters") == 1)
    assert value(desk, "SELECT count() FROM events WHERE type = 'survey.responded'") == 1
    assert value(desk, "SELECT team FROM surveys") == "A"
    states = {letter["id"]: letter["state"] for letter in objects("dead-letters", "list", "--data", desk)}
    assert states == {wrong["id"]: "replayed", hopeless["id"]: "open"}
    assert [letter["id"] for letter in objects("dead-letters", "list", "--open", "--data", desk)] == [hopeless["id"]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "tickets/0/99"], "There is no dead letter tickets/0/99: `deskwatch dead-letters list` names them."),
        (["replay", "calls/9/9"], "There is no dead letter calls/9/9"),
        (["replay", "--fix", "nowhere.jsonl"], "nowhere.jsonl cannot be read: No such file"),
        (["replay", "--fix", "BAD"], "line 1 is no repaired letter"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(desk: Path, arguments: list[str], says: str) -> None:
    (desk / "bad").write_text('{"id": 5}\n')
    given = [str(desk / "bad") if argument == "BAD" else argument for argument in arguments]
    result = CliRunner().invoke(app, ["dead-letters", *given, "--data", str(desk)])
    assert result.exit_code == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_desk_that_does_not_run_still_shows_its_letters(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl.gz", [event("ticket.created", "mon 09:00"), WRONG])
    deskwatch("recompute", "--data", tmp_path / "d", log)
    (letter,) = objects("dead-letters", "list", "--data", tmp_path / "d")
    assert (letter["topic"], letter["state"], letter["value"]) == ("surveys", "open", WRONG.decode())
    replay = CliRunner().invoke(app, ["dead-letters", "replay", "--data", str(tmp_path / "d")])
    assert replay.exit_code == 1
    assert "No desk runs in" in replay.stderr


def test_no_broker_is_said() -> None:
    result = CliRunner().invoke(app, ["dead-letters", "list"], env={"DESKWATCH_BROKER": "127.0.0.1:1"})
    assert result.exit_code == 1
    assert result.stderr.startswith("The dead letters at 127.0.0.1:1 cannot be reached")


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[str]:
    with Stack(tmp_path / "stack") as stack:
        yield stack.broker


def test_too_many_letters_stop_the_worker_and_none_is_lost(own_broker: str, tmp_path: Path) -> None:
    env = {
        **os.environ, "PYTHONPATH": str(ROOT), "DESKWATCH_BROKER": own_broker, "DESKWATCH_CLOCK": "log",
        "DESKWATCH_DATA": str(tmp_path / "d"), "DESKWATCH_DEAD_LETTER_RUN": "200",
    }  # fmt: skip
    worker = argv_of("track", APPS)
    lines = [event("ticket.created", f"mon 10:00:{n % 60:02}", f"t{n}") for n in range(100)] + [b"{"] * 1500
    log = write(tmp_path / "log.jsonl.gz", lines)
    fed = CliRunner().invoke(app, ["replay", str(log), "--json"], env=env)
    assert fed.exit_code == 0, fed.output

    def run(**more: str) -> tuple[int, str]:
        found = subprocess.run(worker, env={**env, **more}, cwd=tmp_path, capture_output=True, timeout=60, check=False)
        return found.returncode, (found.stdout + found.stderr).decode()

    def letters() -> int:
        result = CliRunner().invoke(app, ["dead-letters", "list", "--json"], env=env)
        return len(result.stdout.splitlines())

    code, said = run()
    assert code == STOPPED_FOR_GOOD
    assert "of the last 200 records of signals[0] up to offset" in said, said
    assert "DESKWATCH_DEAD_LETTER_RATIO=1" in said.splitlines()[-1]
    stopped = letters()
    assert 100 < stopped <= 200
    code, said = run()
    assert code == STOPPED_FOR_GOOD
    assert letters() == stopped

    process = subprocess.Popen(worker, env={**env, "DESKWATCH_DEAD_LETTER_RATIO": "1"}, cwd=tmp_path)
    try:
        wait_for("all letters", lambda: letters() == 1500)
    finally:
        process.terminate()
        process.wait(20)
