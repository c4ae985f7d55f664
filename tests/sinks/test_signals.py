"""Callbacks, improvements, agents' states, reviews and their coverage in the views for BI; figures computed by hand."""

from collections.abc import Callable

import pytest

from streams.desk.reviews import in_sample
from tests.sinks.desk import Database, at, event

pytestmark = pytest.mark.embedded

IN = [f"t{n}" for n in range(100) if in_sample(f"t{n}", 300_000)][:3]
OUT = [f"t{n}" for n in range(100) if not in_sample(f"t{n}", 300_000)][:2]


def test_coverage_is_of_the_sample_and_share_is_of_all(new_database: Callable[[], Database]) -> None:
    """
    team A      three tickets in the sample, two of them reviewed (one passed); two not in it, one of them reviewed
    """
    log = []
    for ticket in (*IN, *OUT):
        log.append(event("ticket.created", "mon 09:00", ticket, team="A"))
        log.append(event("ticket.status_changed", "mon 10:00", ticket, status="solved"))
    for n, (ticket, passed) in enumerate([(IN[0], True), (IN[1], False), (OUT[0], True)]):
        log.append(event("review.completed", f"mon 11:0{n}", ticket_id=ticket, review_id=f"q{n}", passed=passed))
    database = new_database().fold(log)
    columns = "team, solved, in_sample, in_sample_reviewed, reviewed, passed, failed"
    assert database.rows(f"SELECT {columns} FROM review_coverage") == [("A", 5, 3, 2, 3, 2, 1)]
    assert database.one("SELECT coverage FROM review_coverage") == pytest.approx(2 / 3)
    assert database.one("SELECT share FROM review_coverage") == pytest.approx(3 / 5)
    assert database.rows("SELECT ticket_id FROM tickets WHERE sampled = 1 ORDER BY ticket_id") == [
        (t,) for t in sorted(IN)
    ]
    assert database.rows("SELECT team, passed FROM reviews ORDER BY review_id") == [("A", 1), ("A", 0), ("A", 1)]


def test_callbacks_actions_and_states(new_database: Callable[[], Database]) -> None:
    """
    b1 vip      due 12:00, done 11:00, reached, recorded        b2 vip    due 12:00, done 13:00, not reached
    b3          due 12:00, never done
    a1          due 12:00, done 12:00 (in time)
    ann         available 09:00 ---- break 10:00 - 10:15 over - available 10:20 ---- as of 14:00
    """
    log = []
    for callback in ("b1", "b2", "b3"):
        segment = {} if callback == "b3" else {"segment": "vip"}
        when = f"mon 09:0{callback[1]}"
        log.append(event("callback.due", when, callback_id=callback, due_at=at("mon 12:00"), **segment))
    log.append(event("callback.done", "mon 11:00", callback_id="b1", reached=True, recorded=True))
    log.append(event("callback.done", "mon 13:00", callback_id="b2", reached=False, recorded=True))
    log.append(event("action.opened", "mon 09:00", action_id="a1", owner="eve", due_at=at("mon 12:00")))
    log.append(event("action.done", "mon 12:00", action_id="a1"))
    for when, state in (("mon 09:00", "available"), ("mon 10:00", "break"), ("mon 10:20", "available")):
        log.append(event("agent.state_changed", when, agent_id="ann", state=state, team="A"))
    database = new_database().fold(log, "mon 14:00")
    rows = database.rows("SELECT callback_id, status, member, complete, in_time FROM callbacks ORDER BY callback_id")
    assert rows == [("b1", "done", 1, 1, 1), ("b2", "done", 1, 0, 0), ("b3", "overdue", 0, 0, 0)]
    columns = "member, promised, done, done_in_time, overdue, were_reached, complete"
    assert database.rows(f"SELECT {columns} FROM callback_coverage ORDER BY member") == [
        (0, 1, 0, 0, 1, 0, 0),
        (1, 2, 2, 1, 0, 1, 1),
    ]
    assert database.rows("SELECT action_id, owner, status, in_time FROM actions") == [("a1", "eve", "done", 1)]
    spans = database.rows("SELECT state, toFloat64(duration_s), toFloat64(limit_s) FROM agent_states ORDER BY from_at")
    assert spans == [("available", 3600, None), ("break", 1200, 900), ("available", 13_200, None)]
    warned = database.rows("SELECT rule, state, cleared_by FROM risk_warnings ORDER BY rule, subject")
    assert warned == [
        ("agent.overbreak", "cleared", "available"),
        ("callback.overdue", "cleared", "done"),
        ("callback.overdue", "raised", ""),
    ]
