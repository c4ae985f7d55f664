"""`replay --embedded --append` rebuilds a database that has events, and never destroys what it has.

                     input checked     built beside      swapped
tables   old         old               old               new, with what people did
"""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError
from typer.testing import CliRunner

from sinks.clickhouse.client import connect
from streams.cli.main import app
from streams.embedded.directory import USER, Directory
from streams.errors import UserError
from tests.flow.conftest import wait_for
from tests.flow.month import deskwatch, whole_job, write
from tests.flow.running import feed, objects, rows, running_desk, value
from tests.sinks.desk import event

pytestmark = pytest.mark.embedded

POLICY = """
version = "1"
timezone = "UTC"
[calendars.always]
hours = "24x7"
[[sla]]
name = "all"
calendar = "always"
resolution = "1h"
[[escalation]]
severity = ["warning", "critical"]
steps = [ { after = "0m", to = "lead" }, { after = "10m", to = "lead" }, { after = "20m", to = "lead" } ]
[receivers]
lead = { url_env = "DESKWATCH_LEAD_URL" }
"""
LOG = [
    event("ticket.created", "mon 10:00", "t1"),
    event("ticket.created", "mon 10:00", "t2"),
    event("ticket.replied", "mon 11:30", "t2", author="agent"),
    event("ticket.status_changed", "mon 13:00", "t1", status="open"),
]
MORE = event("ticket.created", "mon 14:00", "t3")
BREACH = "SELECT warning_id FROM risk_warnings WHERE rule = 'sla.breached' AND ticket_id = 't1'"
DONE = "SELECT acknowledged_by, acknowledged_at, disagreements FROM risk_warnings WHERE ticket_id = 't1' ORDER BY ALL"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path / "policy.toml"


def everything(data: Path) -> list[tuple[Any, ...]]:
    views = ("tickets", "sla_ledger", "events", "risk_warnings", "escalation_events", "dead_letters")
    return [each for view in views for each in rows(data, f"SELECT * FROM {view} ORDER BY ALL")]


def test_a_cut_file_destroys_nothing(policy: Path, tmp_path: Path) -> None:
    data = tmp_path / "d"
    whole_job(data, write(tmp_path / "log.jsonl.gz", LOG), "--policy", policy)
    before = everything(data)
    cut = tmp_path / "more.jsonl.gz"
    cut.write_bytes(gzip.compress(MORE * 100)[:-9])
    for wrong in (cut, write(tmp_path / "wrong.jsonl.gz", [b"ticket_id,status"])):
        arguments = ["replay", "--embedded", "--append", "--data", str(data), "--policy", str(policy), str(wrong)]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1
        assert str(wrong) in result.output
        assert everything(data) == before


@contextmanager
def questions(data: Path) -> Iterator[set[Any]]:
    """Asks the database while it is rebuilt, again and again; gives the answers."""
    answers: set[Any] = set()
    ended, query = threading.Event(), "SELECT (SELECT count() FROM tickets), (SELECT count() FROM events)"

    def ask() -> None:
        directory = Directory(data)
        while not ended.wait(0.01):
            if not (addresses := directory.addresses()):  # `client_of` would take the directory from the replay
                continue
            try:
                access = {"user": USER, "password": directory.password(), "database": "deskwatch"}
                with closing(connect(addresses["clickhouse"], **access)) as client:
                    while not ended.wait(0.01):
                        answers.add(tuple(client.query(query).result_rows[0]))
            except (UserError, ClickHouseError) as error:  # the stack does not answer yet, or any more
                if "UNKNOWN" in str(error):  # a table or a database
                    answers.add(())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


def test_who_asks_meanwhile_sees_old_or_new_figures(policy: Path, tmp_path: Path) -> None:
    data = tmp_path / "d"
    whole_job(data, write(tmp_path / "log.jsonl.gz", LOG), "--policy", policy)
    with questions(data) as answers:
        found = whole_job(data, write(tmp_path / "more.jsonl.gz", [MORE]), "--policy", policy, "--append")
    assert (found["tickets"], found["events"], found["lines"]) == (3, 5, 5)
    assert (2, 4) in answers
    assert answers <= {(2, 4), (3, 5)}
    assert {name for (name,) in rows(data, "SHOW DATABASES LIKE 'deskwatch%'")} == {"deskwatch"}
    deskwatch("verify", "--data", data, "--policy", policy)


def test_an_acknowledgement_survives_and_stops_the_rebuilt_chain(policy: Path, tmp_path: Path) -> None:
    """Acknowledged at 11:05, after the breach at 11:00, on a desk that is running."""
    data = tmp_path / "d"
    data.mkdir()
    with running_desk(data, policy):
        feed(data, *LOG)
        wait_for("the warning", lambda: value(data, BREACH))
        action = event("warning.acknowledge", "mon 11:05", warning_id=value(data, BREACH), by="li", note="mine")
        feed(data, action)
        who = "SELECT DISTINCT acknowledged_by FROM risk_warnings WHERE acknowledged_by != ''"
        wait_for("the acknowledgement", lambda: value(data, who) == "li")
        acknowledged, chain = rows(data, DONE), steps(data)
        wait_for("its event", lambda: value(data, "SELECT count() FROM events WHERE topic = 'actions'"))
    deskwatch("verify", "--data", data, "--policy", policy)
    whole_job(data, write(tmp_path / "more.jsonl.gz", [MORE]), "--policy", policy, "--append")
    assert rows(data, DONE) == acknowledged
    assert steps(data) == chain
    deskwatch("verify", "--data", data, "--policy", policy)
    empty(data)  # and from the log alone, in which the acknowledgement comes before the second step:
    whole_job(data, write(tmp_path / "again.jsonl.gz", [MORE]), "--policy", policy, "--append")
    assert rows(data, DONE) == acknowledged
    assert [(step, state) for _, step, state, at, _ in steps(data) if at > "2026-10-12T11:00:00.000Z"] == [
        (2, "acknowledged"),
        (3, "acknowledged"),
    ]
    assert "mine" in {note for (note,) in rows(data, "SELECT note FROM warning_step_rows")}


def steps(data: Path) -> list[tuple[Any, ...]]:
    """What happened to the breach of t1, step by step."""
    return rows(
        data, f"SELECT seq, step, state, at, by FROM escalation_events WHERE warning_id IN ({BREACH}) ORDER BY seq"
    )


def empty(data: Path) -> None:
    """Lose what people did, except from the log."""
    for table in ("warning_step_rows", "escalation_rows"):
        deskwatch("sql", "--data", data, f"TRUNCATE TABLE {table}")


def test_ids_that_are_unique_only_within_their_subject(policy: Path, tmp_path: Path) -> None:
    """Tickets, calls, callbacks and improvement actions that number their events from 1, and have equal ids."""
    log = [
        numbered(1, event("ticket.created", "mon 10:00", "7")),
        numbered(1, event("ticket.created", "mon 10:00", "8")),
        numbered(1, event("call.offered", "mon 10:00", "7", queue="Q")),
        numbered(1, event("callback.due", "mon 10:00", callback_id="7")),
        numbered(1, event("action.opened", "mon 10:00", action_id="7")),
        numbered(1, event("agent.state_changed", "mon 10:00", agent_id="7", state="available")),
        numbered(2, event("ticket.status_changed", "mon 11:00", "8", status="solved")),
    ]
    data = tmp_path / "d"
    counts = "SELECT (SELECT count() FROM events), (SELECT count() FROM tickets), (SELECT count() FROM calls)"
    assert whole_job(data, write(tmp_path / "log.jsonl.gz", log), "--policy", policy)["conflicts"] == 0
    assert rows(data, counts) == [(7, 2, 1)]
    deskwatch("verify", "--data", data, "--policy", policy)
    whole_job(data, write(tmp_path / "more.jsonl.gz", [MORE]), "--policy", policy, "--append")
    assert rows(data, counts) == [(8, 3, 1)]
    solved = objects("sql", "--data", data, "SELECT ticket_id FROM tickets WHERE status = 'solved'")
    assert solved == [{"ticket_id": "8"}]
    deskwatch("verify", "--data", data, "--policy", policy)


def numbered(number: int, line: bytes) -> bytes:
    return json.dumps({**json.loads(line), "id": str(number), "subject": "desk"}).encode()
