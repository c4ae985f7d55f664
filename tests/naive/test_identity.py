"""Worked examples of identity, order within an instant, orphans and dead letters, all reckoned by hand.

Numbers on the time lines are minutes after Monday 2026-10-12 00:00 UTC.
"""

import itertools
from typing import Any

import pytest

from tests.naive.cases import of
from tests.naive.desk import Row, at, call, event, policy, reply, sla, status, ticket, totals
from tests.naive.fold import fold
from tests.naive.log import sequence_key

DAY = 24 * 60
SCALE: Row = {"survey_id": "S", "metric": "csat", "score": 5, "scale_min": 1, "scale_max": 5}


def quality(log: list[Row], topic: str) -> Row:
    """What was counted of a topic, in every order of arrival."""
    found = [of_topic(fold(list(order), [policy()], at(DAY)), topic) for order in itertools.permutations(log)]
    assert all(row == found[0] for row in found)
    return found[0]


def of_topic(tables: dict[str, list[Row]], topic: str) -> Row:
    """The row of a topic."""
    (row,) = (row for row in tables["data_quality"] if row["topic"] == topic)
    return row


class TestIdentity:
    def test_another_spelling_is_a_duplicate(self) -> None:
        """
        00:00Z = 00:00:00.0004Z = 08:00+08:00 = with null, an unknown field, a default, capitals
        """
        first = ticket(0, "created", "e", kind="complaint")
        log = [first, first | {"time": "2026-10-12T00:00:00.0004Z"}, first | {"time": "2026-10-12T08:00+08:00"}]
        log.append(first | {"data": {**first["data"], "team": None, "extra": 1, "priority": "normal"}})
        log.append(first | {"data": {**first["data"], "kind": "Complaint"}, "unknown": 1})
        row = quality(log, "tickets")
        assert (row["events"], row["duplicates"], row["conflicts"]) == (5, 4, 0)

    def test_another_spelling_of_a_due_time(self) -> None:
        """
        due 10:00Z = 18:00+08:00
        """
        due = [
            event(0, "callback.due", "e", callback_id="c", due_at=text)
            for text in ("2026-10-12T10:00Z", "2026-10-12T18:00+08:00")
        ]
        assert quality(due, "signals")["duplicates"] == 1

    def test_other_content_is_a_conflict_and_another_type_too(self) -> None:
        """
        id s:   5 solved (stands)   5 solved   8 open   8 replied
        """
        log = [ticket(5, "status_changed", "s", status="solved"), ticket(8, "status_changed", "s", status="open")]
        log += [log[0], ticket(8, "replied", "s", author="agent"), ticket(0, "created", "c")]
        row = quality(log, "tickets")
        assert (row["duplicates"], row["conflicts"], row["type_conflicts"]) == (1, 2, 1)
        assert of(fold(log, [policy()])["tickets"], "status") == ["solved"]

    @pytest.mark.parametrize("spelling", [{"category": "b"}, {"category": "c", "team": "x"}])
    def test_of_one_instant_the_lesser_bytes_stand(self, spelling: Row) -> None:
        """
        {"ticket_id":"T","category":"a"} < {"ticket_id":"T","category":"b"}
        """
        log = [ticket(0, "created", "e", category="a"), ticket(0, "created", "e", **spelling)]
        for order in (log, log[::-1]):
            assert of(fold(order, [policy()])["contact_reasons"], "category") == ["a"]

    def test_it_is_within_topic_and_subject(self) -> None:
        """
        id 1 of ticket T, of ticket U, of call T, of a survey about T: four events
        """
        log = [
            ticket(0, "created", "1"),
            ticket(0, "created", "1", ticket_id="U"),
            call(0, "offered", "1", call_id="T"),
        ]
        log.append(event(0, "survey.offered", "1", survey_id="S", ticket_id="T"))
        tables = fold(log, [policy()])
        assert totals(tables["ticket_minutes"])["created"] == 2
        assert totals(tables["call_minutes"])["offered"] == totals(tables["survey_minutes"])["offered"] == 1
        assert [row["conflicts"] for row in tables["data_quality"] if row["topic"] != "all"] == [0, 0, 0]

    def test_a_ticket_and_a_call_of_one_id_are_two(self) -> None:
        """
        id 1 of survey S about ticket T, of survey S about call T, of S about neither; and of reviews
        """
        log: list[Row] = []
        for about in ({"ticket_id": "T"}, {"call_id": "T"}, {}):
            log.append(event(0, "survey.responded", "1", **SCALE, **about))
            log.append(event(0, "review.completed", "1", review_id="S", passed=True, **about))
        tables = fold(log, [policy()])
        assert (totals(tables["survey_minutes"])["responses"], len(tables["reviews"])) == (3, 3)

    def test_a_call_s_subject_is_the_call_whatever_ticket_it_names(self) -> None:
        """
        0 offered (call C)   1 answered (call C, ticket T)
        """
        log = [call(0, "offered"), call(1, "answered", wait_s=60, ticket_id="T")]
        assert totals(fold(log, [policy()])["call_minutes"])["answered"] == 1

    @pytest.mark.parametrize(("family", "opening"), [("callback", "due"), ("action", "opened")])
    def test_callbacks_and_actions_go_by_their_own_id(self, family: str, opening: str) -> None:
        """
        0 due (ticket T)   5 done (no ticket)
        """
        log = [
            event(0, f"{family}.{opening}", ticket_id="T", due_at="2026-10-12T10:00Z", **{f"{family}_id": "X"}),
            event(5, f"{family}.done", **{f"{family}_id": "X"}),
        ]
        assert of(fold(log, [policy()])[f"{family}s"], "status") == ["done"]


class TestSequence:
    def test_numbers_are_numbers_and_texts_bytes(self) -> None:
        """
        absent < -1 < 9 = "9" = "09" < "10" < 100 < "" < "1a" < "Z" < "a" < "é"
        """
        order = [None, -1, 9, "10", 100, "", "1a", "Z", "a", "é"]
        keys = [sequence_key(each) for each in order]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)
        assert sequence_key(9) == sequence_key("9") == sequence_key("09")

    @pytest.mark.parametrize(("first", "second"), [(9, 10), ("9", "10"), (None, 1), ("9", 10), (10, "a")])
    def test_it_orders_the_events_of_an_instant(self, first: Any, second: Any) -> None:
        """
        0 created   5 solved, then open
        """
        solved, opened = (
            ticket(5, "status_changed", id_, status=name) for id_, name in (("z", "solved"), ("a", "open"))
        )
        log = [ticket(0, "created"), opened | {"sequence": second}, solved | {"sequence": first}]
        assert of(fold(log, [policy()])["tickets"], "status") == ["open"]

    def test_rank_comes_before_it(self) -> None:
        """
        5 assigned (sequence 2), then solved (sequence 1): team b is in the solving
        """
        log = [ticket(0, "created", team="a"), ticket(5, "assigned", team="b") | {"sequence": 2}]
        log.append(status(5, "solved") | {"sequence": 1})
        assert of(fold(log, [policy()])["ticket_minutes"], "team", solved=1) == ["b"]


class TestOrphans:
    def test_they_are_the_same_in_any_order(self) -> None:
        """
        T: 5 replied (id e)   10 created (id e): the creation lost, T is an orphan.   U: created
        """
        log = [reply(5, "agent"), ticket(10, "created"), ticket(0, "created", "u", ticket_id="U")]
        log = [{**row, "id": "e"} if row["data"]["ticket_id"] == "T" else row for row in log]
        assert quality(log, "tickets")["orphans"] == 1

    def test_a_creation_picks_it_up(self) -> None:
        """
        5 replied   10 created
        """
        assert quality([reply(5, "agent"), ticket(10, "created")], "tickets")["orphans"] == 0

    def test_a_second_creation_changes_nothing(self) -> None:
        """
        0 created (team a)   5 created (team b)   6 solved
        """
        log = [ticket(0, "created", team="a"), ticket(5, "created", team="b"), status(6, "solved")]
        for order in itertools.permutations(log):
            tables = fold(list(order), [policy()])
            assert totals(tables["ticket_minutes"]) == {"created": 1, "solved": 1, "fcr_unknown": 1}
            assert of(tables["tickets"], "team") == ["a"]

    def test_it_counts_as_far_as_its_events_tell(self) -> None:
        """
        (no creation)   1 open   2 agent b1   3 solved by b1   4 team a, '' , b   5 open
        """
        log = [status(1, "open"), reply(2, "agent", agent_id="b1")]
        log += [ticket(3, "status_changed", status="solved", agent_id="b1"), ticket(4, "assigned", team="a")]
        log += [ticket(4.1, "assigned", team=""), ticket(4.2, "assigned", team="b"), status(5, "open")]
        tables = fold(log, [policy(sla(resolution="60m"))])
        counted = {"replied": 1, "solved": 1, "transferred": 1, "reopened": 1, "fcr_unknown": 1}
        assert totals(tables["ticket_minutes"]) == counted
        assert (tables["ledger"], tables["outcomes"]) == ([], [])


class TestDeadLetters:
    @pytest.mark.parametrize(
        "row",
        [
            ticket(1, "merged", into="T"),
            event(1, "survey.responded", ticket_id="T", **(SCALE | {"score": 6})),
            event(1, "survey.responded", ticket_id="T", **(SCALE | {"scale_min": 5})),
            event(1, "survey.responded", ticket_id="T", **(SCALE | {"metric": "nps"})),
            event(1, "sentiment.scored", ticket_id="T", score=1.5),
            event(1, "callback.due", callback_id="c", due_at="2026-10-12 10:00"),
            ticket(1, "status_changed", "no-status"),
            ticket(1, "created", "number", ticket_id=7),
            ticket(1, "created", "early") | {"time": "1989-12-31T23:59:59Z"},
            ticket(1, "created", "late") | {"time": "2101-01-01T00:00:00Z"},
        ],
    )
    def test_it_changes_nothing(self, row: Row) -> None:
        """
        0 created   1 a dead letter   2 solved
        """
        log = [ticket(0, "created"), status(2, "solved")]
        with_it, without = fold([*log, row], [policy()]), fold(log, [policy()])
        assert of_topic(with_it, "all")["dead_letters"] == 1
        assert {**with_it, "data_quality": []} == {**without, "data_quality": []}

    def test_an_unknown_type_is_counted_and_passed_over(self) -> None:
        """
        0 created   1 ticket.sung
        """
        tables = fold([ticket(0, "created"), ticket(1, "sung")], [policy()])
        assert (of_topic(tables, "all")["unknown_types"], of_topic(tables, "all")["dead_letters"]) == (1, 0)
