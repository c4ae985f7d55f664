"""A warning's row: its id, derived so that every replay gives the same one, and how severe the policy says it is."""

from hashlib import blake2b
from typing import Any

from streams.desk.policy.rules import RuleName
from streams.desk.policy.versions import Policy
from streams.models.rows import WarningRow

SEVERITY = {"sla.breached": "critical"}
"""By rule, where the policy has no [[rules]] entry of it; all others: warning."""


def warning_id(rule: str, subject: str, raised_at: int) -> str:
    """The id of a warning: the same on every replay."""
    return blake2b(f"{rule}\n{subject}\n{raised_at}".encode(), digest_size=12).hexdigest()


def raised(rule: RuleName, subject: str, at: int, under: Policy, **fields: Any) -> WarningRow:
    """A warning raised at the instant `at` (ms), `under` the policy in force; `fields`: all else that it says."""
    entry = under.rule(rule)
    fields.setdefault("policy_version", under.version)
    return WarningRow(
        warning_id=warning_id(rule, subject, at),
        rule=rule,
        subject=subject,
        state="raised",
        severity=SEVERITY.get(rule, "warning") if entry is None else entry.severity,
        raised_at=at,
        **fields,
    )
