"""Surges: the distribution against scipy's, the baseline of an hour and weekday, injected surges, false alarms."""

import math
from collections.abc import Callable
from random import Random
from zoneinfo import ZoneInfo

import pytest

from streams.desk.policy.versions import parse
from streams.desk.window_rules.baseline import Baseline
from streams.desk.window_rules.surge import judge_surge, log10_tail
from streams.models.instants import DAY, HOUR, MINUTE, QUARTER, WEEK
from tests.desk.logs import MONDAY

UTC, SHANGHAI, BERLIN = ZoneInfo("UTC"), ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
HALF = 30 * MINUTE
RULE = parse(
    """
version = "v"
timezone = "UTC"
[windows]
rolling = ["30m"]
[[rules]]
rule = "category.surge"
window = "30m"
raise_at = 4.0
clear_at = 2.0
min_n = 20
""",
    "policy",
).rules[0]


@pytest.mark.parametrize(
    ("n", "shape", "p", "log10"),
    [  # scipy 1.17.1: scipy.stats.nbinom.logsf(n - 1, shape, p) / log(10)
        (10, 2.5, 0.3, -0.7511935877663712),
        (60, 87.5, 0.75, -4.7817229467968545),
        (23, 0.5, 0.75, -14.719676981951826),
        (500, 40.0, 0.2, -15.944597204613672),
    ],
)
def test_the_tail_is_scipys(n: int, shape: float, p: float, log10: float) -> None:
    assert log10_tail(n, shape, p) == pytest.approx(log10, abs=1e-9)


def test_the_tail_of_what_never_happens_has_no_floor() -> None:
    assert log10_tail(5000, 0.5, 0.9) < -1000
    assert log10_tail(0, 0.5, 0.9) == 0


def fill(baseline: Baseline, contacts: Callable[[int], int], until: int) -> None:
    for minute in range(MONDAY, until, MINUTE):
        if n := contacts(minute):
            baseline.add("bill", minute, n)


def test_what_is_usual_is_the_mean_of_the_same_hours_of_the_weeks_before() -> None:
    """One contact a minute in week 1, two in week 2: a window of 30 minutes brings 45."""
    baseline, at = Baseline(), MONDAY + 2 * WEEK + 10 * HOUR
    fill(baseline, lambda minute: 1 if minute < MONDAY + WEEK else 2, at)
    expected = baseline.expected("bill", at, HALF, UTC)
    assert expected is not None
    assert expected.windows == 6  # an hour and a half in each of two weeks
    assert expected.mean == pytest.approx(45 + 0.5 / 6)


def test_other_hours_and_weekdays_do_not_count() -> None:
    baseline, at = Baseline(), MONDAY + 3 * WEEK + 10 * HOUR
    fill(baseline, lambda minute: 100 * (minute // DAY % 7 != MONDAY // DAY % 7), at)
    baseline.add("bill", MONDAY, 1)
    expected = baseline.expected("bill", at, HALF, UTC)
    assert expected is not None
    assert expected.mean < 1


def test_while_there_are_few_weeks_the_days_before_count_too() -> None:
    baseline, at = Baseline(), MONDAY + 3 * DAY + 10 * HOUR
    fill(baseline, lambda minute: 1, at)
    expected = baseline.expected("bill", at, HALF, UTC)
    assert expected is not None
    assert expected.windows == 9
    assert baseline.expected("bill", MONDAY + HOUR, HALF, UTC) is None  # nothing is known of any such hour


def test_the_hour_is_that_of_the_wall() -> None:
    """Berlin, 25 October 2026: clocks go back. 09:30-10:00 on the 26th is compared with 09:30-10:00 a week before."""
    baseline, week = Baseline(), MONDAY + WEEK  # Monday the 19th
    baseline.add("other", week - 6 * DAY, 1)
    for minute in range(30):
        baseline.add("bill", week + 7 * HOUR + HALF + minute * MINUTE, 1)  # 09:30 summer time is 07:30 UTC
    expected = baseline.expected("bill", week + WEEK + 9 * HOUR, HALF, BERLIN)  # 10:00 winter time is 09:00 UTC
    assert expected is not None
    assert expected.mean == pytest.approx(30 / 7)  # with the six days before


def poisson(random: Random, mean: float) -> int:
    limit, n, product = math.exp(-mean), 0, random.random()
    while product > limit:
        n, product = n + 1, product * random.random()
    return n


def busy(minute: int) -> float:
    """Contacts a minute: three from 8 to 20, half as many at the weekend, few at night."""
    day = 3.0 if 8 <= minute % DAY // HOUR < 20 else 0.2
    return day * (0.5 if minute % WEEK // DAY in (2, 3) else 1.0)  # the epoch was a Thursday


def judged(baseline: Baseline, counts: dict[int, int], at: int) -> bool:
    n = sum(counts.get(minute, 0) for minute in range(at - HALF, at, MINUTE))
    return n >= RULE.min_n and judge_surge(RULE, baseline, "bill", at, n, UTC).raised


@pytest.mark.parametrize("times", [2, 3])
def test_an_injected_surge_is_found_within_30_minutes(times: int) -> None:
    """Ninety contacts in half an hour are usual; from each of eight starts on, twice or three times as many come."""
    random, baseline = Random(times), Baseline()
    for minute in range(MONDAY, MONDAY + 3 * WEEK + 4 * DAY, MINUTE):
        baseline.add("bill", minute, poisson(random, busy(minute)))
    for n in range(8):
        start = MONDAY + 3 * WEEK + (n % 4) * DAY + (9 + n) * HOUR
        surge = {minute: poisson(random, busy(minute)) for minute in range(start - HALF, start, MINUTE)}
        surge |= {minute: poisson(random, times * busy(minute)) for minute in range(start, start + HALF, MINUTE)}
        assert not judged(baseline, surge, start)
        assert any(judged(baseline, surge, at) for at in range(start + MINUTE, start + HALF + 1, MINUTE))


def test_weeks_as_usual_raise_nothing_but_once_in_a_while() -> None:
    """Five reasons over their third week, judged at every tenth minute: at most one false alarm."""
    alarms = 0
    for seed in range(5):
        random, baseline = Random(seed), Baseline()
        counts: dict[int, int] = {}
        for minute in range(MONDAY, MONDAY + 3 * WEEK, MINUTE):
            counts[minute] = poisson(random, busy(minute) / 2)
            baseline.add("bill", minute, counts[minute])
        alarms += any(judged(baseline, counts, at) for at in range(MONDAY + 2 * WEEK, MONDAY + 3 * WEEK, 10 * MINUTE))
    assert alarms <= 1


def test_a_reason_that_varies_more_is_given_more_room() -> None:
    calm, wild = Baseline(), Baseline()
    for quarter in range(2 * WEEK // QUARTER):
        calm.add("bill", MONDAY + quarter * QUARTER, 10)
        wild.add("bill", MONDAY + quarter * QUARTER, 20 * (quarter // 2 % 2 ^ (quarter >= WEEK // QUARTER)))
    at = MONDAY + 2 * WEEK + DAY
    assert calm.dispersion("bill", at) == 1
    assert wild.dispersion("bill", at) > 20
