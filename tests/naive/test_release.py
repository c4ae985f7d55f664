"""Worked examples of release: what is timed after it changes nothing, in every fold.

Numbers on the time lines are minutes after Monday 2026-10-12 00:00 UTC.
"""

import pytest

from tests.naive.cases import of
from tests.naive.desk import Row, call, event, policy, status, ticket, totals
from tests.naive.fold import fold

DAY = 24 * 60
SCALE: Row = {"survey_id": "S", "metric": "csat", "score": 5, "scale_min": 1, "scale_max": 5}


class TestRelease:
    """0 over |------ 90 days ------| what is timed after that changes nothing."""

    LATE = (90 * DAY, 90 * DAY + 0.001)

    def test_of_a_ticket(self) -> None:
        log = [ticket(-9, "created", agent_id="a"), status(-5, "solved"), status(0, "closed")]
        for when, agent in zip(self.LATE, ("b", "a"), strict=True):
            more = [ticket(when, "assigned", agent_id="b")]
            assert of(fold([*log, *more], [policy()])["tickets"], "agent_id") == [agent]

    def test_not_of_one_that_was_reopened(self) -> None:
        log = [ticket(-9, "created", agent_id="a"), status(-5, "solved"), status(0, "open")]
        more = [ticket(99 * DAY, "assigned", agent_id="b")]
        assert of(fold([*log, *more], [policy()])["tickets"], "agent_id") == ["b"]

    @pytest.mark.parametrize(
        "over",
        [
            [call(-9, "answered", wait_s=1), call(0, "ended", talk_s=9)],
            [call(0, "abandoned", wait_s=9)],
            [call(0, "ended")],
        ],
    )
    def test_of_a_call(self, over: list[Row]) -> None:
        log = [call(-9, "offered"), *over]
        for when, legs in zip(self.LATE, (1, 0), strict=True):
            more = [call(when, "ended", "again", talk_s=5)]
            found = totals(fold([*log, *more], [policy()])["call_minutes"])
            assert found.get("legs", 0) - ("answered" in str(over)) == legs

    def test_of_surveys_and_reviews_about_it(self) -> None:
        log = [ticket(-9, "created"), status(0, "solved"), call(-9, "offered"), call(0, "abandoned", wait_s=9)]
        for when, counted in zip(self.LATE, (1, 0), strict=True):
            for name in ({"ticket_id": "T"}, {"call_id": "C"}):
                more = [event(when, "survey.responded", **SCALE, **name)]
                more.append(event(when, "review.completed", review_id="r", passed=True, **name))
                tables = fold([*log, *more], [policy()])
                assert (len(tables["survey_minutes"]), len(tables["reviews"])) == (counted, counted)

    def test_of_a_callback(self) -> None:
        log = [event(-9, "callback.due", callback_id="c"), event(0, "callback.done", callback_id="c")]
        for when, reached in zip(self.LATE, (1, None), strict=True):
            more = [event(when, "callback.rescheduled", callback_id="c", reached=True)]
            assert of(fold([*log, *more], [policy()])["callbacks"], "reached") == [reached]
