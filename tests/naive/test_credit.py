"""Worked examples of who gets the credit, of clearing, and of the customer who writes to a closed ticket.

Numbers on the time lines are minutes after Monday 2026-10-12 00:00 UTC; `=` runs, `.` stands still, `x` breaches.
"""

from typing import Any

import pytest

from tests.naive.cases import of
from tests.naive.desk import MINUTE, Row, call, event, ledger, minute, policy, reply, sla, status, ticket, totals
from tests.naive.fold import fold

ALL = policy(sla(first_response="30m", next_response="30m", resolution="60m"))


def agents(log: list[Row], counter: str) -> list[tuple[str, int]]:
    """(agent, number) of the minutes in which something counted."""
    rows = fold(log, [ALL])["ticket_minutes"]
    return [(row["agent_id"], row[counter]) for row in rows if row[counter]]


class TestCredit:
    """Assigned to a, and b acts; or assigned to nobody."""

    def log(self, assignee: str) -> list[Row]:
        """
        0 created   5 b replies   10 b solves   20 c closes   30 d opens
        """
        return [
            ticket(0, "created", agent_id=assignee),
            reply(5, "agent", agent_id="b"),
            ticket(10, "status_changed", status="solved", agent_id="b"),
            ticket(20, "status_changed", status="closed", agent_id="c"),
            ticket(30, "status_changed", status="open", agent_id="d"),
        ]

    @pytest.mark.parametrize("counter", ["replied", "solved"])
    def test_what_an_agent_did_counts_for_who_is_named(self, counter: str) -> None:
        """
        replied, solved: b, whoever is assigned; where nobody is named, a
        """
        assert agents(self.log("a"), counter) == agents(self.log(""), counter) == [("b", 1)]
        anonymous = [row | {"data": {**row["data"], "agent_id": None}} for row in self.log("a")[1:]]
        assert agents([self.log("a")[0], *anonymous], counter) == [("a", 1)]

    @pytest.mark.parametrize("counter", ["closed", "reopened", "fcr_unknown"])
    def test_the_others_are_the_assignee_s(self, counter: str) -> None:
        """
        closed, reopened, fcr: a, or nobody's
        """
        assert agents(self.log("a"), counter) == [("a", 1)]
        assert agents(self.log(""), counter) == [("", 1)]

    def test_a_clock_counts_for_the_assignee_else_for_who_is_named(self) -> None:
        """
        0 ==== 5 b replies: met            assigned a: a's, ended by b; assigned nobody: b's, ended by b
        """
        for assignee, whose in (("a", "a"), ("", "b")):
            log = self.log(assignee)[:2]
            assert agents(log, "first_response_met") == [(whose, 1)]
            assert agents(log, "first_response_elapsed_ms") == [(whose, 5 * MINUTE)]
            tables = fold(log, [ALL])
            assert of(tables["outcomes"], "agent_id", "ended_by", metric="first_response") == [(whose, "b")]
            assert of(tables["ledger"], "agent_id", transition="fulfilled") == [whose]

    def test_a_customer_s_reply_ends_nothing_and_names_nobody(self) -> None:
        """
        0 ==== 5 solved ... (cancelled by b)      reply of the customer: agent_id is not who acted
        """
        log = [ticket(0, "created"), ticket(5, "status_changed", status="solved", agent_id="b")]
        log += [reply(6, "customer", agent_id="z")]
        assert agents(log, "first_response_cancelled") == [("b", 1)]
        assert of(fold(log, [ALL])["ledger"], "agent_id", metric="next_response") == [""]

    def test_a_breach_is_the_assignee_s_of_its_instant(self) -> None:
        """
        0 a ======= 30 x (a, late: b's) ==== 40 b ==== 45 c replies
        """
        log = [ticket(0, "created", agent_id="a"), ticket(40, "assigned", agent_id="b")]
        log += [reply(45, "agent", agent_id="c")]
        assert agents(log, "first_response_breached") == [("a", 1)]
        assert agents(log, "first_response_late") == [("b", 1)]
        assert of(fold(log, [ALL])["outcomes"], "agent_id", "ended_by", metric="first_response") == [("b", "c")]

    def test_one_touch(self) -> None:
        """
        5 b replies   10 b solves: in one touch, b's        7 b replies again: not
        """
        log = self.log("a")[:3]
        assert of(fold(log, [ALL])["tickets"], "solved_by", "one_touch") == [("b", True)]
        assert of(fold([*log, reply(7, "agent")], [ALL])["tickets"], "solved_by", "one_touch") == [("b", False)]


class TestSurveys:
    @pytest.mark.parametrize(
        ("log", "data", "expected"),
        [
            ([reply(5, "agent", agent_id="b")], {"agent_id": "z"}, "z"),
            ([reply(5, "agent", agent_id="b")], {}, "b"),
            ([reply(5, "agent", agent_id="b"), reply(6, "agent", agent_id="c", public=False)], {}, "b"),
            ([reply(5, "agent"), ticket(6, "assigned", agent_id="c")], {}, "a"),
            ([reply(5, "customer")], {}, "a"),
            ([reply(20, "agent", agent_id="b")], {}, "a"),
        ],
    )
    def test_the_agent_it_names_else_who_replied_last_else_the_assignee(
        self, log: list[Row], data: Row, expected: str
    ) -> None:
        """
        0 created, a   5 reply   6   10 survey   20 reply (too late)
        """
        scale: Row = {"survey_id": "S", "metric": "csat", "score": 5, "scale_min": 1, "scale_max": 5}
        survey = event(10, "survey.responded", ticket_id="T", **scale, **data)
        rows = fold([ticket(0, "created", agent_id="a"), *log, survey], [policy()])["survey_minutes"]
        assert of(rows, "agent_id") == [expected]

    def test_of_a_call_it_is_the_agent_of_its_last_leg(self) -> None:
        """
        1 a ===== 9 ended late by a (wrap-up)     3 b =====      10 survey
        """
        scale: Row = {"survey_id": "S", "metric": "csat", "score": 5, "scale_min": 1, "scale_max": 5}
        log = [call(0, "offered"), call(1, "answered", wait_s=60, agent_id="a")]
        log += [call(3, "answered", wait_s=9, agent_id="b"), call(9, "ended", agent_id="a", talk_s=99)]
        log += [event(10, "survey.responded", call_id="C", **scale)]
        assert of(fold(log, [policy()])["survey_minutes"], "agent_id") == ["b"]


class TestClearing:
    def counted(self, name: str, *values: str) -> dict[str, int]:
        """Transfers and reassignments of a ticket that is created with the first value, then assigned the others."""
        first, *others = values
        log = [ticket(0, "created", **{name: first})]
        log += [ticket(n, "assigned", **{name: value}) for n, value in enumerate(others, 1)]
        found = totals(fold(log, [policy()])["ticket_minutes"])
        return {counter: found[counter] for counter in ("transferred", "reassigned") if counter in found}

    @pytest.mark.parametrize(("name", "counter"), [("team", "transferred"), ("agent_id", "reassigned")])
    def test_clearing_is_no_change_and_the_next_is_compared_with_the_last(self, name: str, counter: str) -> None:
        """
        a '' a: none     a '' b: one     '' a: none     a b '' a: two
        """
        assert self.counted(name, "a", "", "a") == {}
        assert self.counted(name, "a", "", "b") == {counter: 1}
        assert self.counted(name, "", "a", "") == {}
        assert self.counted(name, "a", "b", "", "a") == {counter: 2}

    def test_a_cleared_team_matches_no_sla_of_a_team(self) -> None:
        """
        0 team a ==== 10 '' cancelled     20 team a again
        """
        spec = policy(sla(resolution="60m", match={"team": ["a"]}))
        log = [ticket(0, "created", team="a"), ticket(10, "assigned", team=""), ticket(20, "assigned", team="a")]
        assert [row[1:3] for row in ledger(log, spec, until=30)] == [
            ("activated", 0),
            ("cancelled", 10),
            ("activated", 20),
        ]

    def test_a_parent_is_named_and_left_by_an_update(self) -> None:
        """
        0 created   1 parent P   2 ''
        """
        log = [ticket(0, "created"), ticket(1, "updated", parent_id="P"), ticket(2, "updated", parent_id="")]
        parents = [of(fold(log[:n], [policy()])["tickets"], "parent_id") for n in (1, 2, 3)]
        assert parents == [[""], ["P"], [""]]


class TestTheCustomerOfAClosedTicket:
    CLOSED = (ticket(0, "created"), reply(1, "agent"), status(2, "closed"))

    def next_response(self, *log: Row) -> list[tuple[Any, ...]]:
        """(cycle, transition, at) of next_response."""
        return [row[:3] for row in ledger([*self.CLOSED, *log], ALL, until=25, metric="next_response")]

    def test_it_waits_from_the_reopening_on(self) -> None:
        """
        1 agent   2 closed   5 customer (nothing)   9 open ========== 39 due
        """
        assert self.next_response(reply(5, "customer")) == []
        assert self.next_response(reply(5, "customer"), status(9, "open")) == [(1, "activated", 9)]
        assert self.next_response(reply(5, "customer"), status(9, "pending")) == [
            (1, "activated", 9),
            (1, "paused", 9),
        ]

    def test_not_after_an_agent_s_public_reply(self) -> None:
        """
        2 closed   5 customer   6 agent   9 open: nothing            6 agent, not public: 9 open =======
        """
        assert self.next_response(reply(5, "customer"), reply(6, "agent"), status(9, "open")) == []
        private = reply(6, "agent", public=False)
        assert self.next_response(reply(5, "customer"), private, status(9, "open")) == [(1, "activated", 9)]

    def test_only_at_the_next_reopening(self) -> None:
        """
        2 closed   5 customer   9 open ==== 10 closed     12 open: nothing
        """
        log = [reply(5, "customer"), status(9, "open"), status(10, "closed"), status(12, "open")]
        assert self.next_response(*log) == [(1, "activated", 9), (1, "cancelled", 10)]

    def test_while_solved_it_starts_at_once(self) -> None:
        """
        2 closed   5 customer   6 solved   7 customer =========        9 open: goes on
        """
        log = [reply(5, "customer"), status(6, "solved"), reply(7, "customer"), status(9, "open")]
        assert self.next_response(*log) == [(1, "activated", 7)]


class TestBreachedAndCancelled:
    def test_it_stays_breached_with_an_end(self) -> None:
        """
        0 ======= 30 x ==== 40 solved: cancelled
        """
        log = [ticket(0, "created"), status(40, "solved")]
        tables = fold(log, [ALL])
        (row,) = [row for row in tables["outcomes"] if row["metric"] == "first_response"]
        assert (row["outcome"], minute(row["due_at"]), minute(row["ended_at"])) == ("breached", 30, 40)
        counted = totals(tables["ticket_minutes"])
        assert counted["first_response_breached"] == 1
        assert "first_response_cancelled" not in counted
