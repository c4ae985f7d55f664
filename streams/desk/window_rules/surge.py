"""Surges: a category with far more contacts than is usual for that hour of that weekday.

The contacts of a window are compared with the same window in each of the four weeks before, extended by half an hour on
either side (the reference windows of Farrington et al. 1996). With fewer than two such weeks, the same hours of the
preceding days count as well:

    week -2   ....[=======|window|===]....      references: whole quarters of an hour
    week -1   ....[=======|window|===]....
    now                   |window|              expected: the mean of the references, a window long

The expected count is negative binomial. Its mean is that of the references (or that of the windows alone, if higher: at
opening time there are few contacts around them). Its variance is the mean times the dispersion, plus the uncertainty
of few references (Noufaily et al. 2013 use the same quantile; with dispersion 1 it is the posterior predictive of the
Bayes system of Riebler 2004, with the prior Gamma(1/2, 0)). The dispersion is the variance between the same half-hours
of two weeks, as a multiple of Poisson's. The verdict is in powers of ten: a log10_p of 4 means that such a count, or a
higher one, occurs once in ten thousand windows.

C. P. Farrington et al., A statistical algorithm for the early detection of outbreaks of infectious disease. JRSS A 159
(1996) 547-563. A. Noufaily et al., An improved algorithm for outbreak detection in multiple surveillance systems.
Statistics in Medicine 32 (2013) 1206-1222. A. Riebler, as `algo.bayes` of the R package surveillance.
"""

from math import lgamma, log, log10
from zoneinfo import ZoneInfo

from streams.desk.policy.rules import Rule
from streams.desk.window_rules.baseline import Baseline, Expected
from streams.desk.window_rules.measures import Verdict, limits, width

RAISE_RATIO, CLEAR_RATIO = 1.5, 1.25  # of the expected mean: a surge is raised above the first, over below the second
MAX_TERMS = 100_000  # of a sum


def judge_surge(rule: Rule, baseline: Baseline, category: str, at: int, contacts: int, zone: ZoneInfo) -> Verdict:
    """Judge the contacts of the window that ends at `at`, by log10_p and by the ratio to the mean."""
    window, (raise_at, clear_at) = width(rule), limits(rule)
    expected = baseline.expected(category, at, window, zone)
    if expected is None or contacts <= CLEAR_RATIO * expected.mean:
        return Verdict(False, True, {}, waits=True)
    expected = expected._replace(dispersion=baseline.dispersion(category, at))
    log10_p = log10_p_of(contacts, expected)
    measures = {
        "value": log10_p,
        "n": contacts,
        "usual": expected.mean,
        "dispersion": expected.dispersion,
        "raise_at": raise_at,
        "clear_at": clear_at,
        "window_s": window // 1000,
    }
    raised = contacts >= max(rule.min_n, RAISE_RATIO * expected.mean) and log10_p > raise_at
    return Verdict(raised, log10_p < clear_at, measures, waits=True)


def log10_p_of(n: int, expected: Expected) -> float:
    """The -log10 of the probability of `n` or more contacts."""
    p = 1 / (expected.dispersion * (1 + 1 / expected.windows))
    return -log10_tail(n, expected.mean * p / (1 - p), p)


def log10_tail(n: int, shape: float, p: float) -> float:
    """log10 of the probability of `n` or more in a negative binomial with mean shape * (1 - p) / p.

    The terms from n on, relative to the first, add up without underflow.
    """
    if n <= 0:
        return 0.0
    first = lgamma(n + shape) - lgamma(shape) - lgamma(n + 1) + shape * log(p) + n * log(1 - p)
    term = total = 1.0
    k = n
    while term > total * 1e-12 and k < n + MAX_TERMS:
        term *= (k + shape) / (k + 1) * (1 - p)
        total += term
        k += 1
    return min(0.0, first / log(10) + log10(total))
