"""The subjects that a partition holds: how each is folded, what falls due, who is released, what the changelog has.

time passes        by instant, then by subject: what falls due before (`clock`, `fired`) was written
released           a day after the policy's hold; an agent only forgets what it did before
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple

from streams.desk.agent import Agent, last_beginning, naming
from streams.desk.clock import NEVER
from streams.desk.policy import Policies
from streams.desk.sheet import Sheet
from streams.desk.subject import AGENT, SURVEY, State, Subject, event_of, fold, order_of
from streams.desk.surveys import Surveys
from streams.models.instants import DAY

RELEASED = b"r"  # first byte of the changelog key that remembers a released subject
Count = Callable[[str, int, str, int], None]  # topic, instant, what, number


class Due(NamedTuple):
    """An entry of the deadline heap."""

    at: int
    name: str
    n: int  # breaks ties: subjects have no order
    subject: Subject


class Held:
    """The subjects that a partition holds. `entries` are the changelog entries to be written at the next checkpoint."""

    def __init__(self, policies: Policies, sheet: Sheet, count: Count) -> None:
        self.policies, self.sheet, self.count = policies, sheet, count
        self.held: dict[tuple[str, str], Subject] = {}
        self.released: set[tuple[str, str]] = set()
        self.entries: dict[bytes, bytes | None] = {}
        self.entry_bytes = 0
        self.touched: set[Subject] = set()  # whose standing row is to be written
        self.surveys = Surveys(self.held, sheet)
        self.releasing: Callable[[Subject], None] = lambda subject: None  # told before a subject is released
        self.clock = -1  # time has passed up to here,
        self.fired = ""  # and for the subjects with names up to this one to the end of this instant too
        self.former: Policies | None = None  # while policies change, those of the subjects after `changed`
        self.changed = ""
        self._heap: list[Due] = []
        self._pushes = 0

    # Folding

    def _fold(self, subject: Subject, policies: Policies) -> tuple[State, Sheet]:
        sheet = Sheet()
        events = [event_of(raw) for raw in subject.raws]
        state = fold(subject.kind, subject.id, events, policies, self._clock(subject), sheet)
        return state, sheet

    def _clock(self, subject: Subject) -> int:
        """The instant up to which time has passed for a subject."""
        return self.clock + (bool(self.fired) and subject.kind + subject.id <= self.fired)

    def _policies(self, subject: Subject) -> Policies:
        """The policies that a subject follows."""
        if self.former is None or subject.kind + subject.id <= self.changed:
            return self.policies
        return self.former

    def _adopt(self, subject: Subject) -> None:
        """A state that was folded apart goes on with the partition's sheet."""
        assert subject.state is not None
        subject.state.sheet = self.sheet
        subject.last = max(order_of(event_of(raw)) for raw in subject.raws)
        self._queue(subject)

    # Time

    def pass_time(self, clock: int, full: Callable[[], bool]) -> None:
        """Fire all that is due before `clock`; stop early, between two subjects, when the checkpoint is `full`."""
        while self._heap and self._heap[0].at < clock:
            if full():
                return
            at, name, _, subject = heappop(self._heap)
            self.clock, self.fired = max((at, name), (self.clock, self.fired))
            if subject.queued_at != at:
                continue  # it changed meanwhile, and was queued anew
            subject.queued_at = None
            if self._release_at(subject) <= at:
                self._release(subject)
                continue
            if subject.state is not None and subject.state.next_at <= at:
                subject.state.pass_time(at + 1)
                self.touched.add(subject)
            self._queue(subject)
        self.clock, self.fired = clock, ""

    def _settle(self, subject: Subject) -> None:
        self.touched.add(subject)
        self._queue(subject)

    def _queue(self, subject: Subject) -> None:
        """See that the subject comes up when its next instant passes."""
        state = subject.state
        at = self._release_at(subject) if state is None else min(state.next_at, self._release_at(subject))
        if at < NEVER and at != subject.queued_at:
            subject.queued_at = at
            self._pushes += 1
            heappush(self._heap, Due(at, subject.kind + subject.id, self._pushes, subject))

    def _release_at(self, subject: Subject) -> int:
        """When a subject leaves memory: a day after the hold, so that what is late meets it still.

        Surveys go with the ticket or call they are about; those of nobody known, a hold after the last of them.
        """
        if subject.kind == AGENT:
            assert isinstance(subject.state, Agent)
            return subject.state.forget_at + 2 * DAY  # a day's states at a time
        if subject.state is not None:
            return subject.state.released_at + DAY
        if subject.kind == SURVEY and subject.raws and self.surveys.named(subject) is None:
            return subject.latest + self.policies.at(subject.latest).hold_ms + DAY
        return NEVER

    def _release(self, subject: Subject) -> None:
        if subject.kind == AGENT:
            self._forget_past(subject)
            return
        self.releasing(subject)
        self._forget(subject)
        self.entries[_released_key(subject.kind, subject.id)] = b""
        self.released.add((subject.kind, subject.id))
        if subject.kind != SURVEY and (surveys := self.held.get((SURVEY, subject.kind + subject.id))) is not None:
            self._forget(surveys)

    def _forget_past(self, agent: Subject) -> None:
        """Forget the states of an agent that ended before the hold and a day."""
        if agent.state is not None and agent.state.next_at < self._clock(agent):  # due at this very instant
            agent.state.pass_time(self._clock(agent))
            self.touched.add(agent)
        policies = self._policies(agent)
        events = sorted(((event_of(raw), n) for n, raw in enumerate(agent.raws)), key=lambda each: order_of(each[0]))
        place, team = last_beginning(
            [event for event, _ in events], lambda at: at + policies.at(at).hold_ms + DAY < self.clock
        )
        for _, n in events[:place]:
            self.entries[agent.key(n)] = None
        first, kept = events[place][1], sorted(n for _, n in events[place:])
        agent.numbers = [n if agent.numbers is None else agent.numbers[n] for n in kept]
        agent.raws, agent.ids = [agent.raws[n] for n in kept], [agent.ids[n] for n in kept]
        if place and team:
            self._name_team(agent, kept.index(first), team)
        agent.state, _ = self._fold(agent, policies)
        self._adopt(agent)

    def _name_team(self, agent: Subject, n: int, team: str) -> None:
        agent.raws[n] = naming(agent.raws[n], team)
        self._keep(agent, n, agent.raws[n])

    def _forget(self, subject: Subject) -> None:
        for n in range(len(subject.raws)):
            self.entries[subject.key(n)] = None
        del self.held[subject.kind, subject.id]
        self.surveys.forget(subject.id)
        subject.queued_at = None

    def _was_released(self, kind: str, subject_id: str) -> bool:
        about = (subject_id[0], subject_id[1:]) if kind == SURVEY and subject_id[0] != SURVEY else (kind, subject_id)
        return (kind, subject_id) in self.released or about in self.released

    # Changelog

    def _keep(self, subject: Subject, n: int, raw: bytes) -> None:
        self.entries[subject.key(n)] = raw
        self.entry_bytes += len(raw) + 64

    def load_released(self, key: bytes, released: bool) -> None:
        """Remember, from its key in the changelog, that a subject was released; or that it was not after all."""
        if released:
            self.released.add(_released(key))
        else:
            self.released.discard(_released(key))

    def entry(self, key: bytes) -> bytes | None:
        """What the changelog should hold under `key`, a subject's or a released one's."""
        if key[:1] == RELEASED:
            return b"" if _released(key) in self.released else None
        kind, subject_id, n = parse_key(key)
        subject = self.held.get((kind, subject_id))
        return None if subject is None else subject.numbered(n)


def parse_key(key: bytes) -> tuple[str, str, int]:
    """(kind, subject, number) of an event's key in the changelog."""
    subject, _, n = key[1:].decode().rpartition("\0")
    return key[:1].decode(), subject, int(n)


def _released_key(kind: str, subject_id: str) -> bytes:
    return RELEASED + f"{kind}{subject_id}".encode()


def _released(key: bytes) -> tuple[str, str]:
    name = key[1:].decode()
    return name[0], name[1:]
