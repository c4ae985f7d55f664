"""The window rules: what each measures, and the verdict on the sums over a window: raised, over, or neither.

A rate is judged by its Wilson interval (95 %), so that small numbers do not warn. A high rate raises when the lower
end of the interval exceeds `raise_at`, and is over when that end is below `clear_at`; a low rate is the mirror image.

    breach rate   0 ......clear_at......raise_at...... 1
    10 of 40                     [-----------]            lower 14 %: not over 15 %, nothing
    20 of 60                        [-----------]         lower 23 %: raised
     6 of 60            [-------]                         lower 5 %, under clear_at: over

E. B. Wilson, Probable inference, the law of succession, and statistical inference. JASA 22 (1927) 209-212.
"""

from bisect import bisect_right
from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

from streams.desk.policy.rules import RULE_SUBJECTS, Rule
from streams.desk.policy.versions import Policies, Policy
from streams.models.instants import MINUTE

Counts = Mapping[str, int]
Key = tuple[str, str]  # a rule's name, and its dimension
Weights = dict[str, int]  # counter of the tally -> weight

Z = 1.959963984540054  # of 95 %, two-sided
SURGE, SHORT_NOTICE = "category.surge", "policy.short_notice"


class Measure(NamedTuple):
    """A share: `part` of `whole`, both sums over counters."""

    part: Weights
    whole: Weights

    def of(self, counts: Counts) -> tuple[int, int]:
        """Return (part, whole) for the counts."""
        part, whole = self.part, self.whole
        return (
            sum(part[name] * n for name, n in counts.items() if name in part),
            sum(whole[name] * n for name, n in counts.items() if name in whole),
        )


_ANSWERED, _ABANDONED = {"answered": 1}, {"answered": 1, "abandoned": 1}
_IN_TARGET = {"answered_in_target": 1}
_CONTACTS = {"created": 1, "offered": 1}
SERVICE_LEVELS = {
    "answered_of_offered": Measure(_IN_TARGET, {"offered": 1, "abandoned_ivr": -1}),
    "answered_of_answered": Measure(_IN_TARGET, _ANSWERED),
    "answered_of_answered_and_abandoned": Measure(_IN_TARGET, _ABANDONED),
    "answered_without_short_abandons": Measure(_IN_TARGET, {**_ABANDONED, "short_abandoned": -1}),
    "hits_with_abandons": Measure({**_IN_TARGET, "abandoned_in_target": 1}, _ABANDONED),
}
MEASURES = {
    "breach_rate.high": Measure({"breached": 1}, {"met": 1, "breached": 1}),
    "csat.low": Measure({"positive": 1}, {"positive": 1, "neutral": 1, "negative": 1}),
    "abandon_rate.high": Measure({"abandoned": 1}, _ABANDONED),
    "severe_complaints.high": Measure({"severe_complaints": 1}, _CONTACTS),
    "review.coverage": Measure({"reviewed": 1}, {"solved": 1}),
    SURGE: Measure({}, _CONTACTS),
}


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The interval in which the true share lies; (0, 1) if whole is 0."""
    if whole <= 0:
        return 0.0, 1.0
    share, square = part / whole, Z * Z
    centre = share + square / (2 * whole)
    half = Z * sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    scale = 1 + square / whole
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


class Verdict(NamedTuple):
    """The verdict on a window: raise the warning; or it is over; or neither."""

    raised: bool
    over: bool
    measures: dict[str, float]
    waits: bool = False  # time alone can change the verdict


def judge_rate(rule: Rule, part: int, whole: int) -> Verdict:
    """Judge a share by the limits of `rule`. In a short window the part can exceed the whole; it is capped."""
    whole = max(whole, 0)
    part = min(max(part, 0), whole)
    lower, upper = wilson(part, whole)
    raise_at, clear_at = limits(rule)
    measures = {
        "value": part / whole if whole else 0.0,
        "lower": lower,
        "upper": upper,
        "n": whole,
        "raise_at": raise_at,
        "clear_at": clear_at,
        "window_s": width(rule) // 1000,
    }
    if rule.raised_when_low:
        return Verdict(whole >= rule.min_n and upper < raise_at, upper > clear_at, measures)
    return Verdict(whole >= rule.min_n and lower > raise_at, lower < clear_at, measures)


def limits(rule: Rule) -> tuple[float, float]:
    """(raise_at, clear_at) of a rule; without clear_at both are equal."""
    assert rule.raise_at is not None  # `rule_faults` checks it
    return rule.raise_at, rule.raise_at if rule.clear_at is None else rule.clear_at


def width(rule: Rule) -> int:
    """The length of the window of a rule, ms; one hour by default."""
    return rule.window_ms or 60 * MINUTE


class InForce(NamedTuple):
    """A rule, and the policy version it belongs to."""

    rule: Rule
    policy: Policy

    def measure(self) -> Measure:
        """The measure of the rule."""
        if self.rule.rule == "service_level.low":
            return SERVICE_LEVELS[self.policy.calls.service_level]
        return MEASURES[self.rule.rule]

    def open(self, at: int) -> bool:
        """Whether the rule may raise a warning at `at`: within its `hours`."""
        if self.rule.hours is None:
            return True
        return self.policy.calendars[self.rule.hours].between(at, at + 1) > 0


class Rules:
    """The window rules of all versions of a policy. The key of a rule is its name and its dimension."""

    def __init__(self, policies: Policies) -> None:
        self.policies = policies
        self.versions: list[dict[Key, InForce]] = [
            {(rule.rule, subject(rule)): InForce(rule, policy) for rule in policy.rules if rule.rule in RULE_SUBJECTS}
            for policy in policies.versions
        ]
        self.keys = sorted({key for version in self.versions for key in version if key[0] != SHORT_NOTICE})
        # The first minutes judged by a new version:
        self.switches = [-(-at // MINUTE) * MINUTE for at in policies.switches]

    def at(self, key: Key, at: int) -> InForce | None:
        """The rule in force at an instant, if any."""
        return self.versions[self.policies.switched(at)].get(key)

    def any(self, key: Key) -> InForce:
        """The rule of any version, for what it measures even before it is in force."""
        return next(version[key] for version in self.versions if key in version)

    def cooldown(self, key: Key) -> int:
        """The longest cool-down of the rule in any version, ms."""
        return max((version[key].rule.cooldown_ms for version in self.versions if key in version), default=0)

    def next_switch(self, at: int) -> int | None:
        """The first minute after `at` at which another version applies."""
        i = bisect_right(self.switches, at)
        return self.switches[i] if i < len(self.switches) else None


def subject(rule: Rule) -> str:
    """The dimension that a rule is judged by."""
    only = RULE_SUBJECTS[rule.rule]
    return only[0] if len(only) == 1 else rule.by
