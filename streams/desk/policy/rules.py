"""The rules of a policy, and the check of their settings."""

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from msgspec import Meta

from streams.desk.policy.sections import Section
from streams.desk.policy.values import Milliseconds

Severity = Literal["info", "warning", "critical"]
RuleName = Literal[
    "sla.at_risk", "sla.breached", "breach_rate.high", "csat.low", "service_level.low", "abandon_rate.high",
    "complaint.risk", "severe_complaints.high", "category.surge", "policy.short_notice", "callback.overdue",
    "action.overdue", "review.coverage", "ticket.silent", "transfer.loop", "agent.overbreak",
]  # fmt: skip
DEFAULT_SEVERITIES: dict[str, Severity] = {
    **dict.fromkeys(get_args(RuleName), "warning"),
    "sla.breached": "critical",
}
"""By rule, for policies without a [[rules]] entry for it."""
Subject = Literal["all", "team", "channel", "category", "segment", "queue", "agent", "customer"]
RULE_SUBJECTS: dict[str, tuple[Subject, ...]] = {
    "breach_rate.high": ("all", "team", "channel", "category", "segment"),
    "csat.low": ("all", "team", "channel", "segment", "agent"),
    "service_level.low": ("all", "queue", "team", "segment"),
    "abandon_rate.high": ("all", "queue", "team", "segment"),
    "severe_complaints.high": ("all", "team", "channel", "category", "segment"),
    "review.coverage": ("team",),
    "category.surge": ("category",),
    "policy.short_notice": ("all",),
}
"""The window rules, and the dimensions of each; with a single one, `by` is optional."""
TRANSFERS = 3
"""Default raise_at of transfer.loop: the number of team changes of an open ticket."""
RAISED_WHEN_LOW: tuple[RuleName, ...] = ("csat.low", "service_level.low", "review.coverage")
"""The window rules that are raised when their share is low; all others are raised when it is high."""


class Rule(Section, frozen=True):
    """[[rules]]: the limits of a window rule, or the severity of an event rule's warnings.

    `hours`: the calendar in whose open time warnings are raised. `cooldown`: the minimum time from raise to clear, and
    from clear to the next raise. `window` of policy.short_notice: the shortest notice without a warning.
    """

    rule: RuleName
    by: Subject = "all"
    window_ms: Milliseconds | None = None
    raise_at: float | None = None
    clear_at: float | None = None
    min_n: Annotated[int, Meta(ge=0)] = 20
    severity: Severity = "warning"
    cooldown_ms: Milliseconds = Milliseconds(1_800_000)
    hours: str | None = None

    @property
    def raised_when_low(self) -> bool:
        """Whether a low share raises the warning."""
        return self.rule in RAISED_WHEN_LOW


def rule_faults(rule: Rule, rolling: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """Yield (key, what was expected) for faults of a rule beyond its type; `rolling`: the windows kept (ms)."""
    if rule.rule == "policy.short_notice":
        return
    if rule.window_ms is not None and rule.window_ms not in rolling:
        yield "window", "expected one of the windows of windows.rolling"
    subjects = RULE_SUBJECTS.get(rule.rule, ())
    if len(subjects) > 1 and rule.by not in subjects:
        yield "by", f"expected one of {', '.join(subjects)}; found {rule.by}"
    if len(subjects) == 1 and rule.by not in ("all", *subjects):
        yield "by", f"expected {subjects[0]}, found {rule.by}"
    if subjects and rule.raise_at is None and rule.clear_at is None:
        yield "raise_at", "expected a limit, but the key is missing"
    if rule.clear_at is not None and rule.raise_at is None:
        yield "raise_at", "expected a value beside clear_at, but the key is missing"
    elif rule.clear_at is not None and rule.raise_at is not None:
        low = rule.raised_when_low
        if low and rule.clear_at <= rule.raise_at:
            yield "clear_at", f"expected more than raise_at ({rule.raise_at:g}), found {rule.clear_at:g}"
        if not low and rule.clear_at >= rule.raise_at:
            yield "clear_at", f"expected less than raise_at ({rule.raise_at:g}), found {rule.clear_at:g}"
