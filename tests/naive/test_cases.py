"""The cases whose right values were worked out by hand (shared/cases), as the contract has them now."""

from fractions import Fraction

from tests.naive.cases import folded, lines, of, policy
from tests.naive.desk import totals
from tests.naive.fold import fold
from tests.naive.log import instant

HOUR_S = 3600


def at(time: str) -> int:
    """An instant of Monday 2026-10-12, UTC."""
    return instant(f"2026-10-12T{time}Z")


class TestCalls:
    def test_an_answer_after_the_end_or_an_abandonment(self) -> None:
        tables = folded("call-ended-before-answered")
        assert totals(tables["call_minutes"]) == {
            **{"offered": 3, "answered": 3, "answered_in_target": 2, "wait_ms": (10 + 25 + 9) * 1000},
            **{"legs": 3, "talk_ms": 97_000, "ended": 3},
        }
        (hour,) = tables["service_levels"]
        assert (hour["queued"], hour["answered_of_answered_and_abandoned"]) == (3, Fraction(2, 3))
        assert of(tables["call_legs"], "call_id", "began_at") == [
            ("K1", at("10:00:10")),
            ("K2", at("10:01:25")),
            ("K3", at("10:03:10")),
        ]

    def test_two_legs_two_ends(self) -> None:
        tables = folded("call-legs")
        assert of(tables["call_legs"], "leg", "queue", "team", "agent_id", "talk_ms") == [
            (1, "1501", "A", "7009", 120_000),
            (2, "1509", "B", "7051", 173_000),
        ]
        first, second = tables["service_levels"]
        assert (first["queue"], second["queue"]) == ("1501", "1509")
        assert (first["answered"], first["answered_in_target"], first["asa_ms"]) == (1, 1, 12_000)
        assert (first["legs"], first["aht_ms"], second["legs"], second["aht_ms"]) == (1, 120_000, 1, 173_000)
        minutes = tables["call_minutes"]
        assert totals(minutes)["ended"] == totals(minutes)["transferred"] == 1
        assert of(minutes, "queue", transferred=1) == ["1501"]

    def test_a_transfer_after_the_end_changes_nothing(self) -> None:
        tables = folded("transfer-after-end")
        assert "transferred" not in totals(tables["call_minutes"])
        assert of(tables["calls"], "queue", "team", "outcome") == [("q1", "A", "ended"), ("q1", "A", "abandoned")]

    def test_no_share_is_over_one(self) -> None:
        nine, ten = folded("hour-edge")["service_levels"]
        shares = [name for name in nine if "_of_" in name or "with" in name]
        assert len(shares) == 5
        assert (nine["hour"], nine["offered"], nine["queued"]) == (at("09:00:00"), 1, 0)
        assert {nine[name] for name in shares} == {None}
        assert (ten["offered"], ten["queued"], ten["answered"], ten["answered_in_target"]) == (1, 2, 2, 2)
        assert {ten[name] for name in shares} == {1}


class TestTickets:
    def test_who_gets_the_credit(self) -> None:
        tables = folded("reply-by-other")
        minutes = tables["ticket_minutes"]
        for counter in ("replied", "solved"):
            assert [(row["agent_id"], row[counter]) for row in minutes if row[counter]] == [("b1", 2)]
        for metric in ("first_response", "resolution"):
            met = of(tables["outcomes"], "ticket_id", "agent_id", "ended_by", metric=metric, outcome="met")
            assert met == [("COVER", "a1", "b1"), ("FREE", "b1", "b1")]
            counted = [(row["agent_id"], row[f"{metric}_met"]) for row in minutes if row[f"{metric}_met"]]
            assert counted == [("a1", 1), ("b1", 1)]
        assert of(tables["survey_minutes"], "agent_id") == ["b1"]

    def test_the_empty_text_clears(self) -> None:
        tables = folded("unassign")
        breached = [row for row in tables["ticket_minutes"] if row["first_response_breached"]]
        assert of(breached, "minute", "agent_id") == [(at("10:00:00"), "")]
        assert "reassigned" not in totals(tables["ticket_minutes"])

    def test_first_contact_resolution(self) -> None:
        tables = folded("fcr")
        expected = {"F2": "fcr_no", "F3": "fcr_no", "F7": "fcr_unknown"}
        log = lines("fcr")
        for n in range(1, 10):
            one = fold([line for line in log if f'"F{n}'.encode() in line or b'"END"' in line], [policy("fcr")])
            found = [name for name in totals(one["ticket_minutes"]) if name.startswith("fcr")]
            assert found == [expected.get(f"F{n}", "fcr_yes")], n
        counted = totals(tables["ticket_minutes"])
        assert (counted["fcr_yes"], counted["fcr_no"], counted["fcr_unknown"]) == (6, 2, 1)
        first = instant("2026-10-01T00:00:00Z")
        assert sum(of(tables["contact_reasons"], "contacts", day=first)) == 11

    def test_a_call_that_names_its_ticket_is_the_same_contact(self) -> None:
        end = {"specversion": "1.0", "id": "e29", "source": "/t", "type": "call.ended", "time": "2026-10-01T09:06:00Z"}
        tables = fold([*lines("fcr"), end | {"data": {"call_id": "F9c", "ticket_id": "F9"}}], [policy("fcr")])
        assert sum(of(tables["contact_reasons"], "contacts", day=instant("2026-10-01T00:00:00Z"))) == 10

    def test_a_merge_into_itself_is_a_dead_letter(self) -> None:
        tables = folded("merge-itself")
        assert of(tables["outcomes"], "metric", "outcome", "elapsed_ms") == [
            ("first_response", "met", 1_200_000),
            ("resolution", "met", 3_600_000),
        ]
        assert of(tables["data_quality"], "dead_letters", topic="all") == [1]

    def test_the_day_is_the_desk_s(self) -> None:
        tables = folded("desk-day")
        midnight = instant("2026-10-12T00:00:00+08:00")
        assert of(tables["contact_reasons"], "day", "category", "contacts", "complaints") == [
            (midnight, "refund", 2, 1)
        ]
        assert of(tables["ticket_days"], "day", "solved") == [(midnight, 2)]

    def test_children_have_clocks_of_their_own_and_name_their_parent(self) -> None:
        tables = folded("major-incident")
        assert set(of(tables["tickets"], "parent_id")) == {"", "INC-1"}
        breached = of(tables["ledger"], "ticket_id", "at", metric="first_response", transition="breached")
        assert breached[:2] == [("INC-1", at("10:00:00")), ("REQ-1", at("10:01:00"))]
        assert len(breached) == 9


class TestClocks:
    def test_a_closure_of_an_unknown_calendar_is_counted_and_changes_nothing(self) -> None:
        tables = folded("closure-typo")
        assert of(tables["outcomes"], "due_at", metric="resolution") == [at("17:00:00")]
        assert of(tables["data_quality"], "unknown_closures", topic="all") == [1]

    def test_easter_monday_is_no_holiday_of_gb(self) -> None:
        due = of(folded("gb-easter")["outcomes"], "due_at")
        assert instant("2026-04-06T11:00:00Z") in due


class TestLog:
    def test_numbers_in_sequence(self) -> None:
        tables = folded("seq-number")
        assert of(tables["tickets"], "status", ticket_id="T1") == ["open"]
        assert totals(tables["ticket_minutes"])["reopened"] == 1
        assert of(tables["outcomes"], "outcome", "elapsed_ms", ticket_id="T1", metric="resolution") == [
            ("running", 2 * HOUR_S * 1000)
        ]

    def test_another_spelling_is_no_other_content(self) -> None:
        (row, _) = folded("reformatted-duplicate")["data_quality"]
        assert (row["events"], row["duplicates"], row["conflicts"]) == (5, 3, 0)

    def test_ids_that_are_unique_only_within_their_ticket(self) -> None:
        tables = folded("per-ticket-ids")
        (row, _) = tables["data_quality"]
        assert (row["events"], row["duplicates"], row["conflicts"]) == (7, 0, 0)
        assert of(tables["tickets"], "ticket_id", status="solved") == ["T1", "T2"]
        more = fold(lines("per-ticket-ids") + lines("per-ticket-ids", "more.jsonl"), [policy("per-ticket-ids")])
        assert (totals(more["ticket_minutes"])["created"], totals(more["ticket_minutes"])["solved"]) == (4, 2)

    def test_a_creation_that_lost_its_identity_makes_an_orphan(self) -> None:
        row = folded("orphan-by-conflict")["data_quality"][0]
        assert (row["orphans"], row["conflicts"], row["type_conflicts"]) == (1, 1, 1)

    def test_a_callback_has_its_own_id(self) -> None:
        tables = folded("callback-without-ticket")
        rows = of(tables["callbacks"], "callback_id", "status", "done_at")
        assert rows[:2] == [("cb1", "done", at("09:30:00")), ("cb2", "done", at("10:00:00"))]
        assert [row[:2] for row in rows[2:]] == [("cb9", "done")]
        assert of(tables["signal_warnings"], "rule") == []
        assert of(tables["data_quality"], "dead_letters", topic="all") == [1]
