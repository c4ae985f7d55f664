"""Ticket events, keyed by ticket_id."""

from typing import ClassVar

from streams.models.dimensions import Dimensions
from streams.models.envelope import (
    Author,
    Channel,
    Data,
    Event,
    Id,
    Kind,
    Metric,
    Priority,
    Segment,
    Severity,
    Stage,
    Status,
)


class TicketData(Data, kw_only=True):
    """What every ticket event names."""

    ticket_id: Id


class TicketEvent(Event):
    """A ticket event: its subject is the ticket."""

    data: TicketData

    def key(self) -> str:
        """The ticket."""
        return self.data.ticket_id


class Created(TicketData):
    """Data of `ticket.created`."""

    customer_id: str | None = None
    priority: Priority | None = None
    kind: Kind | None = None
    channel: Channel | None = None
    team: str | None = None
    agent_id: str | None = None
    category: str | None = None
    tags: list[str] | None = None
    segment: Segment | None = None
    product: str | None = None
    severity: Severity | None = None
    attributes: dict[str, object] | None = None
    url: str | None = None
    parent_id: str | None = None

    def dimensions(self) -> Dimensions:
        """What the ticket is counted by."""
        return Dimensions(
            self.team or "",
            self.channel or "",
            self.priority or "normal",
            self.kind or "question",
            self.segment or "",
            self.category or "",
            self.product or "",
        )


class TicketCreated(TicketEvent, tag="ticket.created"):
    """A customer's concern became a ticket."""

    rank: ClassVar[int] = 0
    defaults: ClassVar[dict[str, object]] = {"priority": "normal", "kind": "question"}
    data: Created


class Assigned(TicketData):
    """Data of `ticket.assigned`; what is absent stays as it is, an empty text clears."""

    team: str | None = None
    agent_id: str | None = None
    customer_id: str | None = None


class TicketAssigned(TicketEvent, tag="ticket.assigned"):
    """A team or an agent took the ticket, or was given it."""

    data: Assigned


class Replied(TicketData, kw_only=True):
    """Data of `ticket.replied`."""

    author: Author
    public: bool | None = None
    auto: bool | None = None
    agent_id: str | None = None


class TicketReplied(TicketEvent, tag="ticket.replied"):
    """Somebody wrote on the ticket."""

    rank: ClassVar[int] = 2
    defaults: ClassVar[dict[str, object]] = {"public": True, "auto": False}
    data: Replied


class StatusChanged(TicketData, kw_only=True):
    """Data of `ticket.status_changed`."""

    status: Status
    agent_id: str | None = None
    reason: str | None = None


class TicketStatusChanged(TicketEvent, tag="ticket.status_changed"):
    """The ticket moved in its life cycle."""

    rank: ClassVar[int] = 4
    data: StatusChanged


class Updated(TicketData):
    """Data of `ticket.updated`; what is absent stays as it is, tags replace, an empty `parent_id` clears."""

    priority: Priority | None = None
    kind: Kind | None = None
    category: str | None = None
    tags: list[str] | None = None
    segment: Segment | None = None
    severity: Severity | None = None
    product: str | None = None
    customer_id: str | None = None
    parent_id: str | None = None

    def change(self, dims: Dimensions) -> Dimensions:
        """The dimensions of a ticket after the update."""
        return Dimensions(
            dims.team,
            dims.channel,
            self.priority or dims.priority,
            self.kind or dims.kind,
            self.segment or dims.segment,
            self.category or dims.category,
            self.product or dims.product,
        )


class TicketUpdated(TicketEvent, tag="ticket.updated"):
    """Properties of the ticket changed."""

    data: Updated


class StageChanged(TicketData, kw_only=True):
    """Data of `ticket.stage_changed`: soothe, record, determine, propose, follow_up, archive, or the desk's own."""

    stage: Stage
    agent_id: str | None = None


class TicketStageChanged(TicketEvent, tag="ticket.stage_changed"):
    """The complaint procedure went a step on."""

    rank: ClassVar[int] = 3
    data: StageChanged


class Merged(TicketData, kw_only=True):
    """Data of `ticket.merged`."""

    into: Id


class TicketMerged(TicketEvent, tag="ticket.merged"):
    """The ticket went on as another one."""

    rank: ClassVar[int] = 6
    data: Merged


class Exempted(TicketData, kw_only=True):
    """Data of `ticket.exempted`: an audited exception from the rates."""

    metric: Metric
    by: Id
    reason: Id
    cycle: int | None = None


class TicketExempted(TicketEvent, tag="ticket.exempted"):
    """A clock's breach was taken out of the rates."""

    rank: ClassVar[int] = 5
    data: Exempted


EVENTS = (
    TicketCreated,
    TicketAssigned,
    TicketReplied,
    TicketStatusChanged,
    TicketUpdated,
    TicketStageChanged,
    TicketMerged,
    TicketExempted,
)
