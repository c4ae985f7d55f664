"""A subject (ticket, call, ...) and its events: kept as received, folded in order, refolded if one is out of order.

in order       e1 ─ e2 ─ e3 ─ [e4]            fold e4 onto the state: the fast path
out of order   e1 ─ e3 ─ e4 ─ [e2]            fold e1 e3 e4, fold e1 e2 e3 e4, write the difference
repeated       e1 ─ e2 ─ [e1]                 nothing (a duplicate), or the earlier of the two wins (a conflict)
"""

from bisect import insort
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from streams.desk.agent_states import Agent
from streams.desk.callbacks import Callback, ImprovementAction
from streams.desk.calls.call import Call, new_call
from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies
from streams.desk.tickets.ticket import Ticket
from streams.errors import DeskwatchError
from streams.models.codec import Rejected, Unknown, decode, topic_of
from streams.models.envelope import Event, Order, order_of
from streams.models.instants import NEVER

State = Ticket | Call | Callback | ImprovementAction | Agent
ID_SET_THRESHOLD = 64  # events of a subject; above it, ids are looked up in a set: an agent has thousands


class SubjectKind(StrEnum):
    """What a subject is: the first letter of its name, and of its events' changelog keys."""

    TICKET = "t"
    """A ticket, by ticket id."""

    CALL = "c"
    """A call, by call id."""

    SURVEY = "s"
    """The surveys and reviews about one ticket or call, by its name; without one, a survey by its own id."""

    CALLBACK = "b"
    """A promised callback, by callback id."""

    ACTION = "a"
    """An improvement action, by action id."""

    AGENT = "g"
    """An agent's states, by agent id: the only kind that is never released; old states are forgotten."""


TICKET, CALL, SURVEY, CALLBACK, ACTION, AGENT = (kind.value for kind in SubjectKind)
"""The kinds as plain strings, which are faster to compare."""

HAS_CREATION = frozenset((TICKET, CALL, CALLBACK, ACTION))
"""The kinds that begin with a creation; a subject of such a kind without one is an orphan."""

_STATES: dict[str, Callable[[str, Policies, ChangeSet], State]] = {
    TICKET: Ticket,
    CALL: new_call,
    CALLBACK: Callback,
    ACTION: ImprovementAction,
    AGENT: Agent,
}


class FoldPosition(NamedTuple):
    """An event's position in the fold of its subject: the instant it applies at, and its sort key."""

    at: int
    is_later: bool  # than the creation, in the order of one instant
    order: Order


class Subject:
    """A ticket, call, callback, ..., or the surveys and reviews about one. `raws`: its events in order of arrival.

    `name`: its kind and id. The id of surveys is the name of the ticket or call they are about (`t17`); of a survey
    about neither, `s` and the survey's id.
    """

    __slots__ = (
        "_in_order",
        "id",
        "id_set",
        "ids",
        "kind",
        "last",
        "last_published",
        "latest",
        "name",
        "numbers",
        "orphan_at",
        "queued_at",
        "raws",
        "state",
    )

    def __init__(self, name: str) -> None:
        self.name, self.kind, self.id = name, name[0], name[1:]
        self.raws: list[bytes] = []
        self._in_order: list[Event] | None = None  # the events, once `events` was asked for
        self.ids: list[str] = []  # of the events, to find duplicates
        self.id_set: set[str] | None = None  # the same, above ID_SET_THRESHOLD
        self.numbers: list[int] | None = None  # changelog numbers, if events were forgotten; None: 0, 1 ...
        self.last: Order | None = None  # of the latest event folded in
        self.latest = -1  # the latest instant of all its events
        self.state: State | None = None
        self.orphan_at: int | None = None  # the instant under which it was counted as an orphan
        self.queued_at = NEVER  # its entry in the heap of deadlines, if it has one
        self.last_published = b""  # customer facts as last sent (`streams.desk.track.customer_feed`)

    def key(self, n: int) -> bytes:
        """The key of event `n` in the changelog."""
        return f"{self.name}\0{n if self.numbers is None else self.numbers[n]}".encode()

    def numbered(self, number: int) -> bytes | None:
        """The event with that changelog number, if held."""
        if self.numbers is None:
            return self.raws[number] if number < len(self.raws) else None
        return self.raws[self.numbers.index(number)] if number in self.numbers else None

    def events(self) -> list[Event]:
        """All events, decoded, in order: of surveys, which are counted anew at each event."""
        if self._in_order is None:
            self._in_order = sorted(map(event_of, self.raws), key=order_of)
        return self._in_order

    def find(self, event: Event) -> int | None:
        """The index of an earlier event with the same identity (topic, source and id), if any."""
        if event.id not in (self.ids if self.id_set is None else self.id_set):
            return None
        for n, event_id in enumerate(self.ids):
            if event_id == event.id:
                known = event_of(self.raws[n])
                if known.source == event.source and topic_of(known) == topic_of(event):
                    return n
        return None

    def append(self, event: Event, raw: bytes) -> int:
        """Add an event; returns its index."""
        if self._in_order is not None:
            insort(self._in_order, event, key=order_of)
        self.raws.append(raw)
        self.ids.append(event.id)
        if self.id_set is not None:
            self.id_set.add(event.id)
        elif len(self.ids) > ID_SET_THRESHOLD:
            self.id_set = set(self.ids)
        if self.numbers is not None:
            self.numbers.append(self.numbers[-1] + 1)
        self.latest = max(self.latest, event.at)
        return len(self.raws) - 1

    def replace(self, n: int, raw: bytes) -> None:
        """Event `n` is another one."""
        self.raws[n], self._in_order = raw, None
        self.latest = max(event_of(each).at for each in self.raws)

    def is_next(self, event: Event, order: Order) -> bool:
        """Whether the event can be folded onto the state: it is the latest, and time has not passed beyond it."""
        if self.state is None:
            return True
        if event.rank == 0 or event.at <= self.state.fired_at:
            return False
        return self.last is not None and order > self.last


def orphan_at(kind: str, events: list[Event]) -> int | None:
    """The instant under which a subject with these events counts as an orphan: its first, if it has no creation."""
    if kind not in HAS_CREATION or any(not event.rank for event in events):
        return None
    return min(event.at for event in events)


class NoEventAnyMore(DeskwatchError, ValueError):
    """An event that another release accepted is none by the rules of this one."""


def event_of(raw: bytes) -> Event:
    """Decode an event that was accepted before. Raises NoEventAnyMore."""
    event = decode(raw)
    if isinstance(event, Rejected | Unknown):
        raise NoEventAnyMore(f"an event that was accepted before is not one any more: {event}")
    return event


def is_event(raw: bytes) -> bool:
    """Whether this release accepts an event that another one accepted."""
    return not isinstance(decode(raw), Rejected | Unknown)


def new_state(kind: str, subject_id: str, policies: Policies, change_set: ChangeSet) -> State:
    """A ticket, call, callback, action or agent to which nothing has happened yet."""
    return _STATES[kind](subject_id, policies, change_set)


def positions(events: list[Event]) -> list[tuple[FoldPosition, Event]]:
    """The events of a subject, sorted by the instants they apply at: never before the creation."""
    created = min((event for event in events if event.rank == 0), key=order_of, default=None)
    if created is None:
        return sorted(((FoldPosition(event.at, True, order_of(event)), event) for event in events), key=_position_of)
    first = created.at
    found = [(FoldPosition(max(event.at, first), event is not created, order_of(event)), event) for event in events]
    return sorted(found, key=_position_of)


def _position_of(found: tuple[FoldPosition, Event]) -> FoldPosition:
    return found[0]


def fold(
    kind: str, subject_id: str, events: list[Event], policies: Policies, business_time: int, change_set: ChangeSet
) -> State:
    """Fold all events of a subject, given in any order, and let time pass; rows go to `change_set`."""
    state = new_state(kind, subject_id, policies, change_set)
    for position, event in positions(events):
        state.apply(event, position.at)
    if state.next_at < business_time:
        state.pass_time(business_time)
    return state


def state_at(subject: Subject, at: int, policies: Policies) -> State | None:
    """The ticket or call as of the end of instant `at`, or as of its creation if that is later."""
    state = subject.state
    if state is None or (subject.last is not None and subject.last[0] <= at):
        return state
    found = positions([event_of(raw) for raw in subject.raws])
    earlier = [event for position, event in found if position.at <= max(at, found[0][0].at)]
    return fold(subject.kind, subject.id, earlier, policies, -1, ChangeSet())
