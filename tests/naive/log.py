"""Events as they are in the log: their times, their identity, their order within a subject."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.naive.fields import DEFAULTS, DESKS_OWN, FIELDS, INSTANTS, family_of, subject_of, topic_of
from tests.naive.scores import scores_are_in_scale

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

# "At one instant creations and offers first, then assignments and updates, replies, stages, status changes,
# exemptions, merges." Calls: in their natural order.
RANKS = {
    "ticket.created": 0, "call.offered": 0, "ticket.assigned": 1, "ticket.updated": 1, "ticket.replied": 2,
    "ticket.stage_changed": 3, "ticket.status_changed": 4, "ticket.exempted": 5, "ticket.merged": 6,
    "survey.offered": 0, "call.answered": 2, "call.transferred": 3, "call.abandoned": 4, "call.ended": 5,
    "callback.due": 0, "action.opened": 0,
}  # fmt: skip
CREATIONS = ("ticket.created", "call.offered", "callback.due", "action.opened")

Sequence = tuple[int, int, bytes]
Order = tuple[int, int, Sequence, str, str]
Place = tuple[int, bool, Order]


class DeadLetterError(ValueError):
    """What is no event by the contract, and why."""


class UnknownTypeError(ValueError):
    """An event of a type that the contract does not know: counted and passed over."""


@dataclass
class Event:
    """A CloudEvent, with its time in milliseconds, and `at` and `place`: when and in which order it takes effect."""

    source: str
    id: str
    type: str
    time: int
    sequence: Sequence
    data: dict[str, Any]
    raw: bytes
    topic: str
    subject: str
    at: int = 0
    place: Place = (0, False, (0, 0, (0, 0, b""), "", ""))

    def order(self) -> Order:
        """Order within a subject: time, rank, sequence, source, id."""
        return self.time, RANKS.get(self.type, 1), self.sequence, self.source, self.id

    def identity(self) -> tuple[str, str, str, str]:
        """ "Identity = (`source`, `id`) within topic and subject." """
        return self.topic, self.subject, self.source, self.id

    def content(self) -> tuple[Any, ...]:
        """What the event says: neither how its instants are spelled nor what is ignored."""
        return self.type, self.time, self.sequence, self.data


def instant(text: str) -> int:
    """RFC 3339 text, with any offset, as milliseconds since the epoch (finer is cut)."""
    when = datetime.fromisoformat(text.upper())
    if when.tzinfo is None:
        raise DeadLetterError(f"{text} has no offset")
    return (when - EPOCH) // MILLISECOND


def sequence_key(sequence: Any) -> Sequence:
    """`sequence` in its order.

    "CloudEvents `sequence` (absent first; decimal integers, also as text, as numbers; other texts by their bytes)".
    """
    if sequence is None:
        return 0, 0, b""
    if isinstance(sequence, int) or re.fullmatch(r"-?[0-9]+", sequence):
        return 1, int(sequence), b""
    return 2, 0, str(sequence).encode()


def decode(line: dict[str, Any] | bytes) -> Event:
    """The event of a line, or of a CloudEvents object (which stands for its compact JSON).

    Raises:
        DeadLetterError: it is no event.
        UnknownTypeError: it is one of an unknown type.

    """
    raw = line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        event = json.loads(raw)
        time = instant(event["time"])
        if event["type"] not in FIELDS:
            raise UnknownTypeError(event["type"])
        data = data_of(event["type"], event["data"])
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DeadLetterError(str(error)) from error
    if not 1990 <= (EPOCH + time * MILLISECOND).year <= 2100:
        raise DeadLetterError("a time outside 1990-2100")
    if event["type"] == "ticket.merged" and data["ticket_id"] == data["into"]:
        raise DeadLetterError("a ticket merged into itself")
    if not scores_are_in_scale(event["type"], data):
        raise DeadLetterError("a score outside its scale")
    return Event(
        source=event["source"],
        id=event["id"],
        type=event["type"],
        time=time,
        sequence=sequence_key(event.get("sequence")),
        data=data,
        raw=raw,
        topic=topic_of(event["type"]),
        subject=subject_of(event["type"], event["id"], data),
    )


def data_of(type_: str, told: dict[str, Any]) -> dict[str, Any]:
    """The fields that count: null is absent, defaults filled in, own vocabularies lower-cased, instants as numbers."""
    required, optional = (names.split() for names in FIELDS[type_])
    data = DEFAULTS.get(type_, {}) | {name: told[name] for name in (*required, *optional) if told.get(name) is not None}
    for name in required:
        if name not in data or (name.endswith("_id") and not isinstance(data[name], str)):
            raise DeadLetterError(f"{name} is missing or no text")
    for name in data:
        if name in INSTANTS:
            data[name] = instant(data[name])
        elif name in DESKS_OWN:
            data[name] = data[name].lower()
    return data


def read(log: Iterable[dict[str, Any] | bytes]) -> tuple[list[Event], int, int]:
    """The events of a log; how many lines were dead letters, how many of unknown types."""
    events: list[Event] = []
    dead = unknown = 0
    for line in log:
        try:
            events.append(decode(line))
        except UnknownTypeError:
            unknown += 1
        except ValueError:
            dead += 1
    return events, dead, unknown


def without_repetitions(events: Iterable[Event]) -> tuple[list[Event], dict[str, Counter[str]]]:
    """The events that stand, in order, and what was counted of each topic.

    "The same event twice changes nothing; the same identity with other content: the earlier (time, then bytes) stands,
    counted as a conflict (another spelling of the same instant, or a field that is ignored, is no other content;
    another `type` is counted as `type_conflicts` too)".
    Reading: of n copies with k contents, k - 1 are conflicts and n - k duplicates, whatever the order of arrival.
    """
    copies: dict[tuple[str, ...], list[Event]] = {}
    for event in sorted(events, key=lambda event: (event.time, event.raw)):
        copies.setdefault(event.identity(), []).append(event)
    counts: dict[str, Counter[str]] = {}
    for of_it in copies.values():
        contents: list[tuple[Any, ...]] = []
        for event in of_it:
            if event.content() not in contents:
                contents.append(event.content())
        others = contents[1:]
        counts.setdefault(of_it[0].topic, Counter()).update(
            events=len(of_it),
            duplicates=len(of_it) - len(contents),
            conflicts=len(others),
            type_conflicts=sum(content[0] != of_it[0].type for content in others),
        )
    return sorted((of_it[0] for of_it in copies.values()), key=Event.order), counts


def by_subject(events: Iterable[Event], family: str) -> dict[str, list[Event]]:
    """The events of each subject of a family (`ticket`, `call` …), in order."""
    subjects: dict[str, list[Event]] = {}
    for event in sorted(events, key=Event.order):
        if family_of(event.type) == family:
            subjects.setdefault(event.subject, []).append(event)
    return {key: subjects[key] for key in sorted(subjects)}


def in_effective_order(events: list[Event]) -> list[Event]:
    """Events timed before their subject's creation apply at its creation; a second creation changes nothing.

    time     1     2     3     4            effective     1     2     3     4
             b     C     a     C'                                C,b   a
    """
    creations = [event for event in events if event.type in CREATIONS]
    creation = creations[0] if creations else None
    kept = [event for event in events if event.type not in CREATIONS or event is creation]
    for event in kept:
        event.at = max(event.time, creation.time) if creation else event.time
        event.place = event.at, event is not creation, event.order()
    return sorted(kept, key=lambda event: event.place)
