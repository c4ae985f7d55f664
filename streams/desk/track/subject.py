"""A subject (ticket, call, ...) and its events: kept as they came, folded in order, refolded when one is out of order.

in order       e1 ─ e2 ─ e3 ─ [e4]            fold e4 onto the state: the fast path
out of order   e1 ─ e3 ─ e4 ─ [e2]            fold e1 e3 e4, fold e1 e2 e3 e4, write the difference
again          e1 ─ e2 ─ [e1]                 nothing (a duplicate), or the earlier of the two stands (a conflict)
"""

from typing import NamedTuple

from streams.desk.agent_states import Agent
from streams.desk.callbacks import Callback, ImprovementAction
from streams.desk.calls import Call
from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies
from streams.desk.tickets.ticket import Ticket
from streams.models.codec import Rejected, Unknown, decode
from streams.models.envelope import Event

TICKET, CALL, SURVEY, CALLBACK, ACTION, AGENT = "t", "c", "s", "b", "a", "g"
State = Ticket | Call | Callback | ImprovementAction | Agent
_STATES: dict[str, type[State]] = {
    TICKET: Ticket,
    CALL: Call,
    CALLBACK: Callback,
    ACTION: ImprovementAction,
    AGENT: Agent,
}
HAS_CREATION = frozenset(
    (TICKET, CALL, CALLBACK, ACTION)
)  # the kinds that begin with a creation; without one, an orphan
Order = tuple[int, int, str, str, str]
MANY = 64  # events from which ids are looked up in a set: an agent's states are thousands, a ticket's events a dozen


def order_of(event: Event) -> Order:
    """The order of events within a subject: time, kind of change, CloudEvents `sequence`, source, id."""
    sequence = event.sequence
    return (event.at, event.rank, "" if sequence is None else str(sequence), event.source, event.id)


class Place(NamedTuple):
    """An event's place in its subject's fold: the instant it applies at, and what it is sorted by."""

    at: int
    is_later: bool  # than the creation, in the order of one instant
    order: Order


class Subject:
    """A ticket, call, callback, ..., or the surveys and reviews about one. `raws`: its events in order of arrival.

    `name`: its kind and id. The surveys' id is the name of whom they are about (`t17`), or, of nobody, `s` and the
    survey's id.
    """

    __slots__ = (
        "id",
        "ids",
        "kind",
        "known",
        "last",
        "latest",
        "name",
        "numbers",
        "orphan_at",
        "queued_at",
        "raws",
        "state",
        "told",
    )

    def __init__(self, name: str) -> None:
        self.name, self.kind, self.id = name, name[0], name[1:]
        self.raws: list[bytes] = []
        self.ids: list[str] = []  # the events' ids, to know one that comes again
        self.known: set[str] | None = None  # the same, if they are many
        self.numbers: list[int] | None = None  # the events' in the changelog, if some were forgotten; else 0, 1 ...
        self.last: Order | None = None  # the latest event folded in
        self.latest = -1  # of all its events, the latest instant
        self.state: State | None = None
        self.orphan_at: int | None = None  # counted as an orphan under this instant
        self.queued_at: int | None = None  # its next instant in the partition's heap
        self.told = b""  # what the stage customers was told of it (`streams.desk.track.customer_feed`)

    def key(self, n: int) -> bytes:
        """The key of event `n` in the changelog."""
        return f"{self.name}\0{n if self.numbers is None else self.numbers[n]}".encode()

    def numbered(self, number: int) -> bytes | None:
        """The event of that number in the changelog, if it is held."""
        if self.numbers is None:
            return self.raws[number] if number < len(self.raws) else None
        return self.raws[self.numbers.index(number)] if number in self.numbers else None

    def events(self) -> list[Event]:
        """All events, decoded, in order."""
        return sorted(map(event_of, self.raws), key=order_of)

    def find(self, event: Event) -> int | None:
        """Where the same identity is among the events that came, if it is."""
        if event.id not in (self.ids if self.known is None else self.known):
            return None
        for n, event_id in enumerate(self.ids):
            if event_id == event.id and event_of(self.raws[n]).source == event.source:
                return n
        return None

    def append(self, event: Event, raw: bytes) -> int:
        """Keep an event; returns its number."""
        self.raws.append(raw)
        self.ids.append(event.id)
        if self.known is not None:
            self.known.add(event.id)
        elif len(self.ids) > MANY:
            self.known = set(self.ids)
        if self.numbers is not None:
            self.numbers.append(self.numbers[-1] + 1)
        self.latest = max(self.latest, event.at)
        return len(self.raws) - 1

    def is_next(self, event: Event) -> bool:
        """Whether the event can be folded onto the state: it is the latest, and no time after it has passed."""
        if self.state is None:
            return True
        if event.rank == 0 or event.at <= self.state.fired_at:
            return False
        return self.last is not None and order_of(event) > self.last


def event_of(raw: bytes) -> Event:
    """Decode an event that was accepted before."""
    event = decode(raw)
    if isinstance(event, Rejected | Unknown):
        raise ValueError(f"an event that was accepted before is not one any more: {event}")
    return event


def new_state(kind: str, subject_id: str, policies: Policies, change_set: ChangeSet) -> State:
    """A ticket, call, callback, action or agent to which nothing has happened yet."""
    return _STATES[kind](subject_id, policies, change_set)


def places(events: list[Event]) -> list[tuple[Place, Event]]:
    """The events of a subject with the instants they apply at, in that order: none before the creation."""
    created = min((event for event in events if event.rank == 0), key=order_of, default=None)
    if created is None:
        return sorted(((Place(event.at, True, order_of(event)), event) for event in events), key=_by_place)
    first = created.at
    placed = [(Place(max(event.at, first), event is not created, order_of(event)), event) for event in events]
    return sorted(placed, key=_by_place)


def _by_place(placed: tuple[Place, Event]) -> Place:
    return placed[0]


def fold(
    kind: str, subject_id: str, events: list[Event], policies: Policies, clock: int, change_set: ChangeSet
) -> State:
    """Fold all of a subject's events, given in any order, and let time pass to `clock`, writing on `change_set`."""
    state = new_state(kind, subject_id, policies, change_set)
    for place, event in places(events):
        state.apply(event, place.at)
    if state.next_at < clock:
        state.pass_time(clock)
    return state


def stood_at(subject: Subject, at: int, policies: Policies) -> State | None:
    """The ticket or call as it stood at the end of instant `at`, or at its creation if that came later."""
    state = subject.state
    if state is None or (subject.last is not None and subject.last[0] <= at):
        return state
    placed = places([event_of(raw) for raw in subject.raws])
    earlier = [event for place, event in placed if place.at <= max(at, placed[0][0].at)]
    return fold(subject.kind, subject.id, earlier, policies, -1, ChangeSet())
