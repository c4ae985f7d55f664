"""Events as they are in the log: their times, their identity, their order within a subject."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

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


@dataclass
class Event:
    """A CloudEvent, with its time in milliseconds and `at`, the instant at which it takes effect."""

    source: str
    id: str
    type: str
    time: int
    sequence: str
    data: dict[str, Any]
    content: str
    at: int = 0

    def order(self) -> tuple[int, int, str, str, str]:
        """Order within a subject: time, rank, sequence, source, id."""
        return self.time, RANKS.get(self.type, 1), self.sequence, self.source, self.id


def instant(text: str) -> int:
    """RFC 3339 text, with any offset, as milliseconds since the epoch (finer is cut)."""
    return (datetime.fromisoformat(text.upper()) - EPOCH) // MILLISECOND


def decode(event: dict[str, Any]) -> Event:
    """The event of a CloudEvents object."""
    return Event(
        source=event["source"],
        id=event["id"],
        type=event["type"],
        time=instant(event["time"]),
        sequence=str(event.get("sequence", "")),
        data={name: value for name, value in event["data"].items() if value is not None},
        content=json.dumps(event, sort_keys=True),
    )


def subject(event: Event) -> str:
    """Tickets by ticket_id, calls by call_id, surveys by the ticket or call they name, else by their own id."""
    data = event.data
    names = {"ticket": ["ticket_id"], "call": ["call_id"], "survey": ["ticket_id", "call_id", "survey_id"]}
    return next(str(data[name]) for name in names[event.type.split(".")[0]] if name in data)


def without_repetitions(events: Iterable[Event]) -> list[Event]:
    """Same source and id: the earlier (time, then bytes) stands. In order of time, rank, sequence, source, id."""
    standing: dict[tuple[str, str], Event] = {}
    for event in sorted(events, key=lambda event: (event.time, event.content)):
        standing.setdefault((event.source, event.id), event)
    return sorted(standing.values(), key=Event.order)


def by_subject(events: Iterable[Event], family: str) -> dict[str, list[Event]]:
    """The events of each subject ("ticket", "call", "survey"), repetitions taken out, in order."""
    subjects: dict[str, list[Event]] = {}
    for event in events:
        if event.type.startswith(family + "."):
            subjects.setdefault(subject(event), []).append(event)
    return {key: without_repetitions(subjects[key]) for key in sorted(subjects)}


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
    return sorted(kept, key=lambda event: (event.at, event is not creation, event.order()))
