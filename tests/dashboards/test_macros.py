"""Expanding the SQL of panels: the examples are from the documentation of the plugin, and from its own tests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboards.grafana.macros import ALL, MacroError, Range, conditional_all, expand, replace_variables

AT = Range(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC), 30_000)
START, END = 1793491200, 1793512800


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("$__fromTime, $__toTime", f"toDateTime({START}), toDateTime({END})"),
        ("$__toTime_ms", f"fromUnixTimestamp64Milli({END}000)"),
        ("$__timeFilter(minute)", f"minute >= toDateTime({START}) AND minute <= toDateTime({END})"),
        ("$__timeFilter_ms(t)",
         f"t >= fromUnixTimestamp64Milli({START}000) AND t <= fromUnixTimestamp64Milli({END}000)"),
        ("$__dateFilter(day)", "day >= toDate('2026-11-01') AND day <= toDate('2026-11-01')"),
        ("$__timeInterval(minute)", "toStartOfInterval(toDateTime(minute), INTERVAL 30 second)"),
        ("$__timeGroup(minute, '1h30m')", "toStartOfInterval(toDateTime(minute), INTERVAL 5400 second)"),
        ("$__interval_s", "30"),
        ("$__timeInterval(greatest(a, $__fromTime))",
         f"toStartOfInterval(toDateTime(greatest(a, toDateTime({START}))), INTERVAL 30 second)"),
        ("$__timeGroup(if(a = ')', b, c), '5m')",
         "toStartOfInterval(toDateTime(if(a = ')', b, c)), INTERVAL 300 second)"),
        ("1 -- $__nothing(\n, 2 /* none */", "1  \n, 2  "),
    ],
)  # fmt: skip
def test_macros(sql: str, expected: str) -> None:
    assert expand(sql, AT, {}, {}) == expected


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [([ALL], "1=1"), (["a"], "team IN ('a')"), (["a", "it's"], "team IN ('a','it''s')")],
)
def test_a_condition_falls_away_where_all_is_chosen(chosen: list[str], expected: str) -> None:
    sql = "$__conditionalAll(team IN (${team:sqlstring}), $team)"
    assert expand(sql, AT, {"team": chosen}, {"team": ["a", "it's", "b"]}) == expected


def test_all_without_a_condition_is_every_value() -> None:
    assert expand("team IN (${team:sqlstring})", AT, {"team": [ALL]}, {"team": ["a", "b"]}) == "team IN ('a','b')"


@pytest.mark.parametrize("form", ["$team", "${team}", "[[team]]", "${team:csv}", "${team:raw}"])
def test_what_would_be_put_in_unescaped_is_refused(form: str) -> None:
    with pytest.raises(MacroError, match=r"unescaped: write \$\{team:sqlstring\}\."):
        replace_variables(f"team = {form}", {"team": ["a"]})


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("$__timeFiltre(a)", r"\$__timeFiltre is no macro"),
        ("$__timeFilter(a, b)", "takes 1 arguments, not 2"),
        ("$__timeFilter", "takes 1 arguments, not 0"),
        ("$__timeFilter(a", "A parenthesis is not closed"),
        ("${queue:sqlstring}", "is no variable of the dashboard"),
        ("$__conditionalAll(a)", "takes 2 arguments, not 1"),
        ("$__conditionalAll(a, $queue)", "names \\$queue, which is no variable"),
    ],
)
def test_what_grafana_would_not_expand_is_an_error(sql: str, says: str) -> None:
    with pytest.raises(MacroError, match=says):
        expand(sql, AT, {"team": ["a"]}, {"team": ["a"]})


def test_conditions_may_hold_parentheses_and_commas() -> None:
    sql = "$__conditionalAll(f(a, ')') IN (${team:sqlstring}), $team) AND $__conditionalAll(b, $team)"
    assert conditional_all(sql, {"team": ["x"]}) == "f(a, ')') IN (${team:sqlstring}) AND b"
