"""Worked examples of calls, every figure reckoned by hand.

Numbers on the time lines are minutes after Monday 2026-10-12 00:00 UTC; `=` runs, `.` stands still, `x` breaches.
"""

import pytest

from tests.naive.desk import at, call, minute, policy, totals
from tests.naive.fold import fold


class TestCalls:
    def test_all_counts_under_the_first_queue_but_the_legs(self) -> None:
        """
        0 offered (q1, a)   1 answered   2 transferred (q2, b)   9 ended: the leg began in q1
        """
        log = [
            call(0, "offered", queue="q1", team="a"),
            call(0.1, "offered", "again", queue="q9"),
            call(1, "answered", wait_s=20),
            call(2, "transferred", to_queue="q2", to_team="b"),
            call(9, "ended", talk_s=480, hold_s=1.5),
        ]
        rows = fold(log, [policy()])["call_minutes"]
        assert [(minute(row["minute"]), row["queue"], row["team"], totals([row])) for row in rows] == [
            (0, "q1", "a", {"offered": 1}),
            (1, "q1", "a", {"answered": 1, "answered_in_target": 1, "wait_ms": 20_000}),
            (2, "q1", "a", {"transferred": 1}),
            (9, "q1", "a", {"ended": 1, "legs": 1, "talk_ms": 480_000, "hold_ms": 1_500}),
        ]

    @pytest.mark.parametrize(
        ("wait_s", "stage", "expected"),
        [
            (5, "queue", {"abandoned": 1, "abandoned_in_target": 1, "short_abandoned": 1}),
            (20, "ring", {"abandoned": 1, "abandoned_in_target": 1}),
            (20.001, "queue", {"abandoned": 1}),
            (0, "ivr", {"abandoned_ivr": 1}),
        ],
    )
    def test_abandoned(self, wait_s: float, stage: str, expected: dict[str, int]) -> None:
        """
        wait   0 ---- 5 s short ---- 20 s in target ----
        """
        log = [call(0, "offered", queue="q1"), call(1, "abandoned", wait_s=wait_s, stage=stage)]
        assert totals(fold(log, [policy()])["call_minutes"]) == {"offered": 1} | expected

    @pytest.mark.parametrize(("as_of", "lost_at"), [(120, None), (121, 120)])
    def test_a_call_that_never_ends_is_lost(self, as_of: float, lost_at: float | None) -> None:
        """
        0 offered |-------- max_wait 120 --------| lost, once as_of is after it
        """
        rows = fold([call(0, "offered", queue="q1")], [policy()], at(as_of))["call_minutes"]
        assert [minute(row["minute"]) for row in rows if row["lost"]] == ([lost_at] if lost_at else [])

    def test_an_answered_call_that_never_ends_is_closed_but_not_counted_as_lost(self) -> None:
        """
        0 offered   1 answered |-------- max_talk 120 --------| 121 closed      queued = offered = answered = 1
        """
        log = [call(0, "offered"), call(1, "answered", wait_s=60), call(2, "abandoned", wait_s=1)]
        tables = fold(log, [policy()], at(300))
        assert totals(tables["call_minutes"]) == {"offered": 1, "answered": 1, "wait_ms": 60_000}
        assert [row["outcome"] for row in tables["calls"]] == ["lost"]
        assert [row["outcome"] for row in fold(log, [policy()], at(121))["calls"]] == ["answered"]
        assert [row["outcome"] for row in fold([*log, call(300, "ended")], [policy()])["calls"]] == ["ended"]

    def test_what_goes_on_was_not_lost(self) -> None:
        """
        0 offered |-------- max_wait 120 --------|   130 answered   131 ended
        """
        log = [call(0, "offered"), call(130, "answered", wait_s=7800), call(131, "ended", talk_s=60)]
        assert "lost" not in totals(fold(log, [policy()], at(999))["call_minutes"])

    def test_an_orphan_counts_nothing(self) -> None:
        """
        (no offer)   1 answered   2 ended
        """
        assert fold([call(1, "answered", wait_s=1), call(2, "ended")], [policy()])["call_minutes"] == []
