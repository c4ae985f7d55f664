"""The warning of a rule about a team, a queue, a reason or a change of policy: a ticket's columns stay empty."""

from typing import Any

from streams.desk.output.warnings import warning_id
from streams.models.rows import WarningRow

NAMED = ("team", "channel", "segment", "category")  # the dimensions that a warning has a column for


def raised(
    rule: str, dimension: str, value: str, at: int, severity: str, policy_version: str, **known: Any
) -> WarningRow:
    """A warning raised at the instant `at` (ms). `value` '' is everything (`all`); `known`: further columns."""
    subject = f"{dimension}/{value}" if value else dimension
    columns: dict[str, Any] = {name: value if name == dimension else "" for name in NAMED}
    columns |= {"due_at": None, "agent_id": value if dimension == "agent" else ""} | known
    return WarningRow(
        warning_id=warning_id(rule, subject, at),
        rule=rule,
        subject=subject,
        state="raised",
        severity=severity,
        raised_at=at,
        cleared_at=None,
        cleared_by="",
        ticket_id="",
        metric="",
        cycle=0,
        elapsed_ms=0,
        target_ms=0,
        policy="",
        policy_version=policy_version,
        priority="",
        kind="",
        product="",
        url="",
        dimension=dimension,
        value=value,
        **columns,
    )
