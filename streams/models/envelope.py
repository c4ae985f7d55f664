"""The CloudEvents envelope that every event shares, and the field types of the contract."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(min_length=1, max_length=1024)]
Seconds = Annotated[
    float, Meta(ge=0, le=315_360_000)
]  # ten years: more is a fault of the producer, and would not fit a sum
Instant = str  # RFC 3339; `streams.models.codec` checks every field that is one

Priority = Literal["low", "normal", "high", "urgent"]
Kind = Literal["question", "incident", "problem", "task", "complaint", "order"]
Channel = Literal["phone", "chat", "email", "web", "social", "app", "api", "in_person"]
Segment = Literal["new", "regular", "vip"]
Severity = Literal["minor", "major", "critical"]
Author = Literal["customer", "agent", "bot", "system"]
Status = Literal["new", "open", "pending", "on_hold", "solved", "closed"]
Metric = Literal["first_response", "next_response", "resolution"]
METRICS: tuple[Metric, Metric, Metric] = ("first_response", "next_response", "resolution")
FIRST_RESPONSE, NEXT_RESPONSE, RESOLUTION = METRICS


class Data(msgspec.Struct, gc=False, omit_defaults=True):
    """The `data` of an event. Unknown fields are ignored; `null` for an optional field means absent."""


class Event(msgspec.Struct, tag_field="type", kw_only=True):
    """One CloudEvent. `at`: business time in ms, set by the codec from `time`; `rank` orders events of one instant."""

    rank: ClassVar[int] = 1
    specversion: Literal["1.0"]
    id: Id
    source: Id
    time: Instant
    subject: str | None = None
    sequence: str | int | None = None
    at: int = 0
    data: Any

    def key(self) -> "str | None":
        """The Kafka key: the subject for life. None: the event goes to every partition."""
        raise NotImplementedError(type(self).__name__)


def type_of(event: Event) -> str:
    """The CloudEvents `type`, e.g. `ticket.created`."""
    return str(event.__struct_config__.tag)
