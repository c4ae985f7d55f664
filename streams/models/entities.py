"""The rows that say how something stands: a ticket, a call, a survey …, each written anew when it changes.

See `streams.models.rows` for what all rows have in common.
"""

from enum import StrEnum
from typing import ClassVar

from streams.models.rows import FactRow, Identity, LedgerRow, PaneRow, ReleasedRow, Row, SpanRow, WarningRow


class TicketRow(Row):
    """A ticket as it stands."""

    table: ClassVar[str] = "ticket_rows"
    topic: ClassVar[str] = "facts"

    ticket_id: str
    status: str
    created_at: int | None
    first_replied_at: int | None
    solved_at: int | None
    closed_at: int | None
    updated_at: int
    team: str
    channel: str
    priority: str
    kind: str
    segment: str
    category: str
    product: str
    agent_id: str
    severity: str
    customer_id: str
    stage: str
    tags: list[str]
    url: str
    parent_id: str
    merged_into: str
    replies: int
    hops: int
    reassignments: int
    reopenings: int
    sampled: int  # in the sample for quality inspection
    outcomes: dict[str, str]
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The ticket."""
        return ("standing", self.ticket_id)


class CallOutcome(StrEnum):
    """How a call stands."""

    WAITING = "waiting"
    """Offered; nobody answered yet."""
    ANSWERED = "answered"
    """A leg is open."""
    ENDED = "ended"
    """All legs are over."""
    ABANDONED = "abandoned"
    """The caller gave up in the queue or while it rang."""
    IVR = "ivr"
    """The caller gave up in the voice menu: the call never queued."""
    LOST = "lost"
    """Closed by time: nobody answered within max_wait, or a leg never ended within max_talk."""


class DueStatus(StrEnum):
    """How a callback or an improvement action stands."""

    OPEN = "open"
    """Not done, and not due yet."""

    OVERDUE = "overdue"
    """Its due time has passed."""

    DONE = "done"
    """Done, in time or not."""


class CallRow(Row):
    """A call as it stands."""

    table: ClassVar[str] = "call_rows"
    topic: ClassVar[str] = "facts"

    call_id: str
    outcome: str  # a CallOutcome
    offered_at: int
    answered_at: int | None
    ended_at: int | None
    first_queue: str
    queue: str
    team: str
    segment: str
    category: str
    agent_id: str
    customer_id: str
    ticket_id: str
    ivr_ms: int
    wait_ms: int
    talk_ms: int
    hold_ms: int
    wrapup_ms: int
    transfers: int
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The call."""
        return ("call standing", self.call_id)


class CallLegRow(Row):
    """A leg of a call: a stretch of talk with one agent. `ended_at`: None while it is open."""

    table: ClassVar[str] = "call_leg_rows"
    topic: ClassVar[str] = "facts"

    call_id: str
    leg: int
    queue: str
    team: str
    agent_id: str
    began_at: int
    ended_at: int | None
    talk_ms: int
    hold_ms: int
    wrapup_ms: int
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The call and the leg's number."""
        return ("call leg", self.call_id, self.leg)


class SurveyRow(Row):
    """A survey's standing answer for one metric, or its offer as long as there is none. `subject`: as of its fact."""

    table: ClassVar[str] = "survey_rows"
    topic: ClassVar[str] = "facts"

    subject: str
    survey_id: str
    metric: str
    offered_at: int | None
    responded_at: int | None
    score: float | None
    scale_min: float | None
    scale_max: float | None
    normalised: int | None  # millionths of the scale
    ticket_id: str
    call_id: str
    customer_id: str
    agent_id: str
    team: str
    channel: str
    segment: str
    handled_by: str
    dimensions: dict[str, int]  # millionths of the scale
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The survey under its subject, and the metric."""
        return ("survey standing", self.subject, self.survey_id, self.metric)


class ReviewRow(Row):
    """A quality inspection of a ticket, a call, or neither. `subject`: as of its fact."""

    table: ClassVar[str] = "review_rows"
    topic: ClassVar[str] = "facts"

    subject: str
    review_id: str
    at: int
    passed: int
    score: float | None
    mystery: int
    errors: list[str]
    ticket_id: str
    call_id: str
    agent_id: str
    team: str
    channel: str
    segment: str
    category: str
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The review under its subject."""
        return ("review", self.subject, self.review_id)


class CallbackRow(Row):
    """A callback as it stands."""

    table: ClassVar[str] = "callback_rows"
    topic: ClassVar[str] = "facts"

    callback_id: str
    status: str  # a DueStatus
    opened_at: int | None
    due_at: int | None
    done_at: int | None
    customer_id: str
    segment: str
    member: int
    ticket_id: str
    reached: int | None
    recorded: int | None
    reschedulings: int
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The callback."""
        return ("callback", self.callback_id)


class ActionRow(Row):
    """An entry of the improvement register as it stands."""

    table: ClassVar[str] = "action_rows"
    topic: ClassVar[str] = "facts"

    action_id: str
    status: str  # a DueStatus
    opened_at: int | None
    due_at: int | None
    done_at: int | None
    owner: str
    title: str
    ticket_id: str
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The action."""
        return ("action", self.action_id)


class AgentStateRow(Row):
    """A stretch of time in which an agent was in one state, in one team. `limit_ms`: how long it may last."""

    table: ClassVar[str] = "agent_state_rows"
    topic: ClassVar[str] = "facts"

    agent_id: str
    state: str
    team: str
    from_at: int
    to_at: int | None
    limit_ms: int | None
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The agent and the instant from which it lasts."""
        return ("agent state", self.agent_id, self.from_at)


class CustomerRow(Row):
    """A customer as they stand: what happened, and the complaint-risk index, which decays from `at` on.

    `customer_id` is the least of `ids`, which are one person. `signals`: of each the points at the instant `at`, and
    the half-life (ms); the index at a later instant is min(100, factor x sum of what is left of the points).
    """

    table: ClassVar[str] = "customer_rows"
    topic: ClassVar[str] = "facts"

    customer_id: str
    ids: list[str]
    segment: str
    first_contact_at: int | None
    last_contact_at: int | None
    contacts: int
    tickets: int
    open_tickets: int
    solved: int
    calls: int
    counts: dict[str, int]  # fcr_yes, fcr_no, fcr_provisional; each signal of the index: how often
    signals: list[tuple[str, float, int, int]]  # signal, points, at, half-life
    factor: float
    raise_at: float
    clear_at: float
    warning_id: str
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The customer."""
        return ("customer", self.customer_id)


ROWS: tuple[type[Row], ...] = (
    LedgerRow, FactRow, SpanRow, TicketRow, CallRow, CallLegRow, SurveyRow, ReviewRow, CallbackRow, ActionRow,
    AgentStateRow, ReleasedRow, CustomerRow, WarningRow, PaneRow,
)  # fmt: skip
"""All that the output topics carry to ClickHouse, progress and the chains of role escalate aside."""
