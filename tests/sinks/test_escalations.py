"""Escalation in ClickHouse: the present state of each step, and the actions of people, beside the warnings."""

from datetime import UTC, datetime

import msgspec
import pytest

from sinks.clickhouse.rows import Batch, rows_of
from streams.cli.warnings import Filter, ask
from streams.models.instants import MINUTE
from streams.models.messages import messages
from streams.models.rows import WarningRow
from tests.desk.escalations import START, Bench, action, warning
from tests.sinks.desk import Database

pytestmark = pytest.mark.embedded


def raised(n: int, at: int = 0, **fields: object) -> WarningRow:
    """The row of the warning created by `warning(n, at)`."""
    data = msgspec.json.decode(warning(n, at).value or b"")["data"]
    data.pop("version")
    known = {name: data[name] for name in WarningRow.__struct_fields__ if name in data}
    empty = dict.fromkeys(
        ("policy", "policy_version", "team", "channel", "priority", "kind", "segment", "category", "product",
         "agent_id", "url"), ""
    )  # fmt: skip
    return WarningRow(**{"cycle": 1, "due_at": None, **empty, **known, **fields})


def filled(database: Database) -> Database:
    """Two warnings: one is sent to two receivers and acknowledged, the other is cleared."""
    bench = Bench()
    bench.feed(warning(1), warning(2))
    bench.run(11)
    bench.feed(action("acknowledge", "w1-0", 11), action("disagree", "w1-0", 12, n=2))
    bench.feed(warning(2, cleared=12, version=2))
    bench.run(30)
    cleared = raised(2, state="cleared", cleared_at=START + 12 * MINUTE, cleared_by="fulfilled")
    batch = Batch()
    for value in [output.value for output in [*bench.outputs, *messages(0, 9, [raised(1), cleared])]]:
        for _ in range(2):  # what comes twice counts once
            batch.add(rows_of(value))
    database.writer().write(batch)
    return database


def instant(minutes: float) -> datetime:
    return datetime.fromtimestamp((START + minutes * MINUTE) / 1000, UTC)


def test_each_step_as_it_stands(database: Database) -> None:
    found = filled(database).rows(
        "SELECT message_id, state, receiver, sent_at, attempts, by, reason FROM escalations ORDER BY warning_id, step"
    )
    assert found == [
        ("w1-0/0", "disagreed", "", None, 0, "li", ""),
        ("w1-0/1", "sent", "lead", instant(0), 1, "", ""),
        ("w1-0/2", "sent", "manager", instant(10), 1, "", ""),
        ("w1-0/3", "acknowledged", "", None, 0, "li", ""),
        ("w2-0/1", "sent", "lead", instant(0), 1, "", ""),
        ("w2-0/2", "sent", "manager", instant(10), 1, "", ""),
        ("w2-0/3", "skipped", "", None, 0, "", "cleared: fulfilled"),
    ]
    events = database.rows("SELECT state FROM escalation_events WHERE warning_id = 'w1-0' AND step = 1 ORDER BY seq")
    assert events == [("scheduled",), ("sending",), ("sent",)]


def test_what_people_did_stands_beside_what_the_rules_said(database: Database) -> None:
    found = filled(database).rows(
        "SELECT warning_id, state, acknowledged_at, acknowledged_by, escalated_at, disagreements FROM risk_warnings "
        "ORDER BY warning_id"
    )
    assert found == [
        ("w1-0", "raised", instant(11), "li", instant(0), 1),
        ("w2-0", "cleared", None, "", instant(0), 0),
    ]


def test_the_command_lists_those_that_stand_first(database: Database) -> None:
    filled(database)
    client = database.client
    client.database = database.name
    everything = ask(client, Filter("", "", None), 10)
    assert [(row["warning_id"], row["state"], row["acknowledged_by"]) for row in everything] == [
        ("w1-0", "raised", "li"),
        ("w2-0", "cleared", ""),
    ]
    assert everything[0]["raised_at"] == "2026-11-03T10:00:00.000Z"
    assert ask(client, Filter("csat.low", "", None), 10) == []
    assert ask(client, Filter("", "info", None), 10) == []
    assert ask(client, Filter("sla.breached", "critical", START), 1) == everything[:1]
    assert ask(client, Filter("", "", START + 1), 10) == []
