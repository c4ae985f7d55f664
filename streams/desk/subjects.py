"""All subjects of a partition: who gets an event, what it changes, what falls due, and who is held no longer.

Two things take long and go on step by step, with checkpoints in between, always in the same order, so that the place
they have come to tells what was done:

    time passes        by instant, then by subject: what falls due before (`clock`, `fired`) was written
    policies change    by subject: those up to `changed` follow the new ones, the others the former
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from streams.desk.agent import Agent, last_beginning, naming
from streams.desk.clock import NEVER
from streams.desk.policy import Policies
from streams.desk.sheet import Sheet, amend
from streams.desk.subject import (
    AGENT,
    BORN,
    CALL,
    SURVEY,
    TICKET,
    State,
    Subject,
    event_of,
    fold,
    new_state,
    order_of,
    places,
)
from streams.desk.surveys import Surveys
from streams.desk.ticket import Ticket
from streams.models.envelope import Event
from streams.models.instants import DAY

RELEASED = b"r"  # first byte of the changelog key that remembers a released subject
Count = Callable[[str, int, str, int], None]  # topic, instant, what, number


class Due(NamedTuple):
    """An entry of the deadline heap."""

    at: int
    name: str
    n: int  # breaks ties: subjects have no order
    subject: Subject


class Subjects:
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
        self._unchanged: list[str] = []  # a heap of names: kind and id
        self._heap: list[Due] = []
        self._pushes = 0

    # Events

    def take(self, kind: str, subject_id: str, event: Event, raw: bytes, topic: str) -> None:
        """An event of the subject came: fold it in."""
        if kind == SURVEY:
            subject_id = _whom(event) + subject_id
        subject = self.held.get((kind, subject_id))
        if subject is None:
            if self._was_released(kind, subject_id):
                self.count(topic, event.at, "released", 1)
                return
            subject = self.held[kind, subject_id] = Subject(kind, subject_id)
            if self.former is not None and kind + subject_id > self.changed:
                heappush(self._unchanged, kind + subject_id)
            if event.rank and kind in BORN:
                subject.orphan_at = event.at
                self.count(topic, event.at, "orphans", 1)
        elif kind == AGENT and _is_forgotten(subject, event):
            self.count(topic, event.at, "released", 1)
            return
        elif (n := subject.find(event)) is not None:
            self._take_again(subject, n, event, raw, topic)
            return
        holder = self.surveys.named(subject) if kind == SURVEY else subject
        if holder is not None and holder.state is not None and event.at > holder.state.released_at:
            self.count(topic, event.at, "released", 1)
        if kind == SURVEY:
            self._keep(subject, subject.append(event, raw), raw)
            self._refresh_surveys(subject)
            return
        if subject.orphan_at is not None and not event.rank:
            self.count(topic, subject.orphan_at, "orphans", -1)
            subject.orphan_at = None
        since = 0
        if subject.is_next(event):
            self._keep(subject, subject.append(event, raw), raw)
            if subject.state is not None:
                since = event.at
            else:
                subject.state = new_state(kind, subject_id, self._policies(subject), self.sheet)
            subject.last = order_of(event)
            subject.state.apply(event, event.at)
            if subject.state.next_at <= self.clock:  # it came late: what fell due meanwhile follows at once
                subject.state.pass_time(self._clock(subject))
            self._settle(subject)
        else:
            self._refold(subject, lambda: self._keep(subject, subject.append(event, raw), raw))
        if self.surveys.rows:
            self._refresh_surveys_about(subject, since)

    def _take_again(self, subject: Subject, n: int, event: Event, raw: bytes, topic: str) -> None:
        """The identity came before: a duplicate changes nothing; of a conflict, the earlier (time, bytes) stands."""
        stands = event_of(subject.raws[n])
        if subject.raws[n] == raw or stands == event:
            self.count(topic, event.at, "duplicates", 1)
            return
        self.count(topic, event.at, "conflicts", 1)
        if (event.at, raw) >= (stands.at, subject.raws[n]):
            return

        def replace() -> None:
            subject.raws[n] = raw
            subject.latest = max(event_of(other).at for other in subject.raws)
            self._keep(subject, n, raw)

        if subject.kind == SURVEY:
            replace()
            self._refresh_surveys(subject)
        else:
            self._refold(subject, replace)
            self._refresh_surveys_about(subject)

    def _keep(self, subject: Subject, n: int, raw: bytes) -> None:
        self.entries[subject.key(n)] = raw
        self.entry_bytes += len(raw) + 64

    def _refold(self, subject: Subject, change: Callable[[], object]) -> None:
        """Fold the subject without and with a change of its events, and write the difference."""
        policies = self._policies(subject)
        before = self._fold(subject, policies)[1] if subject.raws else Sheet()
        change()
        subject.state, after = self._fold(subject, policies)
        self._amend(before, after)
        self._adopt(subject)
        self.touched.add(subject)

    def _amend(self, before: Sheet, after: Sheet) -> bool:
        self.sheet.tally.amend(before.tally, after.tally)
        return amend(self.sheet, before.standing(), after.standing())

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

    def _refresh_surveys(self, surveys: Subject) -> None:
        self.surveys.refresh(surveys, self._policies)
        self._settle(surveys)

    def _refresh_surveys_about(self, subject: Subject, since: int = 0) -> None:
        """The subject is another one from `since` on: surveys that are all from before stand as they are."""
        if (surveys := self.surveys.about(subject)) is not None and surveys.latest >= since:
            self._refresh_surveys(surveys)

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

    # Policy

    def begin_change(self, former: Policies, policies: Policies, changed: str = "") -> None:
        """Other policies hold: subjects named up to `changed` follow them, the others by `go_on_changing`.

        Where closures became known, `changed` begins with TICKET: only tickets depend on them.
        """
        self.former, self.policies, self.changed = former, policies, changed
        self._unchanged = [name for kind, subject_id in self.held if (name := kind + subject_id) > changed]
        heapify(self._unchanged)

    def go_on_changing(self, full: Callable[[], bool]) -> bool:
        """Fold one after another under former and new policies, and write the difference; False if `full` first."""
        while self.former is not None and self._unchanged:
            if full():
                return False
            name = heappop(self._unchanged)
            subject = self.held.get((name[0], name[1:]))
            if subject is not None and subject.kind != SURVEY:
                before = self._fold(subject, self.former)[1]
                subject.state, after = self._fold(subject, self.policies)
                if self._amend(before, after) or _has_customer(subject):  # how long is silence now?
                    self.touched.add(subject)
                self._adopt(subject)
            self.changed = name
            if subject is not None and subject.kind == SURVEY:
                self._refresh_surveys(subject)
            elif subject is not None:
                self._refresh_surveys_about(subject)
        self.former = None
        return True

    # Restore

    def load_released(self, key: bytes, released: bool) -> None:
        """Remember, from its key in the changelog, that a subject was released; or that it was not after all."""
        if released:
            self.released.add(_released(key))
        else:
            self.released.discard(_released(key))

    def restore(self, raws: dict[tuple[str, str], dict[int, bytes]]) -> None:
        """Fold all subjects again from their events: nothing is written, for it was before."""
        for (kind, subject_id), numbered in raws.items():
            subject = self.held[kind, subject_id] = Subject(kind, subject_id)
            subject.raws = [raw for _, raw in sorted(numbered.items())]
            if max(numbered) >= len(numbered):
                subject.numbers = sorted(numbered)
            events = [event_of(raw) for raw in subject.raws]
            subject.ids = [event.id for event in events]
            subject.latest = max(event.at for event in events)
            if kind == SURVEY:
                continue
            if kind in BORN and all(event.rank for event in events):
                subject.orphan_at = events[0].at
            subject.state, _ = self._fold(subject, self._policies(subject))
            self._adopt(subject)
        for subject in self.held.values():
            if subject.kind == SURVEY:
                self.surveys.restore(subject, self._policies)
                self._queue(subject)
        self.touched.clear()
        if self.former is not None:
            self.begin_change(self.former, self.policies, self.changed)

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


def _whom(survey: Event) -> str:
    """The kind of what a survey is about: a ticket, a call, or nobody but itself."""
    return TICKET if survey.data.ticket_id else CALL if survey.data.call_id else SURVEY


def _is_forgotten(agent: Subject, event: Event) -> bool:
    """Whether what an agent did then is forgotten already."""
    return agent.numbers is not None and isinstance(agent.state, Agent) and event.at <= agent.state.began_at


def _has_customer(subject: Subject) -> bool:
    return isinstance(subject.state, Ticket) and bool(subject.state.customer_id)


def _released_key(kind: str, subject_id: str) -> bytes:
    return RELEASED + f"{kind}{subject_id}".encode()


def _released(key: bytes) -> tuple[str, str]:
    name = key[1:].decode()
    return name[0], name[1:]


__all__ = ["Subjects", "parse_key", "places"]
