"""The rows of the input topics' messages, and of the dead letters: PURE, records in, rows out.

tickets[2]   offset 40 .. 90   ->   event_rows (the valid events), and progress_rows: tickets[2], next is 91
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import msgspec

from streams.desk.escalation.codec import handed_on
from streams.models import actions
from streams.models.codec import decode, structured
from streams.models.dead_letters import ReplayMarker, read
from streams.models.envelope import Event, type_of
from streams.models.instants import parse_instant
from streams.models.records import Record
from streams.models.rows import ProgressRow
from streams.models.signals import DeskClosed, ReviewCompleted, is_replay_clock
from streams.models.surveys import EVENTS as SURVEYS
from streams.models.topics import ACTIONS

_ABOUT_OTHERS = (*SURVEYS, ReviewCompleted)
"""Events about a ticket or a call, whose ids may be equal."""


class EventRow(msgspec.Struct, array_like=True, gc=False):
    """A message of an input topic, or of `actions`, that is an event. `identified_in`: see `_identified_in`."""

    table: ClassVar[str] = "event_rows"

    source: str
    id: str
    type: str
    time: int
    subject: str
    topic: str
    partition: int
    offset: int
    body: str
    received_at: int
    identified_in: str = ""


class DeadLetterRow(msgspec.Struct, array_like=True, gc=False):
    """A rejected message, and the reason."""

    table: ClassVar[str] = "dead_letter_rows"

    topic: str
    partition: int
    offset: int
    received_at: int
    reason: str
    value_base64: str


class ReplayedRow(msgspec.Struct, array_like=True, gc=False):
    """A dead letter that was replayed, and the bytes sent in its place."""

    table: ClassVar[str] = "dead_letter_replay_rows"

    topic: str
    partition: int
    offset: int
    replayed_at: int
    value_base64: str


class Stored(NamedTuple):
    """The rows of a run of records of one partition."""

    events: list[EventRow]
    progress: ProgressRow
    closed: bool
    """Whether a calendar was closed ad hoc: its table must be rewritten."""


def stored(topic: str, records: Sequence[Record], as_of: int) -> Stored:
    """The events among `records`, a run of one partition of a topic, and the partition's progress after them.

    The topic is an input topic, or `actions`, of which those forwarded by another partition are skipped. An invalid
    record is skipped: track writes its dead letter, or counts its type as unknown. `as_of`: the latest business time
    (ms) of the partition before these records.
    """
    rows: list[EventRow] = []
    closed = False
    read = _action if topic == ACTIONS else _event
    for record in records:
        event = read(record)
        if not isinstance(event, Event):
            continue
        if is_replay_clock(event):
            as_of = max(as_of, parse_instant(event.data.to))
            continue
        closed |= isinstance(event, DeskClosed)
        as_of = max(as_of, event.at)
        rows.append(event_row(event, record, topic))
    last = records[-1]
    following = last.offset + 1
    return Stored(rows, ProgressRow(topic, last.partition, as_of, {topic: following}, following), closed)


def event_row(event: Event, record: Record, topic: str) -> EventRow:
    """The row of one event. The subject is the CloudEvents subject, else the event's key."""
    body = structured(record.value, record.headers) if record.headers else record.value
    assert body is not None  # it was decoded before
    return EventRow(
        event.source,
        event.id,
        type_of(event),
        event.at,
        event.subject or event.key() or "",
        topic,
        record.partition,
        record.offset,
        body.decode(),
        record.timestamp,
        _identified_in(event),
    )


def _event(record: Record) -> object:
    return decode(record.value, record.headers)


def _action(record: Record) -> object:
    return None if handed_on(record) else actions.decode(record.value, record.headers)


def _identified_in(event: Event) -> str:
    """The subject within which the event's source and id identify it, whatever its CloudEvents subject says.

    `ticket/17`, and for a survey about it `survey/ticket/17`: a call, or a callback, may have the same id.
    """
    kind = type_of(event).partition(".")[0]
    if isinstance(event, _ABOUT_OTHERS):
        kind += "/ticket" if event.data.ticket_id else "/call" if event.data.call_id else ""
    return f"{kind}/{event.key() or ''}"


def dead_letter_row(record: Record) -> DeadLetterRow | ReplayedRow | None:
    """The row of a message of the topic dead-letters: a dead letter, a replay marker, or None for anything else."""
    found = read(record)
    if found is None:
        return None
    origin = (found.topic, found.partition, found.offset)
    value = b64encode(found.value or b"").decode()
    if isinstance(found, ReplayMarker):
        return ReplayedRow(*origin, found.replayed_at, value)
    return DeadLetterRow(*origin, found.received_at, found.reason, value)
