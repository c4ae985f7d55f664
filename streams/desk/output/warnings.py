"""The rows of warnings. The ids are derived, so that every replay gives the same ones."""

from hashlib import blake2b
from typing import Any

import msgspec

from streams.desk.policy.rules import RuleName
from streams.desk.policy.versions import Policy
from streams.models.rows import WarningRow, WarningState

NAMED = ("team", "channel", "segment", "category")
"""The dimensions that a warning has a column for."""


def warning_id(rule: str, subject: str, raised_at: int) -> str:
    """The id of a warning: the same on every replay."""
    return blake2b(f"{rule}\n{subject}\n{raised_at}".encode(), digest_size=12).hexdigest()


def new_warning(
    rule: str,
    subject: str,
    raised_at: int,
    severity: str,
    policy_version: str,
    state: str = WarningState.RAISED,
    **fields: Any,
) -> WarningRow:
    """A warning raised at an instant (ms). `fields`: further columns; the others are empty."""
    return WarningRow(
        warning_id=warning_id(rule, subject, raised_at),
        rule=rule,
        subject=subject,
        state=state,
        severity=severity,
        raised_at=raised_at,
        policy_version=policy_version,
        **fields,
    )


def raised(rule: RuleName, subject: str, at: int, under: Policy, **fields: Any) -> WarningRow:
    """A warning about one subject, raised at the instant `at` (ms), `under` the policy in force."""
    return new_warning(rule, subject, at, under.severities[rule], under.version, **fields)


def raised_by_window_rule(
    rule: str, dimension: str, value: str, at: int, severity: str, policy_version: str, **fields: Any
) -> WarningRow:
    """A warning of a window rule about a dimension's `value`; "": the dimension is `all`.

    `severity`: that of its [[rules]] entry; a window rule may have several entries.
    """
    subject = f"{dimension}/{value}" if value else dimension
    if dimension in NAMED:
        fields.setdefault(dimension, value)
    elif dimension == "agent":
        fields.setdefault("agent_id", value)
    return new_warning(rule, subject, at, severity, policy_version, dimension=dimension, value=value, **fields)


def cleared(row: WarningRow, at: int, by: str) -> WarningRow:
    """A warning's row as cleared at the instant `at` (ms); `by` is the reason."""
    return msgspec.structs.replace(row, state=WarningState.CLEARED, cleared_at=at, cleared_by=by, version=0)
