"""Signals: what else is known of the desk, keyed by the ticket or call they name, else by their own id."""

from typing import Annotated, ClassVar, Literal, TypeGuard

import msgspec
from msgspec import Meta

from streams.models.envelope import Data, Event, Id, Instant, Segment
from streams.models.instants import format_instant


class Review(Data, kw_only=True):
    """Data of `review.completed` (quality inspection)."""

    review_id: Id
    passed: bool
    ticket_id: str | None = None
    call_id: str | None = None
    agent_id: str | None = None
    team: str | None = None
    score: float | None = None
    mystery: bool | None = None
    errors: list[str] | None = None


class ReviewCompleted(Event, tag="review.completed"):
    """A ticket or call was inspected."""

    data: Review

    def key(self) -> str:
        """The ticket or call inspected, else the review."""
        return self.data.ticket_id or self.data.call_id or self.data.review_id


class Callback(Data, kw_only=True):
    """Data of the `callback.*` events."""

    callback_id: Id
    customer_id: str | None = None
    segment: Segment | None = None
    due_at: Instant | None = None
    reached: bool | None = None
    recorded: bool | None = None
    ticket_id: str | None = None


class CallbackEvent(Event):
    """An event of a promised call back."""

    data: Callback

    def key(self) -> str:
        """The callback, whatever ticket it names."""
        return self.data.callback_id


class CallbackDue(CallbackEvent, tag="callback.due"):
    """A customer is to be called back."""

    rank: ClassVar[int] = 0


class CallbackRescheduled(CallbackEvent, tag="callback.rescheduled"):
    """The callback got another time."""


class CallbackDone(CallbackEvent, tag="callback.done"):
    """The customer was called."""


class Proactive(Data, kw_only=True):
    """Data of `contact.proactive`."""

    contact_id: Id
    customer_id: str | None = None
    agent_id: str | None = None
    team: str | None = None
    occasion: str | None = None


class ContactProactive(Event, tag="contact.proactive"):
    """The desk contacted a customer of its own accord."""

    data: Proactive

    def key(self) -> str:
        """The contact."""
        return self.data.contact_id


class AgentState(Data, kw_only=True):
    """Data of `agent.state_changed`."""

    agent_id: Id
    state: Literal["available", "on_contact", "wrapup", "break", "meal", "meeting", "training", "offline"]
    team: str | None = None


class AgentStateChanged(Event, tag="agent.state_changed"):
    """An agent changed state."""

    data: AgentState

    def key(self) -> str:
        """The agent."""
        return self.data.agent_id


class Announcement(Data, kw_only=True):
    """Data of `policy.announced`: a change of the business's own rules."""

    change_id: Id
    announced_at: Instant
    effective_at: Instant
    title: str | None = None
    tags: list[str] | None = None


class PolicyAnnounced(Event, tag="policy.announced"):
    """The business announced a change; every partition hears it."""

    data: Announcement

    def key(self) -> None:
        """Every partition."""


class Sentiment(Data, kw_only=True):
    """Data of `sentiment.scored`."""

    score: Annotated[float, Meta(ge=-1, le=1)]
    ticket_id: str | None = None
    call_id: str | None = None
    customer_id: str | None = None


class SentimentScored(Event, tag="sentiment.scored"):
    """Somebody upstream scored a customer's mood."""

    data: Sentiment

    def key(self) -> str:
        """The ticket, call or customer it names, else the event."""
        return self.data.ticket_id or self.data.call_id or self.data.customer_id or self.id


class Link(Data, kw_only=True):
    """Data of `customer.linked`."""

    customer_id: Id
    other_id: Id


class CustomerLinked(Event, tag="customer.linked"):
    """Two ids are one person."""

    data: Link

    def key(self) -> str:
        """The customer."""
        return self.data.customer_id


class Evaluation(Data, kw_only=True):
    """Data of `evaluation.completed`."""

    agent_id: Id
    rater: Literal["self", "peer", "manager", "customer"]
    score: float
    period: Id
    scheme: str | None = None


class EvaluationCompleted(Event, tag="evaluation.completed"):
    """An agent was evaluated."""

    data: Evaluation

    def key(self) -> str:
        """The agent."""
        return self.data.agent_id


class Action(Data, kw_only=True):
    """Data of the `action.*` events (improvement register)."""

    action_id: Id
    owner: str | None = None
    due_at: Instant | None = None
    title: str | None = None
    ticket_id: str | None = None


class ActionEvent(Event):
    """An event of the improvement register."""

    data: Action

    def key(self) -> str:
        """The action, whatever ticket it names."""
        return self.data.action_id


class ActionOpened(ActionEvent, tag="action.opened"):
    """An improvement was agreed."""

    rank: ClassVar[int] = 0


class ActionDone(ActionEvent, tag="action.done"):
    """An improvement was made."""


class Reported(Data, kw_only=True):
    """Data of `metric.reported`: a figure that another system knows."""

    name: Id
    value: float
    period: Id
    agent_id: str | None = None
    team: str | None = None
    unit: str | None = None


class MetricReported(Event, tag="metric.reported"):
    """Another system reported a figure."""

    data: Reported

    def key(self) -> str:
        """The figure's name."""
        return self.data.name


class Advance(Data, kw_only=True):
    """Data of `clock.advanced`."""

    to: Instant


class ClockAdvanced(Event, tag="clock.advanced"):
    """The log's time has come to `to`; every partition hears it."""

    data: Advance

    def key(self) -> None:
        """Every partition."""


class Closure(Data, kw_only=True):
    """Data of `desk.closed`: `calendar` is closed in [`begins`, `ends`) (`from` and `to` on the wire)."""

    calendar: Id
    begins: Instant = msgspec.field(name="from")
    ends: Instant = msgspec.field(name="to")
    reason: str | None = None


class DeskClosed(Event, tag="desk.closed"):
    """An ad-hoc closure or maintenance window of a calendar; every partition hears it."""

    rank: ClassVar[int] = 0
    data: Closure

    def key(self) -> None:
        """Every partition."""


EVENTS = (
    ReviewCompleted,
    CallbackDue,
    CallbackRescheduled,
    CallbackDone,
    ContactProactive,
    AgentStateChanged,
    PolicyAnnounced,
    SentimentScored,
    CustomerLinked,
    EvaluationCompleted,
    ActionOpened,
    ActionDone,
    MetricReported,
)
CONTROL = (ClockAdvanced, DeskClosed)  # on any topic

REPLAY_SOURCE = "/deskwatch/replay"


def clock_event(to: int) -> bytes:
    """A `clock.advanced` of a replay: the time of the log is `to` (ms)."""
    instant = format_instant(to)
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"clock-{to}",
            "source": REPLAY_SOURCE,
            "type": "clock.advanced",
            "time": instant,
            "data": {"to": instant},
        }
    )


def is_replay_clock(event: object) -> TypeGuard[ClockAdvanced]:
    """Whether a replay sent this event to tell the log's time: it is not an event of the log."""
    return isinstance(event, ClockAdvanced) and event.source == REPLAY_SOURCE
