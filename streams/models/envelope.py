"""The CloudEvents envelope that every event shares, and the field types of the contract."""

import re
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import asdict

Id = Annotated[str, Meta(min_length=1, max_length=1024)]
Seconds = Annotated[
    float, Meta(ge=0, le=315_360_000)
]  # ten years: more is a fault of the producer, and would not fit a sum
Instant = str  # RFC 3339; `streams.models.codec` checks every field that is one

Priority = Literal["low", "normal", "high", "urgent"]
OwnWord = Annotated[str, Meta(min_length=1, max_length=64)]
"""A word of a vocabulary that the desk may extend with words of its own; the codec lower-cases it."""
Kind = OwnWord  # question, incident, problem, task, complaint, order, …
Channel = OwnWord  # phone, chat, email, web, social, app, api, in_person, …
Segment = OwnWord  # new, regular, vip, …
Stage = OwnWord  # soothe, record, determine, propose, follow_up, archive, …
Severity = Literal["minor", "major", "critical"]
Author = Literal["customer", "agent", "bot", "system"]
Status = Literal["new", "open", "pending", "on_hold", "solved", "closed"]
Metric = Literal["first_response", "next_response", "resolution"]
METRICS: tuple[Metric, Metric, Metric] = ("first_response", "next_response", "resolution")
FIRST_RESPONSE, NEXT_RESPONSE, RESOLUTION = METRICS


class Data(msgspec.Struct, gc=False, omit_defaults=True):
    """The `data` of an event. Unknown fields are ignored; `null` for an optional field means absent."""


class Event(msgspec.Struct, tag_field="type", kw_only=True, gc=False):
    """One CloudEvent. `at`: business time in ms, set by the codec from `time`; `rank` orders events of one instant."""

    rank: ClassVar[int] = 1
    defaults: ClassVar[dict[str, object]] = {}
    """What it means if a field of `data` is absent, where that is not nothing."""
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


Sequence = tuple[int, int, str]
NO_SEQUENCE: Sequence = (0, 0, "")
_INTEGER = re.compile(r"-?[0-9]{1,4000}")  # Python reads no longer ones


def sequence_key(sequence: str | int | None) -> Sequence:
    """A CloudEvents `sequence` to sort by: absent first, then decimal integers (also as text), then other texts."""
    if sequence is None:
        return NO_SEQUENCE
    if isinstance(sequence, int) or _INTEGER.fullmatch(sequence):
        return (1, int(sequence), "")
    return (2, 0, sequence)  # by code point, which is the order of the UTF-8 bytes


Order = tuple[int, int, Sequence, str, str]


def order_of(event: Event) -> Order:
    """The order of events within a subject: time, kind of change, CloudEvents `sequence`, source, id."""
    sequence = NO_SEQUENCE if event.sequence is None else sequence_key(event.sequence)
    return (event.at, event.rank, sequence, event.source, event.id)


def same_content(one: Event, other: Event) -> bool:
    """Whether two events say the same, however their instants are spelled and whatever fields of ours are absent."""
    if type(one) is not type(other) or one.at != other.at or sequence_key(one.sequence) != sequence_key(other.sequence):
        return False
    return _content(one) == _content(other)


def _content(event: Event) -> dict[str, object]:
    told = {name: value for name, value in asdict(event.data).items() if value is not None}
    return {**event.defaults, **told}


def type_of(event: Event) -> str:
    """The CloudEvents `type`, e.g. `ticket.created`."""
    return str(event.__struct_config__.tag)
