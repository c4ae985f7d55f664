"""The shipped rules on a recorded month: the warnings raised, and no flapping, in every arrangement."""

from collections import Counter
from itertools import pairwise

import pytest

from streams import policies
from streams.models.rows import WarningRow
from streams.replay.log import place, read
from tests.desk.test_watch import Pipeline
from tests.recorded import service_month

pytestmark = pytest.mark.bench
SHIPPED = policies.load(policies.DEFAULT)


def warnings_of(partitions: int, together: int) -> dict[str, WarningRow]:
    """The warnings of the month, `together` lines between two checkpoints."""
    pipeline = Pipeline(partitions, SHIPPED)
    latest = 0
    for n, value in enumerate(read([service_month()]), 1):
        line = place(value)
        assert line.event is not None
        pipeline.feed(line.event, value)
        latest = max(latest, line.event.at)
        if n % together == 0:
            pipeline.advance(latest)
            for desk in pipeline.desks:
                pipeline.checkpoint(desk)
    return pipeline.finish(latest)


def test_what_the_shipped_rules_raise_in_the_month() -> None:
    found = warnings_of(1, 1000)
    raised = Counter(row.rule for row in found.values())
    # The month has no complaints, no announcements: severe_complaints.high and policy.short_notice cannot be raised.
    # It has no inspections either, so teams with thirty tickets solved in a day get that warning.
    of_rates = {"breach_rate.high", "csat.low", "service_level.low", "abandon_rate.high", "review.coverage"}
    assert set(raised) == {*of_rates, "category.surge"}
    assert min(raised.values()) >= 3
    assert raised["category.surge"] <= 4  # four weeks
    cooldowns = {(rule.rule, rule.by): rule.cooldown_ms for rule in SHIPPED.versions[0].rules}
    by_evaluation: dict[tuple[str, str], list[WarningRow]] = {}
    for row in sorted(found.values(), key=lambda row: row.raised_at):
        by_evaluation.setdefault((row.rule, row.subject), []).append(row)
    for (rule, _), rows in by_evaluation.items():
        by = rows[0].dimension if (rule, rows[0].dimension) in cooldowns else "all"  # where there is no choice
        changes = [at for row in rows for at in (row.raised_at, row.cleared_at) if at is not None]
        assert all(later - earlier >= cooldowns[rule, by] for earlier, later in pairwise(changes))  # type: ignore[index]
    assert warnings_of(3, 7000) == found
