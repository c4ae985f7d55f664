"""The subjects that a partition holds: how each is folded, what falls due, who is released, what the changelog has.

time passes        by instant, then by subject: what falls due before (`clock`, `fired`) was written
released           a day after the policy's hold; an agent only forgets what it did before
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple

from streams.desk.agent_states import Agent, last_beginning, naming
from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies
from streams.desk.track.subject import AGENT, HAS_CREATION, SURVEY, State, Subject, event_of, fold, order_of
from streams.desk.track.subject_cache import CACHED_SUBJECTS, SubjectCache
from streams.desk.track.survey_index import Surveys
from streams.models.envelope import Event
from streams.models.instants import DAY, NEVER

RELEASED = b"r"  # first byte of the changelog key that remembers a released subject
Count = Callable[[str, int, str, int], None]  # topic, instant, what, number


class Due(NamedTuple):
    """An entry of the deadline heap."""

    at: int
    name: str


class SubjectStore:
    """The subjects that a partition holds. `entries` are the changelog entries to be written at the next checkpoint."""

    def __init__(
        self, policies: Policies, change_set: ChangeSet, count: Count, cached_subjects: int = CACHED_SUBJECTS
    ) -> None:
        self.policies, self.change_set, self.count = policies, change_set, count
        self.held = SubjectCache(self._revive, cached_subjects)
        self.released: set[str] = set()  # their names
        self.entries: dict[bytes, bytes | None] = {}
        self.entry_bytes = 0
        self.touched: set[Subject] = set()  # whose standing row is to be written
        self.surveys = Surveys(self.held, change_set)
        self.releasing: Callable[[Subject], None] = lambda subject: None  # told before a subject is released
        self.clock = -1  # time has passed up to here,
        self.fired = ""  # and for the subjects with names up to this one to the end of this instant too
        self.former: Policies | None = None  # while policies change, those of the subjects after `changed`
        self.changed = ""
        self._heap: list[Due] = []

    # Folding

    def _fold(self, subject: Subject, policies: Policies, events: list[Event] | None = None) -> tuple[State, ChangeSet]:
        change_set = ChangeSet()
        if events is None:
            events = [event_of(raw) for raw in subject.raws]
        state = fold(subject.kind, subject.id, events, policies, self._clock(subject), change_set)
        return state, change_set

    def _revive(self, subject: Subject) -> None:
        """Fold a subject again from its events: nothing is written, for it was before."""
        events = [event_of(raw) for raw in subject.raws]
        subject.ids = [event.id for event in events]
        subject.latest = max(event.at for event in events)
        if subject.kind in HAS_CREATION and all(event.rank for event in events):
            subject.orphan_at = events[0].at
        if subject.kind != SURVEY:
            subject.state, _ = self._fold(subject, self._policies(subject), events)
            self._adopt(subject, events)

    def _clock(self, subject: Subject) -> int:
        """The instant up to which time has passed for a subject."""
        return self.clock + (bool(self.fired) and subject.name <= self.fired)

    def _policies(self, subject: Subject) -> Policies:
        """The policies that a subject follows."""
        if self.former is None or subject.name <= self.changed:
            return self.policies
        return self.former

    def _adopt(self, subject: Subject, events: list[Event] | None = None) -> None:
        """A state that was folded apart goes on with the partition's change_set."""
        assert subject.state is not None
        subject.state.change_set = self.change_set
        subject.last = max(map(order_of, map(event_of, subject.raws) if events is None else events))
        self._queue(subject)

    # Time

    def pass_time(self, clock: int, full: Callable[[], bool]) -> None:
        """Fire all that is due before `clock`; stop early, between two subjects, when the checkpoint is `full`."""
        while self._heap and self._heap[0].at < clock:
            if full():
                return
            at, name = heappop(self._heap)
            subject = self.held.due(name, at)  # woken, if need be, as it stood before
            self.clock, self.fired = max((at, name), (self.clock, self.fired))
            if subject is None:
                continue
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
            heappush(self._heap, Due(at, subject.name))

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
        self.entries[RELEASED + subject.name.encode()] = b""
        self.released.add(subject.name)
        if subject.kind != SURVEY and (surveys := self.held.get(SURVEY + subject.name)) is not None:
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
        agent.raws, agent.ids, agent.known = [agent.raws[n] for n in kept], [agent.ids[n] for n in kept], None
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
        del self.held[subject.name]
        self.surveys.forget(subject.id)
        subject.queued_at = None

    def _was_released(self, name: str) -> bool:
        return name in self.released or (name[0] == SURVEY != name[1:2] and name[1:] in self.released)

    # Changelog

    def _keep(self, subject: Subject, n: int, raw: bytes) -> None:
        self.entries[subject.key(n)] = raw
        self.entry_bytes += len(raw) + 64

    def load_released(self, key: bytes, released: bool) -> None:
        """Remember, from its key in the changelog, that a subject was released; or that it was not after all."""
        if released:
            self.released.add(key[1:].decode())
        else:
            self.released.discard(key[1:].decode())

    def entry(self, key: bytes) -> bytes | None:
        """What the changelog should hold under `key`, a subject's or a released one's."""
        if key[:1] == RELEASED:
            return b"" if key[1:].decode() in self.released else None
        name, n = parse_key(key)
        subject = self.held.get(name)
        return None if subject is None else subject.numbered(n)


def parse_key(key: bytes) -> tuple[str, int]:
    """(name of the subject, number) of an event's key in the changelog."""
    name, _, n = key.decode().rpartition("\0")
    return name, int(n)
