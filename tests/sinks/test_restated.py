"""`verify` of a desk that a release with other rules took over.

day      0          0.5            4                    9             10
anna     t1 ─────── solved         t1 released          t3
bela                                                    t2
carl     c1                        c1 released          │ restated by the rules of this release
g1       break                                          │ older than what the topics keep
rows     of t1, c1, g1 by former rules ─────────────────────┴─> stay as they are; of t2, t3 by these rules: compared
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sinks.clickhouse.rows import Batch, TableRows
from streams.desk.output.panes import Panes
from streams.desk.policy.versions import Policies
from streams.desk.window_rules.measures import Rules
from streams.models.instants import DAY, HOUR, format_instant
from streams.models.restatements import RULES, FormerSubjectRow, RestatementRow
from streams.models.rows import FactRow
from streams.replay.recompute import recompute
from streams.replay.restated import FormerRules, of_former_counts, read_restated
from streams.replay.verify import verified
from tests.desk.laws import versions
from tests.desk.logs import MONDAY
from tests.sinks.desk import Database

POLICY = """
version = "v1"
timezone = "UTC"
[calendars.always]
hours = "24x7"
[windows]
hold = "3d"
[[sla]]
name = "all"
calendar = "always"
resolution = "8h"
[[rules]]
rule = "breach_rate.high"
by = "team"
window = "1h"
raise_at = 0.5
cooldown = "2h"
severity = "warning"
"""
AS_OF = MONDAY + 10 * DAY
FORMER = ("tt1", "cc1", "bb1", "gg1")
FORMER_FACTS = ("t1", "c1", "call/c1")  # those of t1 and of the surveys about it; of c1, and of its review
MANY = 25_000  # ids: more than the 256 KiB that a statement may have


def event(name: str, day: float, **data: Any) -> bytes:
    head = {"specversion": "1.0", "id": f"{name}/{day}", "source": "test", "type": name}
    return msgspec.json.encode({**head, "time": format_instant(MONDAY + round(day * DAY)), "data": data})


LOG = [
    event("ticket.created", 0, ticket_id="t1", customer_id="anna", team="A", kind="complaint"),
    event("call.offered", 0.01, call_id="c1", customer_id="carl", team="A", queue="Q"),
    event("call.answered", 0.02, call_id="c1", wait_s=30, agent_id="ann"),
    event("call.ended", 0.03, call_id="c1", talk_s=60, agent_id="ann"),
    event("callback.due", 0.1, callback_id="b1", customer_id="carl"),
    event("callback.done", 0.2, callback_id="b1", customer_id="carl", reached=True),
    event("agent.state_changed", 0.3, agent_id="g1", state="break", team="A"),
    event("agent.state_changed", 0.4, agent_id="g1", state="available", team="A"),
    event("ticket.status_changed", 0.5, ticket_id="t1", status="solved"),
    event("survey.responded", 0.6, survey_id="s1", ticket_id="t1", metric="csat", score=1, scale_min=1, scale_max=5),
    event("review.completed", 0.7, review_id="q1", call_id="c1", passed=True),
    event("ticket.created", 9, ticket_id="t2", customer_id="bela", team="A"),
    event("ticket.created", 9.1, ticket_id="t3", customer_id="anna", team="A"),
]

pytestmark = pytest.mark.embedded


@pytest.fixture
def restated(database: Database) -> Database:
    """A desk whose t1, c1, b1, g1 and Anna have rows of former rules, and panes that agree with them."""
    recompute(LOG, policy(), database.writer(policy()), AS_OF)
    for table, condition, column in (
        ("ticket_rows", "ticket_id = 't1'", "segment"),
        ("call_rows", "call_id = 'c1'", "queue"),
        ("call_leg_rows", "call_id = 'c1'", "queue"),
        ("callback_rows", "callback_id = 'b1'", "segment"),
        ("survey_rows", "survey_id = 's1'", "team"),
        ("customer_rows", "customer_id = 'anna'", "segment"),
        ("ledger_rows", "ticket_id = 't1'", "team"),
        ("agent_state_rows", "agent_id = 'g1'", "team"),
        ("warning_rows", "dimension = 'agent'", "team"),
    ):
        rewrite(database, table, condition, column)
    columns = ", ".join(FactRow.__struct_fields__)
    for table in ("fact_rows", "survey_rows"):
        name_by_id_alone(database, table)
    facts = database.rows(f"SELECT {columns} FROM fact_rows FINAL WHERE subject IN {FORMER_FACTS}")
    assert {row[0] for row in facts} == {"ticket", "call", "survey", "review"}
    panes = Panes(77, lambda at: at - at % DAY)
    for row in facts:
        fact = FactRow(*row)
        panes.add(fact, -1)
        panes.add(msgspec.structs.replace(fact, team="former"), 1)
    rewrite(database, "fact_rows", f"subject IN {FORMER_FACTS}", "team")
    batch = Batch()
    for minute in sorted(panes.changed):
        batch.add(TableRows("pane_rows", 1, panes.dump(minute, 1)[1]))
    restatement = RestatementRow("track", 0, 1, RULES, AS_OF, 2, 8, 0, 1, len(FORMER), 0, 1)
    batch.add(TableRows("restatement_rows", 1, msgspec.json.encode(restatement)))
    database.writer().write(batch)
    return database


def policy() -> Policies:
    return versions([POLICY])


def rewrite(database: Database, table: str, condition: str, column: str) -> None:
    """Write rows again, with something else in a column."""
    replaced = f"* REPLACE ('former' AS {column}, version + 1 AS version)"
    database.client.command(
        f"INSERT INTO {database.name}.{table} SELECT {replaced} FROM {database.name}.{table} FINAL WHERE {condition}"
    )


def name_by_id_alone(database: Database, table: str) -> None:
    """Name the surveys about t1 as the rules 1 did; the review of c1 came when c1 was kept already."""
    rows = f"(SELECT * FROM {database.name}.{table} FINAL WHERE subject = 'ticket/t1')"
    for replaced in ("'t1' AS subject", "1 AS is_deleted, version + 1 AS version"):
        database.client.command(f"INSERT INTO {database.name}.{table} SELECT * REPLACE ({replaced}) FROM {rows}")


def name_former(database: Database) -> None:
    batch = Batch()
    for name in FORMER:
        batch.add(TableRows("former_subject_rows", 1, msgspec.json.encode(FormerSubjectRow(name, 1))))
    database.writer().write(batch)


def differing(database: Database) -> set[str]:
    found = verified(database.client, database.name, LOG, policy(), AS_OF)
    return {each.view for each in found if each.surplus or each.missing}


def test_subjects_that_keep_their_rows_are_left_out_of_every_view(restated: Database) -> None:
    changed = {"tickets", "calls", "call_legs", "surveys", "customers", "window_minutes", "ticket_minutes"}
    assert differing(restated) >= {*changed, "agent_states", "risk_warnings"}
    name_former(restated)
    assert differing(restated) == set()
    said = read_restated(restated.client, restated.name).sentences()
    assert said[0].startswith(f"Restated track 0 by this release's rules (1 -> {RULES}) as of 2026-10-22")
    assert said[1].startswith("4 subjects were released before and keep rows of former rules")
    assert "2 customers" in said[1]  # Anna and Carl


def test_what_was_restated_is_still_compared(restated: Database) -> None:
    name_former(restated)
    rewrite(restated, "ticket_rows", "ticket_id = 't2'", "segment")
    assert differing(restated) == {"tickets"}


def test_customers_may_be_more_than_a_statement_can_name(restated: Database) -> None:
    name_former(restated)
    linked = f"arrayConcat(ids, arrayMap(n -> concat('customer-', toString(n)), range({MANY})))"
    restated.client.command(
        f"INSERT INTO {restated.name}.customer_rows SELECT * REPLACE ({linked} AS ids, version + 1 AS version) "
        f"FROM {restated.name}.customer_rows FINAL WHERE customer_id = 'anna'"
    )
    assert differing(restated) == set()


def test_warnings_may_be_more_than_a_statement_can_name(restated: Database) -> None:
    name_former(restated)
    restated.client.command(
        f"INSERT INTO {restated.name}.warning_rows (warning_id, rule, dimension, subject, raised_at, version) "
        f"SELECT concat('warning-', toString(number)), 'breach_rate.high', 'team', 'team/A', {MONDAY}, 1 "
        f"FROM numbers({MANY})"
    )
    assert differing(restated) == set()


def test_rows_of_other_rules_are_not_compared_at_all(restated: Database, new_database: Callable[[], Database]) -> None:
    restated.client.command(
        f"INSERT INTO {restated.name}.progress_rows SELECT * REPLACE (1 AS rules, version + 1 AS version) "
        f"FROM {restated.name}.progress_rows FINAL WHERE topic_name = 'sla-ledger'"
    )
    with pytest.raises(FormerRules, match=f"are of the rules 1, and this release folds by the rules {RULES}: start"):
        verified(restated.client, restated.name, LOG, policy(), AS_OF)
    empty = new_database()
    assert read_restated(empty.client, empty.name).sentences() == []


def test_warnings_of_former_counts_are_left_out_until_both_have_come_to_rest() -> None:
    """
    day       0        1 restated        2              3
    A         a1 ══════════════════════════ a2 ═        a3 ═     a2 begins within the cool-down after a1
    B                                    b1 ═                    its window is after the restatement
    """
    rules, restated_at = Rules(policy()), MONDAY + DAY

    def warning(name: str, begin: float, end: float | None) -> tuple[Any, ...]:
        at = MONDAY + round(begin * DAY)
        over_at = None if end is None else MONDAY + round(end * DAY)
        return "breach_rate.high", "team", f"team/{name[0]}", name, at, over_at

    found = [warning("a1", 0.5, 2.2), warning("a2", 2.25, 2.3), warning("a3", 3, 3.1), warning("b1", 2.1, None)]
    assert of_former_counts(found, restated_at, rules) == {"a1", "a2"}
    assert rules.cooldown(("breach_rate.high", "team")) == 2 * HOUR
