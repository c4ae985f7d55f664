"""Worked examples of order, repetition and counters, every figure reckoned by hand.

Numbers on the time lines are minutes after Monday 2026-10-12 00:00 UTC; `=` runs, `.` stands still, `x` breaches.
"""

import itertools

import pytest

from tests.naive.desk import Row, at, event, ledger, minute, policy, reply, sla, status, ticket, totals
from tests.naive.fold import fold

DAY = 24 * 60


class TestOrder:
    def test_events_before_the_creation_apply_at_it(self) -> None:
        """
        time    5 assigned   7 agent   10 created          effective   10 created, assigned, agent
        """
        log = [ticket(5, "assigned", team="a"), reply(7, "agent"), ticket(10, "created", team="b")]
        spec = policy(sla(first_response="30m"))
        assert ledger(log, spec, until=99, metric="first_response")[1:] == [(1, "fulfilled", 10, 0, 40)]
        assert totals(fold(log, [spec])["ticket_minutes"])["transferred"] == 1

    def test_any_order_and_any_repetition_give_the_same(self) -> None:
        """
        a, b, c, d, e = e, d, c, b, a = a, a, b ...
        """
        log = [ticket(0, "created", team="a"), reply(5, "agent"), status(9, "solved")]
        log += [ticket(9, "assigned", team="b"), ticket(20, "created", "again", team="c")]
        spec = policy(sla(first_response="30m", resolution="60m"))
        expected = fold(log, [spec])
        expected.pop("data_quality")
        for permutation in itertools.permutations(log):
            found = fold([*permutation, permutation[0]], [spec])
            assert {name: found[name] for name in expected} == expected

    def test_the_earlier_of_two_contents_stands(self) -> None:
        """
        id s:   5 solved (stands)   8 open (conflict)
        """
        log = [
            ticket(0, "created"),
            ticket(8, "status_changed", "s", status="open"),
            ticket(5, "status_changed", "s", status="solved"),
        ]
        assert totals(fold(log, [policy()])["ticket_minutes"]) == {"created": 1, "solved": 1, "fcr_unknown": 1}

    def test_an_orphan_counts_what_its_events_tell(self) -> None:
        """
        (no creation)   1 team a   2 team b   3 agent   4 solved   5 open
        """
        log = [ticket(1, "assigned", team="a"), ticket(2, "assigned", team="b"), reply(3, "agent")]
        log += [status(4, "solved"), status(5, "open")]
        result = fold(log, [policy(sla(resolution="60m"))])
        counters = {"transferred": 1, "replied": 1, "solved": 1, "reopened": 1, "fcr_unknown": 1}
        assert totals(result["ticket_minutes"]) == counters
        assert result["ledger"] == []

    @pytest.mark.parametrize(("day", "reopened"), [(90, 1), (90.001, 0)])
    def test_a_released_ticket_changes_no_more(self, day: float, reopened: int) -> None:
        """
        0 created   0 solved ------------ 90 days held ----------| released
        """
        log = [ticket(0, "created"), status(0, "solved"), status(day * DAY, "open")]
        assert totals(fold(log, [policy()])["ticket_minutes"]).get("reopened", 0) == reopened

    def test_an_exempted_breach_counts_at_its_minute(self) -> None:
        """
        0 ==== 60 x ==== 70 exempted (team b since 65)
        """
        log = [ticket(0, "created", team="a"), ticket(65, "assigned", team="b")]
        log += [ticket(70, "exempted", metric="resolution", by="lead", reason="outage"), status(71, "open")]
        result = fold(log, [policy(sla(resolution="60m"))])
        counted = [row for row in result["ticket_minutes"] if row["resolution_exempted"]]
        assert [(minute(row["minute"]), row["team"], row["resolution_breached"]) for row in counted] == [(60, "a", 1)]
        assert result["outcomes"][0]["exempted"] is True
        assert result["ledger"][-1]["transition"] == "exempted"

    def test_a_breach_has_the_dimensions_after_all_events_of_its_instant(self) -> None:
        """
        0 (team a) ============ 60 team b, x
        """
        log = [ticket(0, "created", team="a"), ticket(60, "assigned", team="b"), status(99, "open")]
        assert fold(log, [policy(sla(resolution="60m"))])["ledger"][-1]["team"] == "b"

    def test_a_closure_moves_the_due_time(self) -> None:
        """
        0 ==== 30 closed ...... 90 ==== 120 due
        """
        closure = {"calendar": "always", "from": "2026-10-12T00:30:00Z", "to": "2026-10-12T01:30:00Z"}
        log = [event(0, "desk.closed", **closure), ticket(0, "created")]
        assert ledger(log, policy(sla(resolution="60m")), until=100) == [(1, "activated", 0, 0, 120)]


class TestFirstContactResolution:
    """Solved at 10, as of day 8 unless told."""

    LOG = (ticket(0, "created", customer_id="c", category="x"), status(10, "solved"))

    @pytest.mark.parametrize(
        ("more", "as_of", "expected"),
        [
            ([], 8 * DAY, "fcr_yes"),
            ([], 7 * DAY, "fcr_provisional"),
            ([status(20, "open")], 8 * DAY, "fcr_no"),
            ([status(10 + 7 * DAY, "open")], 8 * DAY, "fcr_no"),
            ([status(10.001 + 7 * DAY, "open")], 8 * DAY, "fcr_yes"),
            ([ticket(1, "assigned", team="a"), ticket(10, "assigned", team="b")], 8 * DAY, "fcr_no"),
            ([ticket(1, "assigned", team="a"), ticket(11, "assigned", team="b")], 8 * DAY, "fcr_yes"),
            ([ticket(1, "assigned", team="a"), ticket(2, "assigned", team="")], 8 * DAY, "fcr_yes"),
            ([ticket(20, "created", ticket_id="U", customer_id="c", category="x")], 8 * DAY, "fcr_no"),
            ([ticket(20, "created", ticket_id="U", customer_id="c", category="y")], 8 * DAY, "fcr_yes"),
            ([event(20, "call.offered", call_id="C", customer_id="c")], 8 * DAY, "fcr_no"),
            ([event(20, "call.offered", call_id="C", customer_id="d")], 8 * DAY, "fcr_yes"),
        ],
    )
    def test_verdicts(self, more: list[Row], as_of: float, expected: str) -> None:
        """
        0 created   10 solved |-- 20 other contact ---- 7 days ----|
        """
        counters = totals(fold([*self.LOG, *more], [policy()], at(as_of))["ticket_minutes"])
        assert [name for name in counters if name.startswith("fcr")] == [expected]

    def test_two_linked_ids_are_one_person(self) -> None:
        """
        0 created by c   10 solved   20 call of d      (c and d are one)
        """
        log = [*self.LOG, event(20, "call.offered", call_id="C", customer_id="d")]
        log += [event(30, "customer.linked", customer_id="d", other_id="c")]
        assert totals(fold(log, [policy()], at(8 * DAY))["ticket_minutes"])["fcr_no"] == 1

    def test_without_a_customer_it_is_unknown(self) -> None:
        """
        0 created by nobody   10 solved
        """
        counters = totals(fold([ticket(0, "created"), status(10, "solved")], [policy()])["ticket_minutes"])
        assert counters["fcr_unknown"] == 1
