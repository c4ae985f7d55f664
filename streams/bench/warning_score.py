"""Precision, recall and lead time of warnings, beside a predictor that warns as often, at random. PURE.

    subject  ──candidate─────warning───────────outcome──────────>
                                |<-- horizon ------------->|        the warning is a hit; the outcome is caught
                                |<---- lead ----->|

A warning is a hit if an outcome of the same subject follows it within the horizon (strictly after it). An outcome is
caught if a warning came before it within the horizon; its lead time is from the first such warning.

The random predictor draws as many warnings, without replacement, from the *candidates*: the (subject, instant) pairs at
which a warning could have been raised. Its mean result needs no drawing:

    precision   the share of candidates that an outcome follows: the base rate
    recall      of an outcome with k of the M candidates before it, 1 - C(M - k, N) / C(M, N); the mean of that
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import exp, fsum, lgamma
from statistics import quantiles
from typing import NamedTuple

Moment = tuple[str, int]  # a subject, and an instant (ms)
FOREVER = 1 << 62


class Score(NamedTuple):
    """Shares are None where there is nothing to be a share of; lead times in ms."""

    warnings: int
    hits: int
    precision: float | None
    outcomes: int
    caught: int
    recall: float | None
    lead_p10: float | None
    lead_median: float | None
    lead_p90: float | None
    candidates: int
    random_precision: float | None
    random_recall: float | None


def score(
    warnings: Sequence[Moment], outcomes: Sequence[Moment], candidates: Sequence[Moment], horizon: int = FOREVER
) -> Score:
    """Score `warnings` against `outcomes` within `horizon` (ms), beside random ones among `candidates`."""
    warned, followed, chances = _by_subject(warnings), _by_subject(outcomes), _by_subject(candidates)
    hits = sum(_follows(followed.get(subject, ()), at, horizon) for subject, at in warnings)
    leads = []
    for subject, at in outcomes:
        before = _before(warned.get(subject, ()), at, horizon)
        if before:
            leads.append(at - before[0])
    tenths = quantiles(leads, n=10, method="inclusive") if len(leads) > 1 else leads * 9
    lucky = sum(_follows(followed.get(subject, ()), at, horizon) for subject, at in candidates)
    ways = Counter(len(_before(chances.get(subject, ()), at, horizon)) for subject, at in outcomes)
    total, drawn = len(candidates), min(len(warnings), len(candidates))
    expected = fsum(number * _drawn_once(total, k, drawn) for k, number in ways.items())
    return Score(
        warnings=len(warnings),
        hits=hits,
        precision=_share(hits, len(warnings)),
        outcomes=len(outcomes),
        caught=len(leads),
        recall=_share(len(leads), len(outcomes)),
        lead_p10=tenths[0] if leads else None,
        lead_median=tenths[4] if leads else None,
        lead_p90=tenths[8] if leads else None,
        candidates=total,
        random_precision=_share(lucky, total),
        random_recall=_share(expected, len(outcomes)),
    )


def _drawn_once(total: int, k: int, drawn: int) -> float:
    """The chance that of `drawn` out of `total`, without replacement, at least one is among `k`: hypergeometric."""
    if not k or not drawn:
        return 0.0
    if drawn > total - k:
        return 1.0
    none = lgamma(total - k + 1) - lgamma(total - k - drawn + 1) - lgamma(total + 1) + lgamma(total - drawn + 1)
    return 1.0 - exp(none)


def _by_subject(moments: Sequence[Moment]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for subject, at in moments:
        found[subject].append(at)
    for instants in found.values():
        instants.sort()
    return found


def _follows(instants: Sequence[int], at: int, horizon: int) -> bool:
    n = bisect_right(instants, at)
    return n < len(instants) and instants[n] <= at + horizon


def _before(instants: Sequence[int], at: int, horizon: int) -> Sequence[int]:
    return instants[bisect_left(instants, at - horizon) : bisect_left(instants, at)]


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
