"""The tables are the rows that the core writes: the same columns in the same order."""

import pytest

from sinks.clickhouse.calendars import COLUMNS as CALENDAR_COLUMNS
from sinks.clickhouse.rows import COLUMNS
from streams.replay.verify import VIEWS
from tests.sinks.desk import Database

pytestmark = pytest.mark.embedded


def columns(database: Database, table: str) -> list[str]:
    return [name for name, *_ in database.rows(f"DESCRIBE TABLE {table}")]


def test_columns_are_the_fields_of_the_rows(database: Database) -> None:
    for table, fields in COLUMNS.items():
        found = columns(database, table)
        if table == "event_rows":
            assert found.pop() == "stored_at"  # set by ClickHouse
        assert found == list(fields), table
    assert columns(database, "calendar_rows") == list(CALENDAR_COLUMNS)


OUTCOMES = ("met", "breached", "late", "cancelled", "exempted", "elapsed_s")
BY_METRIC = " ".join(f"{m}_{name}" for m in ("first_response", "next_response", "resolution") for name in OUTCOMES)
AT_LEAST = {
    "events": "source id type time subject topic partition offset body received_at",
    "sla_ledger": """
        ticket_id metric cycle seq transition at started_at elapsed_s target_s due_at policy policy_version calendar
        priority kind channel team agent_id segment category product cause_source cause_id""",
    "sla_outcomes": """
        ticket_id metric cycle outcome exempted started_at due_at ended_at elapsed_s target_s as_of policy
        policy_version priority kind channel team agent_id segment category""",
    "ticket_minutes": f"""
        minute team channel priority kind segment category product created replied solved reopened closed transferred
        reassigned fcr_yes fcr_no fcr_provisional fcr_unknown {BY_METRIC}""",
    "call_minutes": """
        minute queue team segment offered abandoned_ivr answered answered_in_target abandoned abandoned_in_target
        short_abandoned lost wait_s talk_s hold_s wrapup_s ended transferred""",
    "survey_minutes": """
        minute metric team channel segment agent_id offered responses very_positive positive neutral negative
        score_sum promoters passives detractors""",
    "window_minutes": "minute dimension value",
    "backlog_minutes": "minute team open at_risk breached_open oldest_s waiting_calls longest_wait_s",
    "tickets": "ticket_id status hops url first_response_outcome next_response_outcome resolution_outcome",
    "calls": "call_id outcome",
    "surveys": "survey_id metric score",
    "customers": "customer_id ids contacts fcr_yes fcr_no fcr_provisional risk_index points as_of",
    "due_next": "ticket_id metric due_at team agent_id url",
    "service_levels": """
        hour queue answered_of_offered answered_of_answered answered_of_answered_and_abandoned
        answered_without_short_abandons hits_with_abandons""",
    "satisfaction": "hour metric team channel segment n rate rate_low rate_high",
    "contact_reasons": "day category n share change",
    "risk_warnings": "warning_id rule subject state customer_id dimension value measures reasons cause",
    "freshness": "view complete_until provisional_until",
    "data_quality": "hour topic events late duplicates conflicts orphans released dead_letters delay_median_s",
}


def test_views_have_the_columns_of_the_contract(database: Database) -> None:
    types = {"minute": "DateTime('UTC')", "hour": "DateTime('UTC')", "at": "DateTime64(3, 'UTC')"}
    for view, names in AT_LEAST.items():
        described = {name: kind for name, kind, *_ in database.rows(f"DESCRIBE TABLE {view}")}
        assert set(names.split()) <= described.keys(), view
        for name, kind in described.items():
            if name.endswith("_s") and name not in ("asa_s", "aht_s", "stage_s"):
                assert kind in ("Decimal(18, 3)", "Nullable(Decimal(18, 3))"), (view, name)
            if name.endswith(("_at", "_until")) or name in ("at", "as_of", "time"):
                assert "DateTime64(3, 'UTC')" in kind, (view, name)
            if name in types:
                assert kind == types[name], (view, name)


def test_views_of_an_empty_database_are_empty(database: Database) -> None:
    for view in AT_LEAST:
        if view != "freshness":
            assert database.rows(f"SELECT * FROM {view}") == [], view


OF_ARRIVAL = {"data_quality", "dead_letters"}
OF_PEOPLE = {"escalations", "escalation_events"}
OF_THE_DESK = {"local_time", "restatements"}
SHOWN_BY_ANOTHER = {"warnings_as_raised"}  # risk_warnings


def test_verify_compares_every_view_but_those_that_no_log_can_tell(database: Database) -> None:
    views = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
    assert {name for (name,) in database.rows(views)} == VIEWS.keys() | (
        OF_ARRIVAL | OF_PEOPLE | OF_THE_DESK | SHOWN_BY_ANOTHER
    )
