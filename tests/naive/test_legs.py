"""Worked examples of legs, late answers and abandonments, every figure reckoned by hand.

Numbers on the time lines are seconds after Monday 2026-10-12 00:00 UTC; `=` is a leg, `.` a wait.
"""

from typing import Any

import pytest

from tests.naive.desk import in_seconds, policy, totals
from tests.naive.fold import fold
from tests.naive.one_call import OFFERED, call, counts, legs


class TestLegs:
    def test_a_transfer_makes_two_legs(self) -> None:
        """
        0 offered ... 12 a1 ===== 132 ended (and q2, b) .. 139 a2 ==== 312
        """
        log = [
            call(12, "answered", wait_s=12, agent_id="a1"),
            call(132, "transferred", to_queue="q2", to_team="b"),
            call(132, "ended", talk_s=110, hold_s=4, wrapup_s=6, agent_id="a1"),
            call(139, "answered", wait_s=7, agent_id="a2"),
            call(312, "ended", talk_s=173, agent_id="a2"),
        ]
        assert legs(*log) == [("q1", "a", "a1", 12, 132, 110), ("q2", "b", "a2", 139, 312, 173)]
        rows = [row for row in fold([OFFERED, *log], [policy()])["call_minutes"] if row["legs"]]
        assert [(row["queue"], totals([row])) for row in rows] == [
            ("q1", {"legs": 1, "talk_ms": 110_000, "hold_ms": 4_000, "wrapup_ms": 6_000, "transferred": 1}),
            ("q2", {"legs": 1, "talk_ms": 173_000, "ended": 1}),
        ]
        assert counts(*log)["answered"] == 1

    def test_an_end_ends_the_leg_of_its_agent(self) -> None:
        """
        10 a1 =============================== 60
               20 a2 ============ 50
        """
        log = [call(10, "answered", wait_s=10, agent_id="a1"), call(20, "answered", wait_s=20, agent_id="a2")]
        log += [call(50, "ended", agent_id="a2", talk_s=30), call(60, "ended", agent_id="a1", talk_s=50)]
        assert legs(*log) == [("q1", "a", "a1", 10, 60, 50), ("q1", "a", "a2", 20, 50, 30)]
        assert counts(*log)["ended"] == 1

    def test_an_end_that_names_nobody_ends_the_oldest_open_leg(self) -> None:
        """
        10 a1 ============ 50 (nobody)
               20 a2 ================= 60 (nobody)
        """
        log = [call(10, "answered", wait_s=10, agent_id="a1"), call(20, "answered", wait_s=20, agent_id="a2")]
        log += [call(50, "ended", talk_s=30), call(60, "ended", talk_s=40)]
        assert legs(*log) == [("q1", "a", "a1", 10, 50, 30), ("q1", "a", "a2", 20, 60, 40)]

    def test_a_leg_of_nobody_gets_the_agent_of_its_end(self) -> None:
        """
        10 (nobody) ============ 50 a1
        """
        assert legs(call(10, "answered", wait_s=10), call(50, "ended", agent_id="a1", talk_s=40)) == [
            ("q1", "a", "a1", 10, 50, 40)
        ]

    def test_while_a_leg_is_open_the_call_has_not_ended(self) -> None:
        """
        10 a1 ===== 50      60 a2 =====
        """
        log = [call(10, "answered", wait_s=10, agent_id="a1"), call(50, "ended", talk_s=40)]
        assert counts(*log)["ended"] == 1
        assert "ended" not in counts(*log, call(60, "answered", wait_s=1, agent_id="a2"))


class TestDerived:
    @pytest.mark.parametrize(
        ("parts", "began", "in_target"),
        [
            ({"talk_s": 30, "hold_s": 20, "wrapup_s": 30}, 20, 1),
            ({"talk_s": 79.999}, 20.001, 0),
            ({"talk_s": 999}, 0, 1),
        ],
    )
    def test_an_end_with_talk_began_its_leg(self, parts: dict[str, Any], began: float, in_target: int) -> None:
        """
        0 offered ... 20 ====== talk, hold, wrap-up ====== 100 ended          not before 0
        """
        end = call(100, "ended", agent_id="a1", **parts)
        assert in_seconds(fold([OFFERED, end], [policy()])["call_legs"], "began_at", "ended_at") == [(began, 100)]
        found = counts(end)
        assert (found["answered"], found.get("wait_ms", 0) / 1000) == (1, began)
        assert found.get("answered_in_target", 0) == in_target

    def test_it_queued_when_the_voice_menu_ended(self) -> None:
        """
        0 offered, menu ... 30 queued, answered ===== 100 ended (talk 90: not before 30)
        """
        log = [call(0, "offered", "o", ivr_s=30), call(100, "ended", talk_s=90)]
        tables = fold(log, [policy()])
        assert in_seconds(tables["call_legs"], "began_at") == [(30,)]
        assert totals(tables["call_minutes"])["answered_in_target"] == 1

    def test_it_is_of_the_queue_in_which_it_began(self) -> None:
        """
        0 q1 ... 40 ==== 60 q2 ==== 100 ended       50 q2 ... 60 ==== 100 ended
        """
        end = call(100, "ended", talk_s=60)
        assert legs(call(60, "transferred", to_queue="q2"), end)[0][0] == "q1"
        assert legs(call(30, "transferred", to_queue="q2"), end)[0][0] == "q2"

    def test_a_second_leg_without_an_answer(self) -> None:
        """
        10 a1 ==== 50      70 ==== 100 a2
        """
        log = [call(10, "answered", wait_s=10, agent_id="a1"), call(50, "ended", agent_id="a1", talk_s=40)]
        log += [call(100, "ended", agent_id="a2", talk_s=30)]
        assert [leg[2:5] for leg in legs(*log)] == [("a1", 10, 50), ("a2", 70, 100)]
        assert (counts(*log)["answered"], counts(*log)["ended"], counts(*log)["legs"]) == (1, 1, 2)


class TestLateAnswers:
    def test_an_answer_stamped_after_its_end_still_answers(self) -> None:
        """
        0 offered ... 10 ==== 12 ended (talk 2)   12.3 answered, wait 9
        """
        log = [call(12, "ended", agent_id="a1", talk_s=2), call(12.3, "answered", agent_id="a1", wait_s=9)]
        assert legs(*log) == [("q1", "a", "a1", 10, 12, 2)]
        one = {"answered": 1, "wait_ms": 9_000, "answered_in_target": 1, "legs": 1, "talk_ms": 2_000, "ended": 1}
        assert counts(*log) == one
        (row,) = fold([OFFERED, *log], [policy()])["calls"]
        assert in_seconds([row], "outcome", "answered_at", "ended_at") == [("ended", 12.3, 12)]

    def test_without_talk_too(self) -> None:
        """
        0 offered ... 12 ended: an abandonment, until   12.3 answered
        """
        end = call(12, "ended")
        assert counts(end) == {"abandoned": 1, "abandoned_in_target": 1}
        assert counts(end, call(12.3, "answered", wait_s=12)) == {
            **{"answered": 1, "answered_in_target": 1, "wait_ms": 12_000, "legs": 1, "ended": 1}
        }

    def test_a_later_end_comes_first(self) -> None:
        """
        10 ==== 40 ended (talk 30)     60 answered ===== 90 ended
        """
        log = [call(40, "ended", talk_s=30), call(60, "answered", wait_s=55, agent_id="a2")]
        assert [leg[2:5] for leg in legs(*log)] == [("a2", 10, 40)]
        assert [leg[2:5] for leg in legs(*log, call(90, "ended", talk_s=30))] == [("", 10, 40), ("a2", 60, 90)]

    def test_the_end_of_another_agent_is_not_its_end(self) -> None:
        """
        10 a1 ==== 40 ended     60 a2 ======
        """
        log = [call(40, "ended", agent_id="a1", talk_s=30), call(60, "answered", wait_s=55, agent_id="a2")]
        assert [leg[2:5] for leg in legs(*log)] == [("a1", 10, 40), ("a2", 60, None)]
        assert counts(*log)["wait_ms"] == 10_000  # it was answered at 10


class TestAbandonments:
    def test_an_answer_takes_one_back(self) -> None:
        """
        0 offered ... 9.5 abandoned   10 answered ===== 70 ended
        """
        log = [call(9.5, "abandoned", wait_s=9.5, stage="ring"), call(10, "answered", wait_s=9)]
        log += [call(70, "ended", talk_s=60)]
        assert counts(*log) == {
            **{"answered": 1, "answered_in_target": 1, "wait_ms": 9_000, "legs": 1, "talk_ms": 60_000, "ended": 1}
        }

    def test_talk_takes_one_back(self) -> None:
        """
        0 offered ... 9.5 abandoned   10 ===== 70 ended (talk 60)
        """
        found = counts(call(9.5, "abandoned", wait_s=9.5), call(70, "ended", talk_s=60))
        assert (found["answered"], found["wait_ms"], found.get("abandoned")) == (1, 10_000, None)

    def test_the_voice_menu_s_stands(self) -> None:
        """
        0 offered, menu   5 left it   10 answered, transferred, ended: nothing
        """
        log = [call(5, "abandoned", wait_s=0, stage="ivr"), call(10, "answered", wait_s=9)]
        log += [call(20, "transferred", to_queue="q2"), call(70, "ended", talk_s=60)]
        assert counts(*log) == {"abandoned_ivr": 1}
        assert legs(*log) == []

    @pytest.mark.parametrize(
        ("second", "expected"),
        [
            (5, {"abandoned": 1, "abandoned_in_target": 1, "short_abandoned": 1}),
            (20, {"abandoned": 1, "abandoned_in_target": 1}),
            (20.001, {"abandoned": 1}),
        ],
    )
    def test_an_end_without_talk_and_answer_is_one(self, second: float, expected: dict[str, int]) -> None:
        """
        0 offered ... 20 ended, no talk: abandoned after 20 s
        """
        assert counts(call(second, "ended", agent_id="a1"), as_of=99_999) == expected

    def test_after_an_answer_there_is_none(self) -> None:
        """
        10 a1 =========== 70        20 ended a2, no talk   80 abandoned: nothing
        """
        log = [call(10, "answered", wait_s=10, agent_id="a1"), call(70, "ended", agent_id="a1", talk_s=60)]
        more = [call(20, "ended", agent_id="a2"), call(80, "abandoned", wait_s=1)]
        assert counts(*log, *more) == counts(*log)
