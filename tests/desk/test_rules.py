"""The window rules: Wilson's bounds, limits, and the evaluation that judges minute by minute."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.output.warnings import raised_by_window_rule
from streams.desk.policy.versions import Policies, parse
from streams.desk.window_rules.measures import SERVICE_LEVELS, InForce, Rules, Verdict, judge_rate, wilson
from streams.desk.window_rules.rule_evaluation import RuleEvaluation
from streams.models.instants import HOUR, MINUTE
from streams.models.rows import WarningRow
from tests.desk.logs import MONDAY

KEY = ("breach_rate.high", "team")
COOLDOWN = 5 * MINUTE
TEXT = """
version = "v"
timezone = "UTC"
[calendars.mornings]
[calendars.mornings.hours]
mon = ["00:20-12:00"]
[windows]
rolling = ["5m", "10m", "1h"]
[[rules]]
rule = "breach_rate.high"
by = "team"
window = "10m"
raise_at = 0.3
clear_at = 0.1
min_n = 4
cooldown = "5m"
"""


@pytest.mark.parametrize(
    ("part", "whole", "lower", "upper"),
    [  # statsmodels 0.15.0: statsmodels.stats.proportion.proportion_confint(part, whole, method="wilson")
        (0, 10, 0.0, 0.27753279986288926),
        (1, 10, 0.017876213095072924, 0.40415002679523854),
        (5, 20, 0.11186170140766563, 0.4687008776187441),
        (20, 60, 0.22729261523522679, 0.4594313354788031),
        (10, 10, 0.7224672001371106, 1.0),
        (997, 1000, 0.9912169859464969, 0.9989792161188614),
    ],
)
def test_wilson_says_what_statsmodels_says(part: int, whole: int, lower: float, upper: float) -> None:
    assert wilson(part, whole) == pytest.approx((lower, upper), abs=1e-12)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share_and_mirrors(part: int, whole: int) -> None:
    part = min(part, whole)
    lower, upper = wilson(part, whole)
    assert 0 <= lower <= part / whole + 1e-12
    assert part / whole - 1e-12 <= upper <= 1
    assert wilson(whole - part, whole) == pytest.approx((1 - upper, 1 - lower))


def test_no_cases_say_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_variants_of_the_service_level() -> None:
    """100 offered, 10 left in the menu, 60 answered (45 in 20 s), 30 gave up (12 in 20 s, 6 in 5 s)."""
    counts = {
        "offered": 100, "abandoned_ivr": 10, "answered": 60, "answered_in_target": 45, "abandoned": 30,
        "abandoned_in_target": 12, "short_abandoned": 6,
    }  # fmt: skip
    assert {name: measure.of(counts) for name, measure in SERVICE_LEVELS.items()} == {
        "answered_of_offered": (45, 90),
        "answered_of_answered": (45, 60),
        "answered_of_answered_and_abandoned": (45, 90),
        "answered_without_short_abandons": (45, 84),
        "hits_with_abandons": (57, 90),
    }


# A single evaluation


@dataclass
class Bench:
    """An evaluation with the judge of rates, and warnings cut down to what matters here."""

    evaluation: RuleEvaluation

    def run(self, to: int) -> None:
        self.evaluation.run(to, self.judge, self.make)

    @staticmethod
    def judge(evaluation: RuleEvaluation, in_force: InForce, at: int, part: int, whole: int) -> Verdict:
        return judge_rate(in_force.rule, part, whole)

    @staticmethod
    def make(evaluation: RuleEvaluation, in_force: InForce, at: int, verdict: Verdict) -> WarningRow:
        return raised_by_window_rule(*KEY, evaluation.value, at, in_force.rule.severity, "v", measures=verdict.measures)


def bench(text: str = TEXT) -> Bench:
    return Bench(RuleEvaluation(KEY, "A", Rules(Policies([parse(text, "policy")]))))


def spans(evaluation: RuleEvaluation) -> list[tuple[int, int | None, str]]:
    """(minutes from Monday to raised, to cleared, by what) of each warning."""
    found = []
    for row in evaluation.warnings:
        cleared = None if row.cleared_at is None else (row.cleared_at - MONDAY) // MINUTE
        found.append(((row.raised_at - MONDAY) // MINUTE, cleared, row.cleared_by))
    return found


def add(evaluation: RuleEvaluation, minute: int, part: int, whole: int) -> None:
    evaluation.add(MONDAY + minute * MINUTE, part, whole)


def test_a_warning_is_raised_at_the_minutes_end_and_cleared_when_the_window_empties() -> None:
    """
    minute     |0 ... |3   |4     ...     |13  |14
    breaches           3/3  3/3
    window                 ├──── 10 m ─────┤
    warning                 ▲raised at 5    ▼ cleared at 15: both minutes have left
    """
    under = bench()
    add(under.evaluation, 3, 3, 3)
    under.run(MONDAY + 4 * MINUTE)
    assert spans(under.evaluation) == []  # three cases say nothing (min_n = 4)
    add(under.evaluation, 4, 3, 3)
    under.run(MONDAY + 60 * MINUTE)
    assert spans(under.evaluation) == [(5, 15, "too_few")]
    assert under.evaluation.warnings[0].measures["n"] == 6


def test_between_the_limits_nothing_changes() -> None:
    """
    lower bound   0.30 raise_at ─ ─ ─ ─
                       ▲raised    in between: stays
                  0.10 clear_at ─ ─ ─ ─ ─ ─ ─ ─  ▼ cleared
    """
    under = bench()
    add(under.evaluation, 0, 8, 10)  # lower bound 0.49
    add(under.evaluation, 8, 2, 30)  # 10 of 40: 0.14
    under.run(MONDAY + 10 * MINUTE)
    assert spans(under.evaluation) == [(1, None, "")]
    add(under.evaluation, 10, 0, 30)  # minute 0 has left, 2 of 60: 0.01
    under.run(MONDAY + 11 * MINUTE)
    assert spans(under.evaluation) == [(1, 11, "recovered")]


def test_the_cool_down_holds_a_warning_and_then_keeps_it_from_coming_again() -> None:
    """
    minute    0    1   2          6          8        11
    verdict   bad  good           .          bad      .
    warning   ▲1 ───────────────── ▼6                 ▲11      five minutes apart, both times
    """
    under = bench()
    add(under.evaluation, 0, 8, 8)
    add(under.evaluation, 1, 0, 500)
    add(under.evaluation, 7, 900, 900)
    under.run(MONDAY + 12 * MINUTE)
    assert spans(under.evaluation) == [(1, 6, "recovered"), (11, None, "")]


def test_outside_its_hours_a_rule_waits() -> None:
    """
    mornings        ┌ 00:20
    breaches   ├────┼──── window 1 h
    warning         ▲ 00:20
    """
    under = bench(TEXT.replace('"10m"\nraise', '"1h"\nhours = "mornings"\nraise'))
    add(under.evaluation, 0, 8, 8)
    under.run(MONDAY + 30 * MINUTE)
    assert spans(under.evaluation) == [(20, None, "")]


def test_a_rule_that_a_new_policy_drops_clears_its_warnings() -> None:
    new = TEXT.split("[[rules]]")[0].replace('"v"', '"w"\neffective_from = "2026-10-12T00:06:30Z"')
    rules = Rules(Policies([parse(TEXT, "a"), parse(new, "b")]))
    under = Bench(RuleEvaluation(KEY, "A", rules))
    add(under.evaluation, 0, 8, 8)
    under.run(MONDAY + HOUR)
    assert spans(under.evaluation) == [(1, 7, "policy")]


# Laws

_counts = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=60)


@settings(max_examples=300, deadline=None)
@given(_counts)
def test_two_changes_of_an_evaluation_lie_a_cool_down_apart(counts: list[tuple[int, int, int]]) -> None:
    under = bench()
    for minute, part, rest in counts:
        add(under.evaluation, minute, part, part + rest)
    under.run(MONDAY + 3 * HOUR)
    changes = [at for row in under.evaluation.warnings for at in (row.raised_at, row.cleared_at) if at is not None]
    assert all(later - earlier >= COOLDOWN for earlier, later in pairwise(changes))


@settings(max_examples=300, deadline=None)
@given(_counts, st.randoms(use_true_random=False))
def test_the_order_and_pace_in_which_counts_come_changes_nothing(
    counts: list[tuple[int, int, int]], random: Any
) -> None:
    in_order, shuffled = bench(), bench()
    for minute, part, rest in sorted(counts):
        add(in_order.evaluation, minute, part, part + rest)
    in_order.run(MONDAY + 3 * HOUR)
    random.shuffle(counts)
    for minute, part, rest in counts:
        add(shuffled.evaluation, minute, part, part + rest)
        if random.random() < 0.5:
            shuffled.run(MONDAY + random.randint(0, 120) * MINUTE)
    shuffled.run(MONDAY + 3 * HOUR)
    assert shuffled.evaluation.warnings == in_order.evaluation.warnings


@settings(max_examples=200, deadline=None)
@given(_counts)
def test_a_case_is_what_judging_every_minute_says(counts: list[tuple[int, int, int]]) -> None:
    """The naive way: at each minute's end sum the window from scratch, and compare with the limits."""
    under = bench()
    for minute, part, rest in counts:
        add(under.evaluation, minute, part, part + rest)
    under.run(MONDAY + 3 * HOUR)
    expected: list[tuple[int, int | None]] = []
    for at in range(1, 181):
        within = [(part, part + rest) for minute, part, rest in counts if at - 10 <= minute < at]
        part, whole = sum(part for part, _ in within), sum(whole for _, whole in within)
        lower = wilson(part, whole)[0]
        if expected and expected[-1][1] is None:
            if lower < 0.1 and at - expected[-1][0] >= 5:
                expected[-1] = (expected[-1][0], at)
        elif lower > 0.3 and whole >= 4 and (not expected or at - (expected[-1][1] or 0) >= 5):
            expected.append((at, None))
    assert [(raised, cleared) for raised, cleared, _ in spans(under.evaluation)] == expected
