"""Ticket quality, complaint rates, bots beside people, proactive contacts: computed by hand."""

from collections.abc import Callable

import pytest

from tests.sinks.desk import Database, event

pytestmark = pytest.mark.embedded


def reply(ticket: str, when: str, author: str = "agent") -> bytes:
    return event("ticket.replied", when, ticket, author=author)


def status(ticket: str, when: str, name: str) -> bytes:
    return event("ticket.status_changed", when, ticket, status=name)


def test_one_touch_and_reopening(new_database: Callable[[], Database]) -> None:
    """
    t1   one reply, solved                              one touch
    t2   two replies, solved                            not
    t3   a bot's replies only, solved                   one touch
    t4   one reply, solved, open again, solved          one touch, reopened
    t5   one reply, open                                not counted
    """
    log = [event("ticket.created", "mon 09:00", f"t{n}", team="A", channel="chat") for n in range(1, 6)]
    log += [
        reply("t1", "mon 09:10"),
        reply("t2", "mon 09:10"),
        reply("t2", "mon 09:20"),
        reply("t3", "mon 09:10", "bot"),
    ]
    log += [reply("t3", "mon 09:12", "bot"), reply("t4", "mon 09:10"), reply("t5", "mon 09:10")]
    log += [status(f"t{n}", "mon 10:00", "solved") for n in range(1, 5)]
    log += [status("t4", "mon 10:30", "open"), status("t4", "mon 11:00", "solved")]
    database = new_database().fold(log, "mon 14:00")
    columns = "toString(day), team, channel, solved, one_touch, one_touch_share, reopened, reopened_share"
    assert database.rows(f"SELECT {columns} FROM ticket_quality") == [
        ("2026-10-12", "A", "chat", 4, 3, 0.75, 1, 0.25),
    ]
    # Wilson (1927), reckoned apart: 3 of 4; and 1 of 4 by symmetry
    bounds = database.rows("SELECT one_touch_share_low, one_touch_share_high FROM ticket_quality")
    assert bounds == [pytest.approx((0.3006418, 0.9544127), abs=1e-6)]
    bounds = database.rows("SELECT reopened_share_low, reopened_share_high FROM ticket_quality")
    assert bounds == [pytest.approx((1 - 0.9544127, 1 - 0.3006418), abs=1e-6)]


def test_complaints_among_contacts(new_database: Callable[[], Database]) -> None:
    """
    A    a complaint, a question, a call that is about no ticket      1 of 3
    B    a question, a call about it                                  0 of 1
    """
    log = [
        event("ticket.created", "mon 09:00", "t1", team="A", kind="complaint"),
        event("ticket.created", "mon 09:00", "t2", team="A"),
        event("ticket.created", "mon 09:00", "t3", team="B"),
        event("call.offered", "mon 09:05", "c1", queue="q", team="A"),
        event("call.offered", "mon 09:05", "c2", queue="q", team="B", ticket_id="t3"),
    ]
    database = new_database().fold(log, "mon 14:00")
    found = database.rows("SELECT team, contacts, complaints, per_1000_contacts FROM complaint_rates ORDER BY team")
    assert found == [("A", 3, 1, pytest.approx(1000 / 3)), ("B", 1, 0, 0)]


def test_bots_beside_people(new_database: Callable[[], Database]) -> None:
    """
    bot     5 and 2 of 5     one of two positive, score (1 + 0.25) / 2
    human   5 and 5 of 5     both
    """
    log = []
    for n, (score, handled_by) in enumerate([(5, "bot"), (2, "bot"), (5, "human"), (5, "human")]):
        about = {"survey_id": f"s{n}", "ticket_id": f"t{n}", "handled_by": handled_by}
        scale = {"metric": "csat", "score": score, "scale_min": 1, "scale_max": 5}
        log.append(event("survey.responded", "mon 11:00", **about, **scale))
    database = new_database().fold(log, "mon 14:00")
    columns = "handled_by, responses, n, rate, score, rate_low < rate AND rate <= rate_high + 1e-9"
    assert database.rows(f"SELECT {columns} FROM satisfaction_by_handler ORDER BY handled_by") == [
        ("bot", 2, 2, 0.5, 0.625, 1),
        ("human", 2, 2, 1.0, 1.0, 1),
    ]


def test_proactive_contacts_count_once(new_database: Callable[[], Database]) -> None:
    first = event(
        "contact.proactive", "mon 09:00", contact_id="p1", customer_id="c1", agent_id="ann", occasion="renewal"
    )
    again = event("contact.proactive", "mon 10:00", contact_id="p1", customer_id="c1")
    database = new_database().fold([first, again], "mon 14:00")
    found = database.rows("SELECT contact_id, customer_id, agent_id, team, occasion FROM proactive_contacts")
    assert found == [("p1", "c1", "ann", "", "renewal")]
    assert database.rows("SELECT count() FROM freshness WHERE view = 'proactive_contacts'") == [(1,)]
