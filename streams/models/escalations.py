"""The rows of role escalate: what happened to the steps of a chain, and what people did about a warning."""

from typing import ClassVar

from streams.models.rows import Identity, Row


class EscalationRow(Row, kw_only=True):
    """Something that happened to a step of a warning's escalation chain (SPEC section 6); step 0 is the chain itself.

    `state` is what it is since then: scheduled, sending, sent, failed, skipped, unknown, acknowledged; of step 0
    acknowledged, snoozed, disagreed, lapsed, exhausted, folded (into that of another ticket with the same parent) or
    leads (for these).
    """

    table: ClassVar[str] = "escalation_rows"
    topic: ClassVar[str] = "escalations"

    warning_id: str
    seq: int  # order within the chain
    step: int
    state: str
    at: int
    rule: str
    subject: str
    severity: str
    ticket_id: str
    to: str  # as the policy says: a receiver, a rota, experts
    receiver: str  # who that was, once it fell due
    due_at: int | None
    attempt: int
    digest: str  # id of the digest that carried it
    by: str
    reason: str
    version: int = 0

    def identity(self) -> Identity:
        """The warning and the place in its chain's life."""
        return ("escalation", self.warning_id, self.seq)


class WarningStepRow(Row, kw_only=True):
    """A step in a warning's life that people made: acknowledged, escalated (told), snoozed, disagreed."""

    table: ClassVar[str] = "warning_step_rows"
    topic: ClassVar[str] = "risk-warnings"

    warning_id: str
    step: str
    at: int
    by: str
    note: str = ""
    version: int = 0

    def identity(self) -> Identity:
        """The warning, what was done, when and by whom."""
        return ("warning step", self.warning_id, self.step, self.at, self.by)
