"""What the policy says about the chain of a warning: its sends, how long an acknowledgement holds, the cool-down. Pure.

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
"""Cool-down (ms) of a rule that has no section of its own."""


class Send(NamedTuple):
    """A message that the policy plans: `after` so long (ms), `to` whom, and how many to the same come before it."""

    after: int
    to: str
    turn: int


@lru_cache(maxsize=256)
def planned_sends(policy: Policy, severity: str, rule: str) -> tuple[Send, ...]:
    """Return the sends of the first [[escalation]] that matches, repeats unfolded, in the order in which they are due.

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
    """Return for how long (ms) an acknowledgement of such a warning holds; 0: for good."""
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
