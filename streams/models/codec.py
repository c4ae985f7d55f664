"""Bytes to events: each message is an event, a dead letter with its reason, or of unknown type; never an exception."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from sys import intern
from typing import Any

import msgspec

from streams.models import calls, signals, surveys, tickets
from streams.models.envelope import Event
from streams.models.instants import MINUTE, format_instant, parse_instant

Headers = Iterable[tuple[str, bytes | None]]

TYPES: dict[str, type[Event]] = {
    str(cls.__struct_config__.tag): cls
    for cls in (*tickets.EVENTS, *calls.EVENTS, *surveys.EVENTS, *signals.EVENTS, *signals.CONTROL)
}
TOPICS: dict[type[Event], str] = {
    **dict.fromkeys(tickets.EVENTS, "tickets"),
    **dict.fromkeys(calls.EVENTS, "calls"),
    **dict.fromkeys(surveys.EVENTS, "surveys"),
    **dict.fromkeys((*signals.EVENTS, *signals.CONTROL), "signals"),
}
LARGEST = 1 << 20  # bytes; Kafka's own default for a message
AHEAD = 5 * MINUTE  # how far a live event may be timed ahead of the wall clock

_decode = msgspec.json.Decoder(reduce(or_, TYPES.values())).decode


class Rejected(msgspec.Struct, frozen=True):
    """A message that is no event, and why, as one sentence."""

    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """A CloudEvent of a type that is not in the contract: counted and passed over."""

    type: str


class _Typed(msgspec.Struct):
    type: str


_type = msgspec.json.Decoder(_Typed).decode


def topic_of(event: Event) -> str:
    """The input topic that an event belongs to."""
    return TOPICS[type(event)]


def structured(value: bytes | None, headers: Headers = ()) -> bytes | None:
    """The event as one JSON document: `value` itself, or put together from the `ce_*` headers of the binary mode."""
    attributes: dict[str, Any] = {}
    for name, content in headers or ():
        if name.startswith("ce_") and content is not None:
            attributes[name[3:]] = content.decode()
    if value is None or not attributes:
        return value
    return msgspec.json.encode({**attributes, "data": msgspec.Raw(value)})


def decode(value: bytes | None, headers: Headers = (), now: int | None = None) -> Event | Rejected | Unknown:
    """The event in a Kafka message.

    `value` is the message's value, `headers` its Kafka headers (for the binary mode), `now` the wall clock in ms,
    or None in a replay: live, an event timed more than five minutes ahead is a dead letter.
    """
    if value is None:
        return Rejected("the message has no value")
    if len(value) > LARGEST:
        return Rejected(f"the message has {len(value):,} bytes, more than the {LARGEST:,} allowed")
    try:
        if not value.isascii():
            value.decode()  # fields that we ignore are stored too: they must be text
        if headers:
            value = structured(value, headers)
        event: Event = _decode(value)  # type: ignore[arg-type]
        event.at = parse_instant(event.time)
        event.source = intern(event.source)  # few, and kept with each event
        check = _CHECKS.get(type(event))
        if check is not None:
            check(event)
    except (ValueError, RecursionError) as error:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        return _refuse(value or b"", error)
    if now is not None and event.at > now + AHEAD:
        return Rejected(f"time {event.time} is more than five minutes ahead of the clock")
    return event


def _refuse(value: bytes, error: Exception) -> Rejected | Unknown:
    try:
        name = _type(value).type
    except (ValueError, RecursionError):
        name = None
    if name is not None and name not in TYPES:
        return Unknown(str(name))
    if isinstance(error, RecursionError):
        return Rejected("the JSON is nested too deeply")
    return Rejected(f"{name or 'no CloudEvent'}: {error}")


def _respell(instant: str) -> str:
    """Instants inside `data` are spelled in one way, so that events that say the same are equal."""
    return format_instant(parse_instant(instant))


def _check_advance(event: signals.ClockAdvanced) -> None:
    parse_instant(event.data.to)


def _check_closure(event: signals.DeskClosed) -> None:
    data = event.data
    data.begins, data.ends = _respell(data.begins), _respell(data.ends)
    if data.begins >= data.ends:
        raise ValueError(f"the closure from {data.begins} does not end after it begins")


def _check_announcement(event: signals.PolicyAnnounced) -> None:
    event.data.announced_at = _respell(event.data.announced_at)
    event.data.effective_at = _respell(event.data.effective_at)


def _check_due(event: signals.CallbackEvent | signals.ActionEvent) -> None:
    if event.data.due_at is not None:
        event.data.due_at = _respell(event.data.due_at)


def _check_merge(event: tickets.TicketMerged) -> None:
    if event.data.into == event.data.ticket_id:
        raise ValueError("the ticket is merged into itself")


def _lower(*names: str) -> Any:
    """Lower-case these fields: words of vocabularies that may be the desk's own."""

    def lower(event: Event) -> None:
        data = event.data
        for name in names:
            word = getattr(data, name)
            if word is not None and not word.islower():
                setattr(data, name, word.lower())

    return lower


def _check_response(event: surveys.SurveyResponded) -> None:
    if (fault := event.fault()) is not None:
        raise ValueError(fault)
    _lower_survey(event)


def _check_callback(event: signals.CallbackEvent) -> None:
    _check_due(event)
    _lower_segment(event)


_lower_segment, _lower_survey = _lower("segment"), _lower("channel", "segment")

_CHECKS: dict[type[Event], Any] = {
    tickets.TicketCreated: _lower("kind", "channel", "segment"),
    tickets.TicketUpdated: _lower("kind", "segment"),
    tickets.TicketStageChanged: _lower("stage"),
    tickets.TicketMerged: _check_merge,
    calls.CallOffered: _lower_segment,
    surveys.SurveyResponded: _check_response,
    signals.ClockAdvanced: _check_advance,
    signals.DeskClosed: _check_closure,
    signals.PolicyAnnounced: _check_announcement,
    **dict.fromkeys((signals.CallbackDue, signals.CallbackRescheduled, signals.CallbackDone), _check_callback),
    **dict.fromkeys((signals.ActionOpened, signals.ActionDone), _check_due),
}
"""What is looked at beside the types, by event; fields of open vocabularies are lower-cased in place."""
