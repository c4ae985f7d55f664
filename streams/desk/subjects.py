"""All subjects of a partition: who gets an event, what it changes, what falls due, and who is held no longer."""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import NamedTuple

from streams.desk.clock import NEVER
from streams.desk.policy import Policies
from streams.desk.sheet import Sheet, amend
from streams.desk.subject import (
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
    stood_at,
)
from streams.desk.survey import About, survey_rows
from streams.desk.ticket import Ticket
from streams.models.envelope import Event
from streams.models.instants import DAY
from streams.models.rows import Identity, Row

RELEASED = b"r"  # first byte of the changelog key that remembers a released subject
Count = Callable[[str, int, str, int], None]  # topic, instant, what, number


class Due(NamedTuple):
    """An entry of the deadline heap."""

    at: int
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
        self.surveys: dict[str, dict[Identity, Row]] = {}  # the rows that stand, by the surveys' subject
        self.clock = -1  # time has passed up to here
        self._heap: list[Due] = []
        self._pushes = 0

    # Events

    def take(self, kind: str, subject_id: str, event: Event, raw: bytes, topic: str) -> None:
        """An event of the subject came: fold it in."""
        subject = self.held.get((kind, subject_id))
        if subject is None:
            if (kind, subject_id) in self.released:
                self.count(topic, event.at, "released", 1)
                return
            subject = self.held[kind, subject_id] = Subject(kind, subject_id)
            if kind != SURVEY and event.rank:
                subject.orphan_at = event.at
                self.count(topic, event.at, "orphans", 1)
        elif (n := subject.find(event)) is not None:
            self._take_again(subject, n, event, raw, topic)
            return
        if subject.state is not None and event.at > subject.state.released_at:
            self.count(topic, event.at, "released", 1)
        if kind == SURVEY:
            self._keep(subject, subject.append(event, raw), raw)
            self._refresh_surveys(subject)
            return
        if subject.orphan_at is not None and not event.rank:
            self.count(topic, subject.orphan_at, "orphans", -1)
            subject.orphan_at = None
        if subject.is_next(event):
            self._keep(subject, subject.append(event, raw), raw)
            if subject.state is None:
                subject.state = new_state(kind, subject_id, self.policies, self.sheet)
            subject.last = order_of(event)
            subject.state.apply(event, event.at)
            if subject.state.next_at <= self.clock:  # it came late: what fell due meanwhile follows at once
                subject.state.pass_time(self.clock)
            self._settle(subject)
        else:
            self._refold(subject, lambda: self._keep(subject, subject.append(event, raw), raw))
        if subject_id in self.surveys:
            self._refresh_surveys(self.held[SURVEY, subject_id])

    def _take_again(self, subject: Subject, n: int, event: Event, raw: bytes, topic: str) -> None:
        """The same identity came before: a duplicate changes nothing; of a conflict, the earlier (time, bytes) stands."""
        stands = event_of(subject.raws[n])
        if subject.raws[n] == raw or stands == event:
            self.count(topic, event.at, "duplicates", 1)
            return
        self.count(topic, event.at, "conflicts", 1)
        if (event.at, raw) >= (stands.at, subject.raws[n]):
            return

        def replace() -> None:
            subject.raws[n] = raw
            self._keep(subject, n, raw)

        if subject.kind == SURVEY:
            replace()
            self._refresh_surveys(subject)
        else:
            self._refold(subject, replace)
            if subject.id in self.surveys:
                self._refresh_surveys(self.held[SURVEY, subject.id])

    def _keep(self, subject: Subject, n: int, raw: bytes) -> None:
        self.entries[subject.key(n)] = raw
        self.entry_bytes += len(raw) + 64

    def _refold(self, subject: Subject, change: Callable[[], object]) -> None:
        """Fold the subject without and with a change of its events, and write the difference."""
        before = self._fold(subject, self.policies)[1] if subject.raws else {}
        change()
        subject.state, after = self._fold(subject, self.policies)
        amend(self.sheet, before, after)
        self._adopt(subject)

    def _fold(self, subject: Subject, policies: Policies) -> tuple[State, dict[Identity, Row]]:
        sheet = Sheet()
        events = [event_of(raw) for raw in subject.raws]
        state = fold(subject.kind, subject.id, events, policies, self.clock, sheet)
        return state, sheet.standing()

    def _adopt(self, subject: Subject) -> None:
        """A state that was folded apart goes on with the partition's sheet."""
        assert subject.state is not None
        subject.state.sheet = self.sheet
        subject.last = max(order_of(event_of(raw)) for raw in subject.raws)
        self._settle(subject)

    # Surveys

    def _refresh_surveys(self, subject: Subject) -> None:
        """Make the rows of a subject's surveys anew, and write what changed."""
        before = self.surveys.get(subject.id, {})
        for row in before.values():
            row.version = 0  # type: ignore[attr-defined]  # set by a checkpoint: no difference
        after = self._survey_rows(subject)
        self.surveys[subject.id] = after
        amend(self.sheet, before, after)
        self._settle(subject)

    def _survey_rows(self, subject: Subject) -> dict[Identity, Row]:
        events = subject.events()
        ticket = next((event.data.ticket_id for event in events if event.data.ticket_id), None)
        call = next((event.data.call_id for event in events if event.data.call_id), None)
        named = self.held.get((TICKET, ticket)) if ticket else self.held.get((CALL, call)) if call else None
        return survey_rows(subject.id, events, lambda at: self._about(named, at), self.policies)

    def _about(self, named: Subject | None, at: int) -> About:
        state = None if named is None else stood_at(named, at, self.policies)
        if state is None:
            return About()
        if isinstance(state, Ticket):
            team, channel, _, _, segment, category, _ = state.dims
            return About(team, channel, segment, state.agent_id, category)
        return About(state.team, "phone", state.segment, state.agent_id, state.category)

    # Time

    def pass_time(self, clock: int, full: Callable[[], bool]) -> None:
        """Fire all that is due before `clock`; stop early, at a deadline's boundary, when the checkpoint is `full`."""
        again: list[Subject] = []
        while self._heap and self._heap[0].at <= clock:
            if full():
                clock = self._heap[0].at
                break
            due = heappop(self._heap)
            subject = due.subject
            if subject.queued_at != due.at:
                continue  # it changed meanwhile, and was queued anew
            subject.queued_at = None
            if self._release_at(subject) < clock:
                self._release(subject)
                continue
            if subject.state is not None and subject.state.next_at <= clock:
                subject.state.pass_time(clock)
                self.touched.add(subject)
            again.append(subject)
        self.clock = max(self.clock, clock)
        for subject in again:
            self._queue(subject)

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
            heappush(self._heap, Due(at, self._pushes, subject))

    def _release_at(self, subject: Subject) -> int:
        """When a subject leaves memory: a day after the hold, so that what is late meets it still."""
        if subject.state is not None:
            return subject.state.released_at + DAY
        if subject.kind == SURVEY and subject.raws:
            last = event_of(subject.raws[-1]).at
            return last + self.policies.at(last).hold_ms + DAY
        return NEVER

    def _release(self, subject: Subject) -> None:
        for n in range(len(subject.raws)):
            self.entries[subject.key(n)] = None
        self.entries[_released_key(subject.kind, subject.id)] = b""
        self.released.add((subject.kind, subject.id))
        self.held.pop((subject.kind, subject.id), None)
        self.surveys.pop(subject.id, None)

    # Policy

    def change_policies(self, policies: Policies) -> None:
        """Closures became known: fold every ticket under the old and the new calendars, and write the difference."""
        for subject in list(self.held.values()):
            if subject.state is None:
                continue
            if isinstance(subject.state, Ticket):
                _, before = self._fold(subject, self.policies)
                subject.state, after = self._fold(subject, policies)
                amend(self.sheet, before, after)
                self._adopt(subject)
            else:
                subject.state.policies = policies
        self.policies = policies

    # Restore

    def restore(self, raws: dict[tuple[str, str], dict[int, bytes]], released: Iterable[tuple[str, str]]) -> None:
        """Fold all subjects again from their events: nothing is written, for it was before."""
        self.released = set(released)
        for (kind, subject_id), numbered in raws.items():
            subject = self.held[kind, subject_id] = Subject(kind, subject_id)
            subject.raws = [raw for _, raw in sorted(numbered.items())]
            events = [event_of(raw) for raw in subject.raws]
            subject.ids = [event.id for event in events]
            if kind == SURVEY:
                continue
            if all(event.rank for event in events):
                subject.orphan_at = events[0].at
            subject.state, _ = self._fold(subject, self.policies)
            self._adopt(subject)
        for (kind, subject_id), subject in self.held.items():
            if kind == SURVEY:
                self.surveys[subject_id] = self._survey_rows(subject)
                self._queue(subject)
        self.touched.clear()

    def entry(self, key: bytes) -> bytes | None:
        """What the changelog should hold under `key`, a subject's or a released one's."""
        if key[:1] == RELEASED:
            return b"" if _released(key) in self.released else None
        kind, subject_id, n = parse_key(key)
        subject = self.held.get((kind, subject_id))
        return subject.raws[n] if subject is not None and n < len(subject.raws) else None


def parse_key(key: bytes) -> tuple[str, str, int]:
    """(kind, subject, number) of an event's key in the changelog."""
    subject, _, n = key[1:].decode().rpartition("\0")
    return key[:1].decode(), subject, int(n)


def _released_key(kind: str, subject_id: str) -> bytes:
    return RELEASED + f"{kind}{subject_id}".encode()


def _released(key: bytes) -> tuple[str, str]:
    name = key[1:].decode()
    return name[0], name[1:]


__all__ = ["Subjects", "parse_key", "places"]
