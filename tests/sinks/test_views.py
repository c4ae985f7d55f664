"""The views against figures computed by hand, from end to end: log, desk, rows, ClickHouse, view."""

from typing import Any

import pytest

from sinks.clickhouse.rows import Batch, encoded
from streams.models.instants import MINUTE, parse_instant
from streams.models.rows import ProgressRow
from tests.sinks.desk import Database, at, checkpoints, event, ms, policies

pytestmark = pytest.mark.embedded

OUTCOME = "ticket_id, outcome, toInt64(elapsed_s), due_at IS NULL, ended_at IS NULL, exempted"


def outcomes(database: Database, metric: str = "resolution") -> dict[str, tuple[Any, ...]]:
    rows = database.rows(f"SELECT {OUTCOME} FROM sla_outcomes WHERE metric = '{metric}' ORDER BY cycle")
    return {row[0]: row[1:] for row in rows}


def status(to: str, when: str, ticket: str) -> bytes:
    return event("ticket.status_changed", when, ticket, status=to)


def test_outcomes_count_business_time_up_to_as_of(database: Database) -> None:
    """
    The office is open 09-12 and 13-18; a resolution has 8 h; the clock is paused while pending; as of Tuesday 10:30.

    open             mon 09#####12  13########18   tue 09######12
    runs                   10####    ###########       ###|         2 + 5 + 1.5 = 8.5 h: breached at tue 10:00
    paused                 10####    #|14 pending                   2 + 1 = 3 h
    evening                                17###       ###|         1 + 1.5 = 2.5 h
    solved                 10####    #|14                           3 h: met
    late                   10####    ###########       ## |10:15    8.25 h: late
    exempt                 10####    ###########       ###|         as `runs`, taken out of the rates
    """
    names = ("runs", "paused", "solved", "late", "exempt")
    log = [event("ticket.created", "mon 10:00", name, team="A") for name in names]
    log += [
        status("pending", "mon 14:00", "paused"),
        status("solved", "mon 14:00", "solved"),
        event("ticket.created", "mon 17:00", "evening", team="A"),
        event("ticket.exempted", "tue 09:30", "exempt", metric="resolution", by="boss", reason="storm"),
        status("solved", "tue 10:15", "late"),
        event("ticket.created", "tue 10:30", "other", team="C"),
    ]
    database.fold(log, "tue 10:30")
    hour = 3600
    assert outcomes(database) == {
        "runs": ("breached", int(8.5 * hour), False, True, 0),
        "paused": ("paused", 3 * hour, True, True, 0),
        "evening": ("running", int(2.5 * hour), False, True, 0),
        "solved": ("met", 3 * hour, False, False, 0),
        "late": ("late", int(8.25 * hour), False, False, 0),
        "exempt": ("breached", int(8.5 * hour), False, True, 1),
        "other": ("running", 0, False, True, 0),
    }
    due = database.dicts("SELECT ticket_id, metric, due_at, left_s FROM due_next")
    assert [(row["ticket_id"], row["metric"]) for row in due] == [("other", "resolution"), ("evening", "resolution")]
    assert [row["left_s"] for row in due] == [3600, 6.5 * 3600]  # 5.5 h of office are left: to tue 17:00


def test_an_ad_hoc_closure_counts_in_what_runs(database: Database) -> None:
    """
    open      mon 10 ####12  13|closed|15 ###        as of 16:00: 2 h + 1 h
    """
    closure = {"calendar": "office", "from": at("mon 13:00"), "to": at("mon 15:00")}
    log = [event("ticket.created", "mon 10:00", team="A"), event("desk.closed", "mon 10:30", **closure)]
    database.fold(log, "mon 16:00")
    assert outcomes(database)["t1"][:2] == ("running", 3 * 3600)
    assert database.one("SELECT max(version) FROM calendar_rows FINAL") == 1


def test_what_a_late_event_unmakes_is_no_longer_shown(database: Database) -> None:
    """
    team C has 1 h      10:00 created      10:40 solved (comes last)      11:00 breached
    """
    log = [
        event("ticket.created", "mon 10:00", team="C"),
        event("ticket.created", "mon 12:00", "t2", team="C"),
        status("solved", "mon 10:40", "t1"),
    ]
    writer = database.writer()
    for number, rows in enumerate(checkpoints(log, policies(), every=1)):
        batch = Batch()
        for part in rows:
            batch.add(part)
        writer.write(batch)
        if number == 1:
            assert outcomes(database)["t1"][0] == "breached"
            assert database.one("SELECT sum(resolution_breached) FROM ticket_minutes") == 1
    assert outcomes(database)["t1"][:2] == ("met", 2400)
    assert database.one("SELECT count() FROM sla_ledger WHERE transition = 'breached'") == 0
    assert database.one("SELECT sum(resolution_breached) FROM ticket_minutes") == 0
    assert database.one("SELECT sum(resolution_met), sum(resolution_elapsed_s) FROM ticket_minutes") == (1, 2400)
    assert database.one("SELECT sum(counts['resolution_breached']) FROM window_minutes") == 0
    assert database.one("SELECT count() FROM backlog_minutes WHERE breached_open > 0") == 0


def call(number: int, *events: tuple[str, str, dict[str, Any]]) -> list[bytes]:
    return [event(f"call.{kind}", when, f"c{number}", **data) for kind, when, data in events]


def test_service_levels(database: Database) -> None:
    """
    One hour of queue Q, answered within 20 s is in target, abandoned within 5 s is short:
    6 answered after 5 10 20 | 21 30 40 s, 3 abandoned after 3 15 | 50 s, 1 left in the menu, 1 still waiting.
    """
    log = []
    for number, wait in enumerate((5, 10, 20, 21, 30, 40)):
        parts: dict[str, Any] = {"talk_s": 100, "hold_s": 10, "wrapup_s": 15.5}
        log += call(
            number,
            ("offered", f"mon 10:0{number}", {"queue": "Q"}),
            ("answered", f"mon 10:0{number}:{wait:02}", {"wait_s": wait}),
            ("ended", f"mon 10:1{number}", parts),
        )
    for number, wait in enumerate((3, 15, 50), 10):
        offered = ("offered", f"mon 10:{number + 10}", {"queue": "Q"})
        log += call(number, offered, ("abandoned", f"mon 10:{number + 11}", {"wait_s": wait}))
    log += call(20, ("offered", "mon 10:30", {"queue": "Q"}), ("abandoned", "mon 10:31", {"wait_s": 9, "stage": "ivr"}))
    log += call(21, ("offered", "mon 10:59", {"queue": "Q"}))
    database.fold(sorted(log, key=lambda line: line[line.index(b'"time"') :][:32]), "mon 11:00")
    (row,) = database.dicts("SELECT * FROM service_levels")
    assert (row["offered"], row["queued"], row["answered"], row["answered_in_target"]) == (11, 9, 6, 3)
    assert (row["abandoned"], row["abandoned_in_target"], row["short_abandoned"], row["abandoned_ivr"]) == (3, 2, 1, 1)
    levels = {
        "answered_of_offered": (3 / 9, 9),  # of the queued: who waits is not decided yet
        "answered_of_answered": (3 / 6, 6),
        "answered_of_answered_and_abandoned": (3 / 9, 9),
        "answered_without_short_abandons": (3 / 8, 8),
        "hits_with_abandons": (5 / 9, 9),
    }
    for name, level in levels.items():
        assert (row[name], row[f"{name}_n"]) == level, name
        assert 0 < row[f"{name}_low"] < row[name] < row[f"{name}_high"] < 1, name
    # Wilson (1927), reckoned apart: 3 of 9
    assert (row["abandon_rate_low"], row["abandon_rate_high"]) == pytest.approx((0.1205838, 0.6457979), abs=1e-6)
    assert row["asa_s"] == 126 / 6
    assert row["aht_s"] == 125.5
    assert row["abandon_rate"] == 3 / 9
    assert row["hour"].isoformat() == "2026-10-12T10:00:00+00:00"


def response(number: int, metric: str, score: int, scale: tuple[int, int], **more: Any) -> bytes:
    data: dict[str, Any] = {
        "survey_id": f"s{number}",
        "metric": metric,
        "score": score,
        "scale_min": scale[0],
        "scale_max": scale[1],
    }
    return event("survey.responded", f"mon 10:{number:02}", **data, **more)


def test_satisfaction(database: Database) -> None:
    """
    csat 5 5 4 3 1 of 1..5: 3 of 5 positive (4 and 5). Wilson, z = 1.96: centre (0.6 + z2/10) / (1 + z2/5) = 0.55655,
    half width 0.32583. Attitude 5 and 3: (1 + 0.5) / 2. nps 9 10 7 0: 100 * (2 - 1) / 4.
    """
    log = [response(n, "csat", score, (1, 5)) for n, score in enumerate((5, 5, 4))]
    log += [
        response(3, "csat", 3, (1, 5), dimensions={"attitude": 5}),
        response(4, "csat", 1, (1, 5), dimensions={"attitude": 3}),
    ]
    log += [response(10 + n, "nps", score, (0, 10)) for n, score in enumerate((9, 10, 7, 0))]
    database.fold(log)
    csat, nps = database.dicts("SELECT * FROM satisfaction ORDER BY metric")
    assert (csat["n"], csat["positive"], csat["very_positive"], csat["neutral"], csat["negative"]) == (5, 3, 2, 0, 2)
    assert csat["rate"] == 0.6
    assert (round(csat["rate_low"], 4), round(csat["rate_high"], 4)) == (0.2307, 0.8824)
    assert (csat["attitude"], csat["attitude_n"], csat["efficiency"]) == (0.75, 2, None)
    assert csat["score"] == pytest.approx((1 + 1 + 0.75 + 0.5 + 0) / 5)
    assert csat["nps"] is None
    assert (nps["n"], nps["promoters"], nps["passives"], nps["detractors"], nps["nps"]) == (4, 2, 1, 1, 25)
    assert nps["rate"] is None


def test_surveys_and_reviews_about_a_ticket_and_a_call_of_one_id(database: Database) -> None:
    """
    10:01    survey s1, review q1    about ticket 7: 5, passed    about call 7: 1, failed
    """
    log = [event("ticket.created", "mon 09:00", "7", team="A"), event("call.offered", "mon 09:00", "7", team="B")]
    for about, score in (("ticket_id", 5), ("call_id", 1)):
        log.append(response(1, "csat", score, (1, 5), **{about: "7"}))
        log.append(event("review.completed", "mon 10:01", review_id="q1", passed=score == 5, **{about: "7"}))
    database.fold(log)
    surveys = "SELECT subject, ticket_id, call_id, team, score FROM surveys ORDER BY score DESC"
    assert database.rows(surveys) == [("7", "7", "", "A", 5), ("7", "", "7", "B", 1)]
    reviews = "SELECT ticket_id, call_id, team, passed FROM reviews ORDER BY team"
    assert database.rows(reviews) == [("7", "", "A", 1), ("", "7", "B", 0)]
    answers = "SELECT team, responses, positive, negative FROM survey_minutes ORDER BY team"
    assert database.rows(answers) == [("A", 1, 1, 0), ("B", 1, 0, 1)]
    assert database.one("SELECT sum(n) FROM satisfaction") == 2
    assert database.one("SELECT count() FROM events") == 6


def test_the_backlog_at_the_end_of_each_minute(database: Database) -> None:
    """
    minute    10:00   10:01   10:02   10:03   10:04   10:05       team C, target 1 h, at risk far later
    a         :00 ==================|:30                          from its minute 10:00 up to 10:03
    b                    :10 ===========================          to as_of
    gone                         :05-:50                          came and went within 10:02: in no row
    waiting           :15 ======|:20                              a caller, from 10:01 up to 10:02
    """
    log = [
        event("ticket.created", "mon 10:00", "a", team="C"),
        event("call.offered", "mon 10:01:15", "waiting", team="C", queue="Q"),
        event("ticket.created", "mon 10:01:10", "b", team="C"),
        event("ticket.created", "mon 10:02:05", "gone", team="C"),
        event("call.answered", "mon 10:02:20", "waiting", wait_s=65),
        status("solved", "mon 10:02:50", "gone"),
        status("solved", "mon 10:03:30", "a"),
    ]
    database.fold(log, "mon 10:06")
    found = database.rows(
        "SELECT formatDateTime(minute, '%H:%i'), open, at_risk, breached_open, toInt64(oldest_s), waiting_calls,"
        " toInt64(longest_wait_s) FROM backlog_minutes WHERE team = 'C' ORDER BY minute"
    )
    assert found == [
        ("10:00", 1, 0, 0, 60, 0, 0),
        ("10:01", 2, 0, 0, 120, 1, 45),
        ("10:02", 2, 0, 0, 180, 0, 0),
        ("10:03", 1, 0, 0, 240 - 70, 0, 0),
    ]


def test_only_minutes_that_ended_are_in_the_backlog(database: Database) -> None:
    database.fold([event("ticket.created", "mon 10:00:30", team="C")], "mon 10:00:59")
    assert database.rows("SELECT * FROM backlog_minutes") == []


def test_of_one_identity_the_earliest_event_stands(database: Database) -> None:
    """By time, then by bytes; the same twice is one."""
    first = event("ticket.created", "mon 10:00")
    later, other = first.replace(b"T10:00", b"T11:00"), first.replace(b"ticket_id", b'priority":"low","ticket_id')
    assert other < first
    database.fold([later, first, other, first], "mon 12:00")
    assert database.one("SELECT toUnixTimestamp64Milli(time), body FROM events") == (ms("mon 10:00"), other.decode())
    assert database.one("SELECT count() FROM event_rows") == 4


def test_contact_reasons_compare_with_the_week_before(database: Database) -> None:
    """Monday: 2 of tax, 1 of post; a week before: 1 of tax. A call about a ticket is no contact of its own."""
    log = [event("ticket.created", f"mon 1{n}:00", f"t{n}", team="C", category="tax") for n in range(2)]
    log += [event("call.offered", "mon 13:00", "c1", category="post")]
    log += [event("call.offered", "mon 13:00", "c2", category="post", ticket_id="t1")]
    earlier = event("ticket.created", "mon 10:00", "t9", category="tax").replace(b"2026-10-12", b"2026-10-05")
    database.fold([earlier, *log])
    assert database.rows(
        "SELECT category, n, share, n_week_before, change FROM contact_reasons ORDER BY day, category"
    ) == [
        ("tax", 1, 1.0, 0, None),
        ("post", 1, 1 / 3, 0, None),
        ("tax", 2, 2 / 3, 1, 1.0),
    ]


def test_freshness_is_that_of_the_slowest_partition(database: Database) -> None:
    batch = Batch()
    ten, eleven = ms("mon 10:00"), ms("mon 11:00")
    for partition, as_of in ((0, ten), (1, eleven)):
        batch.add(encoded([ProgressRow("facts", partition, as_of, {"tickets": 5}, 1)]))
        batch.add(
            encoded([ProgressRow("tickets", partition, as_of - MINUTE, {"tickets": 5 - partition}, 5 - partition)])
        )
    batch.add(encoded([ProgressRow("sla-ledger", 0, -1, {}, 1)]))
    database.writer().write(batch)
    found = {
        view: tuple(None if until is None else parse_instant(until.isoformat()) for until in both)
        for view, *both in database.rows("SELECT view, complete_until, provisional_until FROM freshness")
    }
    assert found["ticket_minutes"] == (ten, eleven)
    assert found["sla_ledger"] == (None, None)
    # Partition 1 folded up to offset 5 but stored only 4 events: its events are complete up to those.
    assert found["events"] == (min(ten, eleven - MINUTE), eleven - MINUTE)


def test_data_quality_counts_what_arrived(database: Database) -> None:
    created = event("ticket.created", "mon 10:00")
    database.fold(
        [created, created, b'{"type": "ticket.created"}', b'{"type": "ticket.petted", "data": {}}'], "mon 11:00"
    )
    rows = database.dicts("SELECT * FROM data_quality WHERE topic = 'tickets'")
    for name, number in {"events": 2, "duplicates": 1, "dead_letters": 1, "unknown": 1, "late": 0}.items():
        assert sum(row[name] for row in rows) == number, name
    (letter,) = database.dicts("SELECT * FROM dead_letters")
    assert letter["value"] == '{"type": "ticket.created"}'
    assert letter["topic"] == "tickets"
