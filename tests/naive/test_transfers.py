"""Worked examples of transfers and of where a call waits, every figure reckoned by hand.

Numbers on the time lines are seconds after Monday 2026-10-12 00:00 UTC; `=` is a leg, `.` a wait.
"""

import pytest

from tests.naive.desk import Row, policy, totals
from tests.naive.fold import fold
from tests.naive.one_call import OFFERED, call, counts, legs, waits


class TestTransfers:
    ANSWERED = (call(5, "answered", wait_s=5, agent_id="a1"), call(60, "ended", talk_s=55))
    TO_SURVEY = call(60.4, "transferred", to_queue="q9", to_team="bots")

    def test_after_the_end_or_an_abandonment_it_changes_nothing(self) -> None:
        """
        5 a1 ===== 60 ended   60.4 q9              30 abandoned   60.4 q9
        """
        for log in (self.ANSWERED, (call(30, "abandoned", wait_s=30),), (call(30, "ended"),)):
            tables = fold([OFFERED, *log, self.TO_SURVEY], [policy()])
            assert "transferred" not in totals(tables["call_minutes"])
            assert [(row["queue"], row["team"]) for row in tables["calls"]] == [("q1", "a")]

    @pytest.mark.parametrize(
        "more", [call(70, "answered", wait_s=9, agent_id="a2"), call(99, "ended", agent_id="a2", talk_s=30)]
    )
    def test_it_counts_if_an_answer_or_a_leg_follows(self, more: Row) -> None:
        """
        5 a1 ===== 60 ended   60.4 q9   70 a2 =====
        """
        assert counts(*self.ANSWERED, self.TO_SURVEY, more)["transferred"] == 1
        assert legs(*self.ANSWERED, self.TO_SURVEY, more)[1][:3] == ("q9", "bots", "a2")

    def test_the_answer_of_an_earlier_end_does_not_follow_it(self) -> None:
        """
        58 ==== 60 ended   60.4 q9   60.5 answered (its end is at 60)
        """
        log = [call(60, "ended", talk_s=2), self.TO_SURVEY, call(60.5, "answered", wait_s=58)]
        assert "transferred" not in counts(*log)


class TestWaits:
    def test_it_waits_where_it_was_transferred_to_and_counts_where_it_was_offered(self) -> None:
        """
        0 offered (q1, a), menu   30 queued ... 40 q2 ....... 70 answered
        """
        offered = call(0, "offered", "o", queue="q1", team="a", ivr_s=30)
        moved = call(40, "transferred", to_queue="q2")
        assert waits(moved, offered=offered) == [("q1", "a", 30, 40), ("q2", "a", 40, None)]
        answered = call(70, "answered", wait_s=40)
        assert waits(moved, answered, offered=offered)[1] == ("q2", "a", 40, 70)
        rows = fold([offered, moved, answered], [policy()])["call_minutes"]
        assert [row["queue"] for row in rows if row["answered"]] == ["q1"]

    def test_it_waits_until_it_is_abandoned_or_lost(self) -> None:
        """
        0 ... 30 abandoned          0 ...... 7200 lost
        """
        assert waits(call(30, "abandoned", wait_s=30)) == [("q1", "a", 0, 30)]
        assert waits(call(9_000, "offered", call_id="D"))[0] == ("q1", "a", 0, 7_200)
