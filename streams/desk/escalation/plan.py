"""The policy's plan for a warning: its sends, the duration of an acknowledgement, the cool-down. Pure.

steps = [{ after = "0m", to = "lead" }, { after = "10m", to = "boss", repeat = 2, every = "5m" }]

sends   lead, turn 0     boss, turn 0     boss, turn 1
        0 min            10 min           15 min
"""

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from streams.desk.policy.receivers import Escalation
from streams.desk.policy.versions import Policy
from streams.models.rows import WarningRow

DEFAULT_COOLDOWN = 1_800_000
"""Cool-down (ms) of a rule without a section."""


class Send(NamedTuple):
    """A planned message: `after` a delay (ms), `to` a step's target; `turn` counts earlier ones to it."""

    after: int
    to: str
    turn: int


@lru_cache(maxsize=256)
def planned_sends(policy: Policy, severity: str, rule: str) -> tuple[Send, ...]:
    """Return the sends of the first matching [[escalation]], repeats expanded, in order of their due times.

    Empty if the policy has no chain for the rule and severity.
    """
    section = _section(policy, severity, rule)
    if section is None:
        return ()
    unfolded = [
        (step.after_ms + n * step.every_ms, i, step.to)
        for i, step in enumerate(section.steps)
        for n in range(step.repeat)
    ]
    turns: Counter[str] = Counter()
    sends = []
    for after, _i, to in sorted(unfolded):
        sends.append(Send(after, to, turns[to]))
        turns[to] += 1
    return tuple(sends)


def acknowledgement_ms(policy: Policy, severity: str, rule: str) -> int:
    """Return how long (ms) an acknowledgement of such a warning holds; 0: for good."""
    section = _section(policy, severity, rule)
    return 0 if section is None else section.acknowledged_for_ms or 0


def cooldown_ms(policy: Policy, warning: WarningRow) -> int:
    """Return the cool-down (ms) of the rule that raised this warning."""
    for rule in policy.rules:
        if rule.rule == warning.rule and (not warning.dimension or rule.by == warning.dimension):
            return rule.cooldown_ms
    return DEFAULT_COOLDOWN


@lru_cache(maxsize=256)
def _section(policy: Policy, severity: str, rule: str) -> Escalation | None:
    for section in policy.escalation:
        if severity in section.severity and (section.rules is None or rule in section.rules):
            return section
    return None
