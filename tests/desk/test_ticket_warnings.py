"""Silence and transfers: worked examples, every instant computed by hand.

Numbers on the time lines are minutes after Monday 2026-10-12 00:00 UTC; `-` is silence, `x` raised, `=` open.
"""

from typing import Any

import pytest

from streams.desk.policy.versions import Policies, parse
from streams.models.rows import Row, WarningRow
from tests.desk.compare import decoded, rows_of
from tests.desk.logs import lines
from tests.naive.desk import at, minute, reply, status, ticket

POLICY = """
version = "v1"
timezone = "UTC"
calendars.always.hours = "24x7"
[calendars.office]
hours.mon = ["09:00-12:00", "13:30-18:00"]
[[sla]]
name = "urgent"
match = { priority = ["urgent"] }
calendar = "always"
silence = "10m"
[[sla]]
name = "office"
match = { team = ["office"] }
calendar = "office"
silence = "4h"
[[sla]]
name = "rest"
calendar = "always"
silence = "60m"
"""
RULES = """
[[rules]]
rule = "transfer.loop"
raise_at = 2
severity = "critical"
[[rules]]
rule = "ticket.silent"
severity = "info"
"""


def rows(log: list[dict[str, Any]], until: float, text: str = POLICY) -> list[Row]:
    events = [{"specversion": "1.0", **event} for event in log]
    return list(rows_of(decoded(lines(events)), Policies([parse(text, "test")]), at(until)).values())


def warnings(log: list[dict[str, Any]], until: float, rule: str, text: str = POLICY) -> list[tuple[Any, ...]]:
    """(raised at, cleared at, by what)."""
    found = [row for row in rows(log, until, text) if isinstance(row, WarningRow) and row.rule == rule]
    found.sort(key=lambda row: row.raised_at)
    return [(minute(row.raised_at), minute(row.cleared_at), row.cleared_by) for row in found]


def test_a_public_reply_ends_a_silence_and_the_next_begins() -> None:
    """
    0 created ------ 60 x ==== 75 agent ------ 135 x ====      (50: internal, bot, customer: no word from the desk)
    """
    log = [ticket(0, "created"), reply(50, "agent", public=False), reply(50, "bot"), reply(50, "customer")]
    log += [reply(75, "agent")]
    assert warnings(log, 200, "ticket.silent") == [(60, 75, "replied"), (135, None, "")]


@pytest.mark.parametrize(("until", "expected"), [(60, []), (60.001, [(60, None, "")])])
def test_a_reply_at_the_last_instant_is_in_time(until: float, expected: list[Any]) -> None:
    """
    0 created ------ 60 agent (or: 60 not yet passed)
    """
    assert warnings([ticket(0, "created")], until, "ticket.silent") == expected
    assert warnings([ticket(0, "created"), reply(60, "agent")], 61, "ticket.silent") == []


def test_done_tickets_are_silent_and_a_reopened_one_is_silent_from_then_on() -> None:
    """
    0 created ------ 60 x == 70 solved        500 open ------ 560 x
    """
    log = [ticket(0, "created"), status(70, "solved"), status(500, "open")]
    assert warnings(log, 600, "ticket.silent") == [(60, 70, "solved"), (560, None, "")]


def test_no_word_is_owed_while_the_customer_is_asked() -> None:
    """
    0 created ------ 60 x == 70 pending ........ 500 on hold ------ 560 x
    """
    log = [ticket(0, "created"), status(70, "pending"), reply(80, "agent"), status(500, "on_hold")]
    assert warnings(log, 600, "ticket.silent") == [(60, 70, "pending"), (560, None, "")]


def test_another_sla_allows_another_silence() -> None:
    """
    0 created ---- 30 urgent: silent for 30 > 10, x == 40 normal: cleared ---- 60 x
    """
    log = [ticket(0, "created"), ticket(30, "updated", priority="urgent"), ticket(40, "updated", priority="normal")]
    assert warnings(log, 100, "ticket.silent") == [(30, 40, "retargeted"), (60, None, "")]


def test_silence_is_counted_in_business_time() -> None:
    """
    Mon 11:00 created - 12:00 ..... 13:30 ------- 16:30 x      (1 h + 3 h of office time)
    """
    assert warnings([ticket(11 * 60, "created", team="office")], 1400, "ticket.silent") == [(16.5 * 60, None, "")]


def test_the_third_team_change_is_a_loop_until_the_ticket_is_done() -> None:
    """
    1 b   2 c   3 d x == 4 e (changed) == 9 solved      20 open x == 30 merged
    """
    log = [ticket(0, "created", team="a"), *(ticket(n, "assigned", team=team) for n, team in enumerate("abcde"))]
    log += [status(9, "solved"), status(20, "open"), ticket(30, "merged", into="U")]
    assert warnings(log, 50, "transfer.loop") == [(3, 9, "solved"), (20, 30, "merged")]
    found = [row for row in rows(log[:6], 50) if isinstance(row, WarningRow) and row.rule == "transfer.loop"]
    assert [(row.state, row.measures) for row in found] == [("changed", {"value": 4, "raise_at": 3})]
    assert warnings(log, 50, "transfer.loop", POLICY + RULES)[0] == (2, 9, "solved")


def test_a_late_reply_withdraws_the_warning() -> None:
    """
    0 created ------ 60 x ==== 100      then, late: 30 agent ------ 90 x
    """
    log = [ticket(0, "created"), reply(100, "agent"), reply(30, "agent")]
    assert warnings(log, 100, "ticket.silent") == [(90, 100, "replied")]


def test_a_warning_says_what_of_whom_and_whose_parent_it_belongs_to() -> None:
    log = [ticket(0, "created", customer_id="c9", parent_id="P", team="a", url="https://desk.example/T")]
    silent = [row for row in rows(log, 61, POLICY + RULES) if isinstance(row, WarningRow)]
    assert [(row.subject, row.customer_id, row.parent_id, row.severity, row.policy) for row in silent] == [
        ("ticket/T", "c9", "P", "info", "rest")
    ]
    assert (silent[0].elapsed_ms, silent[0].target_ms, silent[0].due_at) == (3_600_000, 3_600_000, at(60))
