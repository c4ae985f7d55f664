"""Precision, recall, lead time and the random predictor: a worked example, and the laws of the closed forms."""

import random
from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.bench.warning_score import Moment, score

_moments = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=7, unique=True)


def test_a_worked_example() -> None:
    """
    a    0 candidate   5 warning   7 warning   9 outcome          caught, 4 before; both warnings hit
    b    0 candidate   5 outcome   5 warning                    a warning at the outcome's instant is too late
    c    0 candidate   1 warning                      30 outcome   within 20: not
    """
    warnings = [("a", 5), ("a", 7), ("b", 5), ("c", 1)]
    found = score(warnings, [("a", 9), ("b", 5), ("c", 30)], [("a", 0), ("b", 0), ("c", 0), ("c", 15)], horizon=20)
    assert (found.warnings, found.hits, found.precision) == (4, 2, 0.5)
    assert (found.outcomes, found.caught) == (3, 1)
    assert found.recall == pytest.approx(1 / 3)
    assert (found.lead_p10, found.lead_median, found.lead_p90) == (4, 4, 4)
    assert (found.random_precision, found.random_recall) == (0.75, 1.0)  # a, b, c at 15; all four are drawn


def test_nothing_to_be_a_share_of() -> None:
    found = score([], [], [])
    assert found.precision is found.recall is found.lead_median is found.random_precision is found.random_recall is None


@settings(max_examples=100, deadline=None)
@given(_moments, _moments.filter(bool), st.integers(1, 4), st.integers(1, 10))
def test_the_random_predictor_is_the_mean_over_all_draws(
    outcomes: list[Moment], candidates: list[Moment], number: int, horizon: int
) -> None:
    """Every choice of `drawn` candidates, scored as warnings: the closed form is their mean."""
    drawn = min(number, len(candidates))
    closed = score([("z", 0)] * drawn, outcomes, candidates, horizon)
    draws = [score(list(choice), outcomes, candidates, horizon) for choice in combinations(candidates, drawn)]
    assert closed.random_precision == pytest.approx(fmean(draw.precision or 0 for draw in draws))
    if outcomes:
        assert closed.random_recall == pytest.approx(fmean(draw.recall or 0 for draw in draws))


@settings(max_examples=100, deadline=None)
@given(_moments, _moments, st.integers(1, 10))
def test_order_changes_nothing_and_perfect_warnings_are_perfect(
    warnings: list[Moment], outcomes: list[Moment], horizon: int
) -> None:
    found = score(warnings, outcomes, outcomes, horizon)
    shuffled = random.Random(1).sample(warnings, len(warnings)), random.Random(2).sample(outcomes, len(outcomes))
    assert score(*shuffled, outcomes, horizon) == found
    perfect = score([(subject, at - 1) for subject, at in outcomes], outcomes, [], horizon)
    assert perfect.precision == perfect.recall == (1.0 if outcomes else None)
