"""All subjects of a partition: what an event changes, and what a change of the policies does.

Two things take long and go on step by step, with checkpoints in between, always in the same order, so that the place
they have come to tells what was done:

    time passes        by instant, then by subject: what falls due before (`clock`, `fired`) was written (held.py)
    policies change    by subject: those up to `changed` follow the new ones, the others the former
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from streams.desk.agent_states import Agent
from streams.desk.calls import Call
from streams.desk.output.change_set import ChangeSet, apply_diff
from streams.desk.policy.versions import Policies
from streams.desk.tickets.ticket import Ticket
from streams.desk.track.subject import AGENT, CALL, HAS_CREATION, SURVEY, TICKET, Subject, event_of, new_state, order_of
from streams.desk.track.subject_cache import CACHED_SUBJECTS
from streams.desk.track.subject_store import Count, SubjectStore
from streams.models.envelope import Event
from streams.models.instants import NEVER


class Subjects(SubjectStore):
    """The subjects of a partition, and what events and a change of the policies do to them."""

    def __init__(
        self, policies: Policies, change_set: ChangeSet, count: Count, cached_subjects: int = CACHED_SUBJECTS
    ) -> None:
        super().__init__(policies, change_set, count, cached_subjects)
        self._unchanged: list[str] = []  # a heap of names: kind and id

    # Events

    def take(self, kind: str, subject_id: str, event: Event, raw: bytes, topic: str) -> None:
        """An event of the subject came: fold it in."""
        if kind == SURVEY:
            subject_id = _whom(event) + subject_id
        name = kind + subject_id
        subject = self.held.get(name)
        if subject is None:
            if self._was_released(name):
                self.count(topic, event.at, "released", 1)
                return
            subject = self.held[name] = Subject(name)
            if self.former is not None and name > self.changed:
                heappush(self._unchanged, name)
            if event.rank and kind in HAS_CREATION:
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
                subject.state = new_state(kind, subject_id, self._policies(subject), self.change_set)
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

    def _refold(self, subject: Subject, change: Callable[[], object]) -> None:
        """Fold the subject without and with a change of its events, and write the difference."""
        policies = self._policies(subject)
        before = self._fold(subject, policies)[1] if subject.raws else ChangeSet()
        change()
        subject.state, after = self._fold(subject, policies)
        self._amend(before, after)
        self._adopt(subject)
        self.touched.add(subject)

    def _amend(self, before: ChangeSet, after: ChangeSet) -> bool:
        self.change_set.tally.apply_diff(before.tally, after.tally)
        return apply_diff(self.change_set, before.live_rows(), after.live_rows())

    def _refresh_surveys(self, surveys: Subject) -> None:
        self.surveys.refresh(surveys, self._policies)
        self._settle(surveys)

    def _refresh_surveys_about(self, subject: Subject, since: int = 0) -> None:
        """The subject is another one from `since` on: surveys that are all from before stand as they are.

        But one from before its creation sees it as created: survey ── created, assigned (of one instant) ──>
        """
        surveys = self.surveys.about(subject)
        if surveys is not None and max(surveys.latest, _created_at(subject)) >= since:
            self._refresh_surveys(surveys)

    # Policy

    def begin_change(self, former: Policies, policies: Policies, changed: str = "") -> None:
        """Other policies hold: subjects named up to `changed` follow them, the others by `go_on_changing`.

        Where closures became known, `changed` begins with TICKET: only tickets depend on them.
        """
        self.former, self.policies, self.changed = former, policies, changed
        self._unchanged = [name for name in self.held if name > changed]
        heapify(self._unchanged)

    def go_on_changing(self, full: Callable[[], bool]) -> bool:
        """Fold one after another under former and new policies, and write the difference; False if `full` first."""
        while self.former is not None and self._unchanged:
            if full():
                return False
            name = heappop(self._unchanged)
            subject = self.held.get(name)
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

    def restore(self, raws: dict[str, dict[int, bytes]]) -> None:
        """Fold all subjects again from their events, by name and number: nothing is written, for it was before."""
        for name, numbered in raws.items():
            subject = self.held[name] = Subject(name)
            subject.raws = [raw for _, raw in sorted(numbered.items())]
            if max(numbered) >= len(numbered):
                subject.numbers = sorted(numbered)
            self._revive(subject)
        for name in self.held:
            if name[0] == SURVEY and (surveys := self.held.get(name)) is not None:
                self.surveys.restore(surveys, self._policies)
                self._queue(surveys)
        self.touched.clear()
        if self.former is not None:
            self.begin_change(self.former, self.policies, self.changed)


def _whom(survey: Event) -> str:
    """The kind of what a survey is about: a ticket, a call, or nobody but itself."""
    return TICKET if survey.data.ticket_id else CALL if survey.data.call_id else SURVEY


def _is_forgotten(agent: Subject, event: Event) -> bool:
    """Whether what an agent did then is forgotten already."""
    return agent.numbers is not None and isinstance(agent.state, Agent) and event.at <= agent.state.began_at


def _created_at(subject: Subject) -> int:
    """When a ticket or call was created; never, if that is not known."""
    created_at = subject.state.created_at if isinstance(subject.state, Ticket | Call) else None
    return NEVER if created_at is None else created_at


def _has_customer(subject: Subject) -> bool:
    return isinstance(subject.state, Ticket) and bool(subject.state.customer_id)
