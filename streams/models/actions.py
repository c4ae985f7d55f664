"""People's actions on warnings: the events of the topic `actions`, from the API or any other producer.

    {"specversion": "1.0", "id": "…", "source": "/desk/board", "type": "warning.acknowledge",
     "time": "2026-11-24T08:00:00+08:00", "data": {"warning_id": "…", "by": "li.wei", "note": "calling back"}}

| type                  | data, beside warning_id, by, note   | effect                                          |
|-----------------------|-------------------------------------|-------------------------------------------------|
| `warning.acknowledge` |                                     | stops the chain, for the policy's duration      |
| `warning.snooze`      | until (an instant) or for_s         | suspends the chain until then                   |
| `warning.disagree`    |                                     | stops the chain for good, counted as mistaken   |

The key does not matter: role escalate forwards an action to the partition with its warning.
"""

from functools import reduce
from operator import or_
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.models.codec import LARGEST, Headers, Rejected, structured
from streams.models.envelope import Data, Event, Id, Instant
from streams.models.instants import parse_instant

MAX_SNOOZE_S = 30 * 86_400


class Action(Data, kw_only=True):
    """Data of every action: the warning, and the person."""

    warning_id: Id
    by: Annotated[str, Meta(min_length=1, max_length=200)]
    note: Annotated[str, Meta(max_length=2000)] = ""


class Snooze(Action, kw_only=True):
    """Data of `warning.snooze`: the end, or the number of seconds from the time of the event."""

    until: Instant | None = None
    for_s: Annotated[float, Meta(gt=0, le=MAX_SNOOZE_S)] | None = None


class ActionEvent(Event):
    """An action on a warning."""

    data: Action

    def key(self) -> str:
        """The warning."""
        return self.data.warning_id


class Acknowledge(ActionEvent, tag="warning.acknowledge"):
    """Somebody takes care of it."""


class Disagree(ActionEvent, tag="warning.disagree"):
    """Somebody says that the warning is mistaken."""


class SnoozeEvent(ActionEvent, tag="warning.snooze"):
    """Somebody suspends the escalation of the warning."""

    data: Snooze

    def until(self) -> int:
        """The instant (ms) at which the chain resumes."""
        data = self.data
        return parse_instant(data.until) if data.until is not None else self.at + round((data.for_s or 0) * 1000)


ACTIONS: tuple[type[ActionEvent], ...] = (Acknowledge, SnoozeEvent, Disagree)
TYPES = frozenset(str(event.__struct_config__.tag) for event in ACTIONS)
_decode = msgspec.json.Decoder(reduce(or_, ACTIONS)).decode


def decode(value: bytes | None, headers: Headers = ()) -> ActionEvent | Rejected:
    """Return the action in a message, or the reason for its rejection."""
    if value is None:
        return Rejected("the message has no value")
    if len(value) > LARGEST:
        return Rejected(f"the message has {len(value):,} bytes, more than the {LARGEST:,} allowed")
    try:
        value = structured(value, headers)
        event: ActionEvent = _decode(value)  # type: ignore[arg-type]
        event.at = parse_instant(event.time)
        if isinstance(event, SnoozeEvent):
            if (event.data.until is None) == (event.data.for_s is None):
                raise ValueError("a snooze says either until or for_s")
            if not event.at < event.until() <= event.at + MAX_SNOOZE_S * 1000:
                raise ValueError("a snooze ends after it begins, and within 30 days")
    except (ValueError, RecursionError) as error:
        return Rejected(f"no action on a warning: {error}")
    return event
