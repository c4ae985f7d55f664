"""Worked examples of the SLA clocks, every figure reckoned by hand.

Numbers on the time lines are minutes after Monday 2026-10-12 00:00 UTC; `=` runs, `.` stands still, `x` breaches.
"""

import pytest

from tests.naive.desk import MINUTE, at, ledger, minute, outcome, policy, reopening, reply, sla, status, ticket, totals
from tests.naive.fold import fold

HOUR = 60
DAY = 24 * HOUR


class TestFirstResponse:
    BOTH = policy(sla(first_response="30m", warn_at=0.5))

    def test_a_bot_never_fulfils_and_due_at_itself_is_met(self) -> None:
        """
        0 ==== 10 bot ==== 15 at_risk ==== 30 agent, due
        """
        log = [ticket(0, "created"), reply(10, "bot"), reply(12, "agent", public=False), reply(30, "agent")]
        assert ledger(log, self.BOTH, until=99, metric="first_response") == [
            (1, "activated", 0, 0, 30),
            (1, "at_risk", 15, 15, 30),
            (1, "fulfilled", 30, 30, 30),
        ]
        assert outcome(log, self.BOTH, until=99, metric="first_response") == ["met"]

    def test_time_breaches_and_a_later_answer_is_late(self) -> None:
        """
        0 ==== 15 at_risk ==== 30 x ==== 31 agent
        """
        log = [ticket(0, "created"), reply(31, "agent")]
        assert ledger(log, self.BOTH, until=99, metric="first_response")[2:] == [
            (1, "breached", 30, 30, 30),
            (1, "fulfilled", 31, 31, 30),
        ]
        counters = totals(fold(log, [self.BOTH])["ticket_minutes"])
        assert counters == {
            "created": 1,
            "replied": 1,
            "first_response_breached": 1,
            "first_response_late": 1,
            "first_response_elapsed_ms": 31 * MINUTE,
        }

    @pytest.mark.parametrize(("as_of", "expected"), [(30, "running"), (30.001, "breached")])
    def test_time_must_have_passed_the_due_time(self, as_of: float, expected: str) -> None:
        """
        0 ========== 30 due
                      ^ as_of 30: not passed yet
        """
        assert outcome([ticket(0, "created")], self.BOTH, until=as_of, metric="first_response") == [expected]

    def test_solving_cancels_it_and_it_stays_so(self) -> None:
        """
        0 ==== 5 solved, cancelled      8 customer: next_response starts      9 reopened
        """
        log = [ticket(0, "created"), status(5, "solved"), reply(8, "customer"), status(9, "open")]
        both = policy(sla(first_response="30m", next_response="60m"))
        assert ledger(log, both, until=99, metric="first_response")[1:] == [(1, "cancelled", 5, 5, 30)]
        assert ledger(log, both, until=60, metric="next_response") == [(1, "activated", 8, 0, 68)]


class TestNextResponse:
    POLICY = policy(sla(next_response="20m"))

    def test_every_question_after_an_answer_is_a_cycle(self) -> None:
        """
        customer 1   agent 2   customer 5 ====== agent 15   customer 40 = 50 customer = 60 x
        """
        log = [ticket(0, "created"), reply(1, "customer"), reply(2, "agent"), reply(5, "customer"), reply(15, "agent")]
        log += [reply(40, "customer"), reply(50, "customer")]
        assert ledger(log, self.POLICY, until=99, metric="next_response") == [
            (1, "activated", 5, 0, 25),
            (1, "fulfilled", 15, 10, 25),
            (2, "activated", 40, 0, 60),
            (2, "breached", 60, 20, 60),
        ]

    def test_in_a_pausing_status_it_pauses_at_once(self) -> None:
        """
        agent 1   pending 2   customer 5 ..... open 9 ======= 29 due
        """
        log = [ticket(0, "created"), reply(1, "agent"), status(2, "pending"), reply(5, "customer"), status(9, "open")]
        assert ledger(log, self.POLICY, until=20, metric="next_response") == [
            (1, "activated", 5, 0, 25),
            (1, "paused", 5, 0, None),
            (1, "resumed", 9, 0, 29),
        ]


class TestResolution:
    POLICY = policy(sla(resolution="60m"))

    def test_a_pause_moves_the_due_time(self) -> None:
        """
        0 ==== 40 pending ........ 500 open ==== 520 due x ==== 530 solved
        """
        log = [ticket(0, "created"), status(40, "pending"), status(500, "open"), status(530, "solved")]
        assert ledger(log, self.POLICY, until=600) == [
            (1, "activated", 0, 0, 60),
            (1, "paused", 40, 40, None),
            (1, "resumed", 500, 40, 520),
            (1, "breached", 520, 60, 520),
            (1, "fulfilled", 530, 70, 520),
        ]

    def test_a_pause_at_due_comes_first_and_resuming_breaches(self) -> None:
        """
        0 ======== 60 pending ........ 100 open x
        """
        log = [ticket(0, "created"), status(60, "pending"), status(100, "open"), status(130, "pending")]
        assert ledger(log, self.POLICY, until=600)[1:] == [
            (1, "paused", 60, 60, None),
            (1, "resumed", 100, 60, 100),
            (1, "breached", 100, 60, 100),
            (1, "paused", 130, 90, 100),
        ]

    def test_solved_while_paused_is_met_without_a_due_time(self) -> None:
        """
        0 ==== 40 pending ........ 500 solved
        """
        log = [ticket(0, "created"), status(40, "pending"), status(500, "solved"), status(510, "closed")]
        assert ledger(log, self.POLICY, until=600)[2:] == [(1, "fulfilled", 500, 40, None)]
        assert totals(fold(log, [self.POLICY])["ticket_minutes"]) == {
            "created": 1,
            "solved": 1,
            "closed": 1,
            "fcr_unknown": 1,
            "resolution_met": 1,
            "resolution_elapsed_ms": 40 * MINUTE,
        }

    def test_merged_is_final(self) -> None:
        """
        0 ==== 10 merged      20 open, 30 reply: nothing
        """
        log = [ticket(0, "created"), ticket(10, "merged", into="U"), status(20, "open"), reply(30, "agent")]
        assert ledger(log, self.POLICY, until=600)[1:] == [(1, "cancelled", 10, 10, 60)]
        assert totals(fold(log, [self.POLICY])["ticket_minutes"]) == {"created": 1, "resolution_cancelled": 1}


class TestReopening:
    LOG = (ticket(0, "created", team="a"), status(40, "solved"), ticket(80, "assigned", team="b"), status(100, "open"))

    def test_exclude_closed_time(self) -> None:
        """
        0 ==== 40 solved        100 open ==== 120 due x
        """
        assert ledger(list(self.LOG), policy(sla(resolution="60m")), until=200)[1:] == [
            (1, "fulfilled", 40, 40, 60),
            (1, "reactivated", 100, 40, 120),
            (1, "breached", 120, 60, 120),
        ]

    def test_continue_breaches_in_the_closed_time(self) -> None:
        """
        0 ==== 40 solved ==== 60 x (team a) ==== 80 team b ==== 100 open
        """
        spec = policy(sla(resolution="60m"), clocks=reopening("continue"))
        assert ledger(list(self.LOG), spec, until=200)[2:] == [
            (1, "reactivated", 100, 100, 60),
            (1, "breached", 60, 60, 60),
        ]
        rows = fold(self.LOG, [spec], at(200))["ledger"]
        assert [(row["transition"], row["team"], row["cause_id"]) for row in rows[-2:]] == [
            ("reactivated", "b", "100-ticket.status_changed"),
            ("breached", "a", ""),
        ]

    def test_restart_cycle(self) -> None:
        """
        0 ==== 40 solved, met        100 open: cycle 2 ======== 160 x
        """
        spec = policy(sla(resolution="60m"), clocks=reopening("restart_cycle"))
        assert ledger(list(self.LOG), spec, until=200)[2:] == [
            (2, "activated", 100, 0, 160),
            (2, "breached", 160, 60, 160),
        ]
        assert outcome(list(self.LOG), spec, until=200) == ["met", "breached"]

    def test_a_fulfilment_taken_back_does_not_count(self) -> None:
        """
        0 ==== 40 solved        100 pending ........
        """
        log = [ticket(0, "created"), status(40, "solved"), status(100, "pending")]
        spec = policy(sla(resolution="60m"))
        assert ledger(log, spec, until=200)[2:] == [(1, "reactivated", 100, 40, 120), (1, "paused", 100, 40, None)]
        assert totals(fold(log, [spec])["ticket_minutes"]) == {
            "created": 1,
            "solved": 1,
            "reopened": 1,
            "fcr_unknown": 1,
        }


class TestRetargeting:
    BY_PRIORITY = policy(sla(resolution={"normal": "60m", "high": "30m", "low": "240m"}, warn_at=0.75))

    def test_more_elapsed_than_the_new_target_breaches_now(self) -> None:
        """
        0 ==== 40 high (30m) x, by the event
        """
        log = [ticket(0, "created"), ticket(40, "updated", priority="high")]
        assert ledger(log, self.BY_PRIORITY, until=200)[1:] == [
            (1, "retargeted", 40, 40, 40),
            (1, "breached", 40, 40, 40),
        ]
        assert fold(log, [self.BY_PRIORITY])["ledger"][-1]["cause_id"] == "40-ticket.updated"

    def test_a_new_target_can_be_at_risk_again(self) -> None:
        """
        0 ==== 45 at_risk (of 60) == 50 low ======= 180 at_risk (of 240) ==== 240 due
        """
        log = [ticket(0, "created"), ticket(50, "updated", priority="low")]
        assert ledger(log, self.BY_PRIORITY, until=200)[1:] == [
            (1, "at_risk", 45, 45, 60),
            (1, "retargeted", 50, 50, 240),
            (1, "at_risk", 180, 180, 240),
        ]

    def test_no_target_cancels_and_a_match_brings_it_back(self) -> None:
        """
        0 ==== 10 urgent: no target      20 normal again: elapsed 20 ==== 60 due
                  pending 30 ...... 50 open ==== 80 due
        """
        log = [ticket(0, "created"), ticket(10, "updated", priority="urgent"), ticket(20, "updated", priority="normal")]
        log += [status(30, "pending"), status(50, "open")]
        assert ledger(log, self.BY_PRIORITY, until=60)[1:] == [
            (1, "cancelled", 10, 10, 60),
            (1, "activated", 20, 20, 60),
            (1, "paused", 30, 30, None),
            (1, "resumed", 50, 30, 80),
        ]

    def test_a_policy_switch_banks_the_elapsed_time(self) -> None:
        """
        Mon 11:00 == 12:00 ..... 13:00 switch to 24x7 ======= 14:00 due (120m: 60 office, 60 always)
        """
        old = policy(sla(calendar="office", resolution="120m"))
        new = old | {"version": "v2", "effective_from": "2026-10-12T13:00:00Z", "sla": [sla(resolution="120m")]}
        log = [ticket(11 * HOUR, "created")]
        assert ledger(log, new, old, until=DAY) == [
            (1, "activated", 660, 0, 13 * HOUR + 30 + 60),
            (1, "retargeted", 780, 60, 840),
            (1, "breached", 840, 120, 840),
        ]

    def test_third_working_day_is_met_until_its_close(self) -> None:
        """
        Mon 10:00 | Tue 1 | Wed 2 | Thu 3 closes 18:00: 2 h + 4.5 h of Monday + 3 x 7.5 h = 29 h
        """
        spec = policy(sla(calendar="office", resolution="3wd"))
        row = fold([ticket(10 * HOUR, "created")], [spec])["ledger"][0]
        assert (row["target_ms"], minute(row["due_at"])) == (29 * HOUR * MINUTE, 3 * DAY + 18 * HOUR)
