"""The rows of role escalate: the events of an escalation chain's steps, and people's steps on a warning."""

from enum import StrEnum
from typing import ClassVar

from streams.models.rows import Identity, Row


class StepState(StrEnum):
    """The state of a step of an escalation chain since its last event."""

    SCHEDULED = "scheduled"
    """Falls due at `due_at`, if nothing stops the chain before."""

    SENDING = "sending"
    """The intent to send it is recorded; whether the receiver has the message is not known yet."""

    SENT = "sent"
    """The receiver accepted the message."""

    FAILED = "failed"
    """The receiver did not get the message. It is retried for up to ten minutes."""

    UNKNOWN = "unknown"
    """The receiver may have got the message. It is not sent again."""

    SKIPPED = "skipped"
    """Not sent; `reason` says why."""

    ACKNOWLEDGED = "acknowledged"
    """Not sent, because somebody takes care of the warning. It is sent if the acknowledgement lapses."""


class ChainEvent(StrEnum):
    """The state of a row of step 0: an event of the chain as a whole."""

    ACKNOWLEDGED = "acknowledged"
    """Somebody acknowledged the warning when no step was open."""

    SNOOZED = "snoozed"
    """The chain is suspended until an instant."""

    DISAGREED = "disagreed"
    """Somebody disagreed with the warning: the chain ends."""

    LAPSED = "lapsed"
    """The acknowledgement has lapsed and the warning is still open: the chain resumes."""

    EXHAUSTED = "exhausted"
    """All steps are done, and the warning is still open and unacknowledged."""

    FOLDED = "folded"
    """The chain of another ticket with the same parent leads the incident; the steps of this one do not fall due."""

    LEADS = "leads"
    """The chain leads its incident from now on, where the former leader stopped."""


class WarningStep(StrEnum):
    """A step of a warning after it was raised, apart from the rules."""

    ACKNOWLEDGED = "acknowledged"
    """Somebody takes care of it."""

    ESCALATED = "escalated"
    """The first message about it was sent."""

    SNOOZED = "snoozed"
    """Somebody wants to be reminded later."""

    DISAGREED = "disagreed"
    """Somebody says that it is mistaken."""


class EscalationRow(Row, kw_only=True):
    """An event of a step of a warning's escalation chain (SPEC section 6); step 0 is the chain itself.

    `state` is a StepState; of step 0 a ChainEvent.
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
    to: str  # as in the policy: a receiver, a rota, "experts"
    receiver: str  # the receiver chosen when the step fell due
    due_at: int | None
    attempt: int
    digest: str  # id of the digest that contains it
    by: str
    reason: str
    version: int = 0

    def identity(self) -> Identity:
        """The warning and the number of the event in its chain."""
        return ("escalation", self.warning_id, self.seq)


class WarningStepRow(Row, kw_only=True):
    """A WarningStep of a warning: its instant, its author (for an escalation, the receiver), and the note."""

    table: ClassVar[str] = "warning_step_rows"
    topic: ClassVar[str] = "risk-warnings"

    warning_id: str
    step: str
    at: int
    by: str
    note: str = ""
    version: int = 0

    def identity(self) -> Identity:
        """The warning, the step, the instant and the author."""
        return ("warning step", self.warning_id, self.step, self.at, self.by)
