"""A database is rebuilt beside itself and swapped: whatever is interrupted, the old figures or the new ones stand.

before     tickets t1        acknowledged by li, sent at 10:00       a dead letter
rebuilt    tickets t1 t2     skipped at 10:00, cleared at 11:00
after      tickets t1 t2     acknowledged by li, sent at 10:00, cleared at 11:00, and the dead letter
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import pytest

from sinks.clickhouse import rebuild
from sinks.clickhouse.client import Client, connect
from sinks.clickhouse.log import stored_lines
from sinks.clickhouse.rows import COLUMNS
from streams.models.topics import INPUTS
from streams.replay.log import place
from tests.embedded.faulty import FaultyServer
from tests.sinks.desk import Database, at, event
from tests.sinks.test_escalations import filled

pytestmark = pytest.mark.embedded

LOG = [event("ticket.created", "mon 10:00", "t1", team="A"), b"no event"]
MORE = [*LOG, event("ticket.created", "mon 10:05", "t2", team="A")]


@pytest.fixture
def old(new_database: Callable[[], Database]) -> Database:
    return filled(new_database().fold(LOG))


def built(old: Database, lines: list[bytes] = MORE) -> Database:
    """The database beside, filled."""
    return Database(old.client, rebuild.begin(old.client, old.name)).fold(lines)


def databases(old: Database) -> set[str]:
    return {name for (name,) in old.rows("SHOW DATABASES")}


def figures(database: Database) -> tuple[list[Any], ...]:
    return tuple(database.rows(f"SELECT {key} FROM {view} ORDER BY ALL") for view, key in FIGURES.items())


FIGURES = {"tickets": "ticket_id", "events": "id", "sla_ledger": "ticket_id, metric, seq", "freshness": "view"}


def test_the_new_figures_stand_in_the_place_of_the_old_ones(old: Database) -> None:
    new = figures(built(old))
    assert new != figures(old)
    rebuild.finish(old.client, old.name)
    assert figures(old) == new
    assert old.name + rebuild.SUFFIX not in databases(old)


def test_what_people_did_and_what_they_were_sent_stays(old: Database) -> None:
    steps, chains = old.rows("SELECT * FROM warning_step_rows"), old.rows("SELECT * FROM escalation_events")
    assert len(steps) > 2
    assert "sent" in {row[3] for row in chains}
    built(old)
    rebuild.finish(old.client, old.name)
    assert old.rows("SELECT * FROM warning_step_rows") == steps
    assert old.rows("SELECT * FROM escalation_events") == chains


def test_of_a_chain_the_rebuild_adds_what_came_later(old: Database) -> None:
    """
    before     1 scheduled 10:00 ─ 2 sent 10:00
    rebuilt    1 scheduled 10:00 ─ 2 skipped 10:00 ─ 3 skipped 11:00          and w2, which is new: 1 scheduled 11:30
    """
    columns = COLUMNS["escalation_rows"]
    put(old, columns, [("w1", 1, "scheduled", 1000), ("w1", 2, "sent", 1000)])
    beside = built(old)
    rows = [("w1", 1, "scheduled", 1000), ("w1", 2, "skipped", 1000), ("w1", 3, "skipped", 1100)]
    put(beside, columns, [*rows, ("w2", 1, "scheduled", 1130)])
    rebuild.finish(old.client, old.name)
    found = "SELECT warning_id, seq, state FROM escalation_rows WHERE warning_id IN ('w1', 'w2') ORDER BY ALL"
    assert old.rows(found) == [("w1", 1, "scheduled"), ("w1", 2, "sent"), ("w1", 3, "skipped"), ("w2", 1, "scheduled")]


def put(database: Database, columns: tuple[str, ...], rows: list[tuple[str, int, str, int]]) -> None:
    """Rows of escalations: warning, number, state, instant."""
    empty = dict.fromkeys(columns, "") | dict.fromkeys(("step", "attempt", "version"), 1) | {"due_at": None}
    made = [{**empty, "warning_id": row[0], "seq": row[1], "state": row[2], "at": row[3]} for row in rows]
    data = [[each[column] for column in columns] for each in made]
    database.client.insert("escalation_rows", data, columns, database=database.name)


def test_dead_letters_stay_and_hide_no_event(old: Database) -> None:
    """The old letter was at offset 2; so is an event of the new topic."""
    new = [event("ticket.created", "mon 10:05", "t2", team="A")] * 3
    (letter,) = old.rows("SELECT topic, partition, offset, reason, value FROM dead_letters")
    built(old, new)
    rebuild.finish(old.client, old.name)
    assert old.rows("SELECT topic, partition, offset, reason, value FROM dead_letters") == [
        (*letter[:2], -1, *letter[3:])
    ]
    assert old.one("SELECT count() FROM events") == 1


def test_a_letter_that_the_rebuild_met_again_stands_once(old: Database) -> None:
    built(old)
    rebuild.finish(old.client, old.name)
    assert old.one("SELECT count() FROM dead_letters") == 1


def test_a_rebuild_that_was_interrupted_leaves_the_old_figures_and_is_removed_by_the_next(old: Database) -> None:
    before = figures(old)
    built(old)
    rebuild.resume(old.client, old.name)  # what every start does
    assert figures(old) == before
    new = figures(built(old, [*MORE, event("ticket.created", "mon 10:06", "t3", team="A")]))
    rebuild.finish(old.client, old.name)
    assert figures(old) == new


class Killed(Exception):
    """The command was killed."""


class Fragile:
    """A client that is killed after so many acts: statements, and pairs of tables that are exchanged."""

    def __init__(self, client: Client, acts: int = 1000) -> None:
        self._client, self._acts = client, acts
        self.done = 0

    def query(self, *arguments: Any) -> Any:
        return self._run(self._client.query, *arguments)

    def command(self, *arguments: Any) -> Any:
        sql, exchange = arguments[0], "EXCHANGE TABLES "
        if not sql.startswith(exchange):
            return self._run(self._client.command, *arguments)
        pairs = sql.removeprefix(exchange).split(", ")[: self._acts - self.done]
        self.done += len(pairs)
        if pairs:
            self._client.command(exchange + ", ".join(pairs))
        if self.done == self._acts:  # in the middle of the exchange, or at its end
            raise Killed
        return None

    def _run(self, act: Callable[..., Any], *arguments: Any) -> Any:
        if self.done == self._acts:
            raise Killed
        self.done += 1
        return act(*arguments)


def test_killed_at_any_statement_old_or_new_figures_stand(new_database: Callable[[], Database]) -> None:
    """The last act drops the old tables: killed before it, all tables are exchanged."""
    whole = filled(new_database().fold(LOG))
    before, new = figures(whole), figures(built(whole))
    client = Fragile(whole.client)
    rebuild.finish(client, whole.name)
    found = []
    for acts in range(client.done - 1, -1, -5):
        old = filled(new_database().fold(LOG))
        built(old)
        with pytest.raises(Killed):
            rebuild.finish(Fragile(old.client, acts), old.name)
        rebuild.resume(old.client, old.name)
        found.append(figures(old))
        assert found[-1] in (before, new), f"killed after {acts} acts"
        assert len(old.rows("SELECT * FROM warning_step_rows")) > 2
        assert found[-1] == before or old.name + rebuild.SUFFIX not in databases(old)
    assert found[0] == new
    assert found[-1] == before


def test_who_queries_meanwhile_sees_old_figures_and_then_new_ones(old: Database, server: FaultyServer) -> None:
    for lines in (MORE, LOG, MORE):
        former, following = figures(old)[0], figures(built(old, lines))[0]
        assert former != following
        with querying(server, old.name) as answers:
            rebuild.finish(old.client, old.name)
        assert [answer for answer, _ in groupby(answers)] == [former, following]


@contextmanager
def querying(server: FaultyServer, name: str) -> Iterator[list[Any]]:
    """Asks for the tickets again and again, in a thread, from before until after; gives the answers."""
    answers: list[Any] = []
    begun, ended = threading.Event(), threading.Event()

    def ask() -> None:
        with connect(server.url, password=server.password) as client:
            last = False
            while not last:
                last = ended.is_set()
                answers.append(Database(client, name).rows("SELECT ticket_id FROM tickets ORDER BY ALL"))
                begun.set()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        assert begun.wait(60)
        yield answers
    finally:
        ended.set()
        thread.join()


def test_the_stored_log_is_read_page_by_page_in_order(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page holds at least an hour. Repeated events are read as often as they came, but those for every partition.

    Refused ones are not read.
    """
    monkeypatch.setattr("sinks.clickhouse.log.PAGE_BYTES", 1)
    log = [event("ticket.created", f"mon {hour}:{minute}") for hour in (12, 11, 10) for minute in (45, 15)]
    closed = event("desk.closed", "mon 09:00", calendar="office", **{"from": at("mon 10:00"), "to": at("mon 11:00")})
    beside = built(old, [closed, *log, closed, log[0], b"no event"])
    by_time = [closed, *sorted([*log, log[0]], key=lambda line: place(line).at or 0)]
    assert list(stored_lines(old.client, beside.name, INPUTS)) == by_time
