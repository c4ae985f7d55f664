"""Worked examples of surveys, every figure reckoned by hand.

Numbers on the time lines are minutes after Monday 2026-10-12 00:00 UTC; `=` runs, `.` stands still, `x` breaches.
"""

from typing import Any

import pytest

from tests.naive.desk import Row, call, event, minute, policy, ticket, totals
from tests.naive.fold import fold


def answer(when: float, score: float, metric: str = "csat", **data: Any) -> Row:
    """An answer to survey S, on 1..5, or 0..10 for nps."""
    scale = {"scale_min": 0, "scale_max": 10} if metric == "nps" else {"scale_min": 1, "scale_max": 5}
    return event(when, "survey.responded", survey_id="S", metric=metric, score=score, **(scale | data))


class TestSurveys:
    @pytest.mark.parametrize(
        ("metric", "score", "expected"),
        [
            ("csat", 5, {"very_positive": 1, "positive": 1, "score_sum": 1_000_000}),
            ("csat", 4, {"positive": 1, "score_sum": 750_000}),
            ("ces", 3.5, {"neutral": 1, "score_sum": 625_000}),
            ("csat", 3, {"negative": 1, "score_sum": 500_000}),
            ("nps", 9, {"promoters": 1, "score_sum": 900_000}),
            ("nps", 7, {"passives": 1, "score_sum": 700_000}),
            ("nps", 6, {"detractors": 1, "score_sum": 600_000}),
        ],
    )
    def test_classes(self, metric: str, score: float, expected: dict[str, int]) -> None:
        """
        1..5    1    2    3 negative | 3.5 neutral | 4 positive | 5 very positive
        0..10   0 ... 6 detractors | 7 8 passives | 9 10 promoters
        """
        rows = fold([answer(0, score, metric)], [policy()])["survey_minutes"]
        assert totals(rows) == {"responses": 1} | expected

    def test_half_a_millionth_is_rounded_to_even(self) -> None:
        """
        1 / 2,000,000 -> 0.5 millionths -> 0        3 / 2,000,000 -> 1.5 -> 2
        """
        answers = [answer(0, score, scale_min=0, scale_max=2_000_000) for score in (1, 3)]
        sums = [fold([one], [policy()])["survey_minutes"][0]["score_sum"] for one in answers]
        assert sums == [0, 2]

    def test_the_latest_answer_stands_with_the_ticket_as_it_stood(self) -> None:
        """
        0 created (a, web)   1 offered   2 answer 1   3 team b   4 answer 5   6 team c
        """
        log = [
            ticket(0, "created", team="a", channel="web"),
            event(1, "survey.offered", survey_id="S", ticket_id="T"),
            answer(2, 1, ticket_id="T"),
            ticket(3, "assigned", team="b", agent_id="x"),
            answer(4, 5, ticket_id="T", segment="vip"),
            ticket(6, "assigned", team="c"),
        ]
        rows = fold(reversed(log), [policy()])["survey_minutes"]
        dims = [[row[name] for name in ("metric", "team", "channel", "segment", "agent_id")] for row in rows]
        assert dims == [["", "a", "web", "", ""], ["csat", "b", "web", "vip", "x"]]
        assert [(minute(row["minute"]), row["offered"], row["responses"]) for row in rows] == [(1, 1, 0), (4, 0, 1)]

    def test_the_channel_of_a_call_is_the_phone(self) -> None:
        """
        0 offered (q1, a)   1 answered by x   2 answer
        """
        log = [call(0, "offered", queue="q1", team="a", segment="vip"), call(1, "answered", wait_s=3, agent_id="x")]
        (row,) = fold([*log, answer(2, 5, call_id="C")], [policy()])["survey_minutes"]
        assert [row[name] for name in ("team", "channel", "segment", "agent_id")] == ["a", "phone", "vip", "x"]
