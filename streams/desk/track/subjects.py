"""All subjects of a partition: the effects of an event, of the passing of time, and of a change of policies.

The last two take long. They proceed step by step, with checkpoints in between, in a fixed order; so one position tells
what is done:

    time passes        by instant, then by subject      `streams.desk.track.deadlines`
    policies change    by subject                       `streams.desk.policy.restatement`
"""

from collections.abc import Callable
from functools import partial
from heapq import heappop

from streams.desk.agent_states import Agent
from streams.desk.calls.call import Call
from streams.desk.output.change_set import ChangeSet, apply_diff
from streams.desk.policy.versions import Policies
from streams.desk.tickets.ticket import Ticket
from streams.desk.track.repetition import Repetition, repetition
from streams.desk.track.subject import (
    AGENT,
    CALL,
    HAS_CREATION,
    SURVEY,
    TICKET,
    NoEventAnyMore,
    Subject,
    event_of,
    is_event,
    new_state,
    orphan_at,
)
from streams.desk.track.subject_entries import Numbered
from streams.desk.track.subject_store import SubjectStore
from streams.models.envelope import Event, order_of
from streams.models.instants import NEVER

Count = Callable[[str, int, str, int], None]  # topic, instant, name, number
LOOK_EVERY = 32  # deadlines between two checks of the snapshot's size


class Subjects:
    """The subjects of a partition. `count`: data quality counter. `on_release`: called before a subject is released."""

    def __init__(self, policies: Policies, change_set: ChangeSet, count: Count, cached_subjects: int) -> None:
        self.store = SubjectStore(policies, change_set, cached_subjects)
        self.cache, self.deadlines, self.surveys = self.store.cache, self.store.deadlines, self.store.surveys
        self.change_set = change_set
        self.count = count
        self.on_release: Callable[[Subject], None] = lambda subject: None

    # Events

    def fold_event(self, kind: str, subject_id: str, event: Event, raw: bytes, topic: str) -> bool:
        """Fold an event into the subject of this kind and id; False: it was released, and the event changes nothing."""
        store, surveys = self.store, self.surveys
        if kind == SURVEY:
            subject_id = _target_kind(event) + subject_id
        name = kind + subject_id
        subject = self.cache.get(name)
        if subject is None:
            if store.is_released(name):
                return False
            subject = self.cache[name] = Subject(name)
            if store.restatement.under_way:
                store.restatement.add(name)
            if event.rank and kind in HAS_CREATION:
                self._count_orphan(subject, event.at, topic)
        elif kind == AGENT and _is_forgotten(subject, event):
            return False
        elif (n := subject.find(event)) is not None:
            self._fold_repeated(subject, n, event, raw, topic)
            return True
        elif subject.orphan_at is not None and (not event.rank or event.at < subject.orphan_at):
            self._count_orphan(subject, event.at if event.rank else None, topic)
        elif not event.rank and kind in HAS_CREATION:
            self.count(topic, event.at, "second_creations", 1)
        if kind == SURVEY:
            store.entries.keep(subject, subject.append(event, raw), raw)
            self._refresh_surveys(subject)
            return True
        since, order = 0, order_of(event)
        if subject.is_next(event, order):
            store.entries.keep(subject, subject.append(event, raw), raw)
            state = subject.state
            if state is not None:
                since = event.at
            else:
                state = subject.state = new_state(kind, subject_id, store.policies_of(subject), self.change_set)
            subject.last = order
            state.apply(event, event.at)
            if state.next_at <= self.deadlines.business_time:  # late: deadlines passed meanwhile
                state.pass_time(self.deadlines.time_of(name))
            store.mark_changed(subject)
        else:
            self._refold(subject, lambda: store.entries.keep(subject, subject.append(event, raw), raw))
        if surveys.rows:
            self._refresh_surveys_about(subject, since)
        return True

    def _fold_repeated(self, subject: Subject, n: int, event: Event, raw: bytes, topic: str) -> None:
        """The identity is that of event `n`: see `streams.desk.track.repetition`."""
        stored = subject.raws[n]
        changes = repetition(event, raw, event_of(stored), stored, partial(self.count, topic, event.at))
        if changes is Repetition.NOTHING:
            return

        def replace() -> None:
            subject.replace(n, raw)
            self.store.entries.keep(subject, n, raw)

        if changes is Repetition.SPELLING:
            replace()
        elif subject.kind == SURVEY:
            replace()
            self._refresh_surveys(subject)
        else:
            self._refold(subject, replace)
            self._count_orphan(subject, orphan_at(subject.kind, list(map(event_of, subject.raws))), topic)
            self._refresh_surveys_about(subject)

    def _count_orphan(self, subject: Subject, at: int | None, topic: str) -> None:
        """Count the subject as an orphan at this instant, and no longer where it was; None: its creation is known."""
        if subject.orphan_at == at:
            return
        if subject.orphan_at is not None:
            self.count(topic, subject.orphan_at, "orphans", -1)
        if at is not None:
            self.count(topic, at, "orphans", 1)
        subject.orphan_at = at

    def _refold(self, subject: Subject, change: Callable[[], object]) -> None:
        """Fold the subject before and after a change of its events, and write the difference."""
        store = self.store
        policies = store.policies_of(subject)
        before = store.fold(subject, policies)[1] if subject.raws else ChangeSet()
        change()
        subject.state, after = store.fold(subject, policies)
        self._write_difference(before, after)
        store.adopt(subject)
        store.touched.add(subject)

    def _write_difference(self, before: ChangeSet, after: ChangeSet) -> bool:
        self.change_set.tally.apply_diff(before.tally, after.tally)
        return apply_diff(self.change_set, before.live_rows(), after.live_rows())

    def _refresh_surveys(self, surveys: Subject) -> None:
        self.surveys.refresh(surveys)
        self.store.mark_changed(surveys)

    def _refresh_surveys_about(self, subject: Subject, since: int = 0) -> None:
        """The subject changed from `since` on: if all surveys about it are earlier, they stay as they are.

        But a survey from before the creation sees the created state: survey ── created, assigned (same instant) ──>
        """
        surveys = self.surveys.about(subject)
        if surveys is not None and max(surveys.latest, _created_at(subject)) >= since:
            self._refresh_surveys(surveys)

    # Time

    def pass_time(self, until: int, full: Callable[[], bool]) -> None:
        """Process all deadlines before `until`; stop early, between two subjects, when the checkpoint is `full`."""
        store, deadlines, heap = self.store, self.deadlines, self.deadlines.heap
        passed = 0
        while heap and heap[0][0] < until:
            if not passed % LOOK_EVERY and full():
                return
            passed += 1
            at, name = heappop(heap)
            subject = self.cache.due(name, at)  # hydrated, if need be, as of just before this instant
            if at > deadlines.business_time:  # late deadlines do not move it back
                deadlines.business_time, deadlines.passed_for = at, name
            elif at == deadlines.business_time and name > deadlines.passed_for:
                deadlines.passed_for = name
            if subject is None:
                continue
            subject.queued_at = NEVER
            if store.release_at(subject) <= at:
                self._release(subject)
                continue
            if subject.state is not None and subject.state.next_at <= at:
                subject.state.pass_time(at + 1)
                store.touched.add(subject)
            store.queue(subject)
        deadlines.business_time, deadlines.passed_for = until, ""

    def _release(self, subject: Subject) -> None:
        if subject.kind == AGENT:
            self.store.forget_past(subject)
        else:
            self.on_release(subject)
            self.store.release(subject)

    # Policy

    def begin_restating(self, former: Policies, policies: Policies, done: str = "") -> None:
        """New policies apply: subjects named up to `done` follow them already, `go_on_restating` does the others.

        For a new closure, `done` is TICKET: only tickets depend on closures, and no kind's letter sorts later.
        """
        self.store.former, self.store.policies = former, policies
        self.store.restatement.begin(self.cache, done)

    def go_on_restating(self, full: Callable[[], bool]) -> bool:
        """Fold each subject under former and new policies, and write the difference; False if `full` first."""
        return self.store.restatement.go_on(self._restate, full)

    def _restate(self, names: list[str]) -> None:
        store = self.store
        for name in names:
            subject = self.cache.get(name)
            if subject is None:
                continue
            if subject.kind == SURVEY:
                self._refresh_surveys(subject)
                continue
            before = store.fold(subject, store.former)[1]
            subject.state, after = store.fold(subject, store.policies)
            if self._write_difference(before, after) or _has_customer(subject):  # the silence target may have changed
                store.touched.add(subject)
            store.adopt(subject)
            self._refresh_surveys_about(subject)

    # Restore

    def follow(self, policies: Policies, former: Policies | None) -> None:
        """While restoring: the policies of the checkpoint; `former`: the ones being replaced, if restating."""
        self.store.policies = policies
        if former is not None:
            self.store.former = former
            self.store.restatement.under_way = True

    def restored(self, drop_refused: bool) -> None:
        """All entries are loaded: refold all subjects; emits nothing: these rows were emitted before.

        `drop_refused`: leave out stored events that this release refuses; else they raise NoEventAnyMore.
        """
        store = self.store
        for name, events in store.entries.take_loaded().items():
            try:
                self._restore(name, events)
            except NoEventAnyMore:
                if not drop_refused:
                    raise
                self._restore_accepted(name, events)
        for name in self.cache:
            if name[0] == SURVEY and (surveys := self.cache.get(name)) is not None:
                self.surveys.rebuild(surveys)
                store.queue(surveys)
        store.touched.clear()
        if store.restatement.under_way:
            store.restatement.begin(self.cache, store.restatement.done)

    def _restore(self, name: str, events: Numbered) -> None:
        subject = self.cache[name] = Subject(name)
        subject.raws = [raw for _, raw in sorted(events.items())]
        if max(events) >= len(events):
            subject.numbers = sorted(events)
        self.store.refold(subject)

    def _restore_accepted(self, name: str, events: Numbered) -> None:
        del self.cache[name]
        accepted = {n: raw for n, raw in events.items() if is_event(raw)}
        self.store.refused[name] = [n for n in events if n not in accepted]
        if accepted:
            self._restore(name, accepted)


def _target_kind(survey: Event) -> str:
    """The kind of a survey's target: a ticket, a call, or the survey itself."""
    return TICKET if survey.data.ticket_id else CALL if survey.data.call_id else SURVEY


def released_with(kind: str, subject_id: str, event: Event) -> str:
    """The name of the subject with which the subject of an event is released: of a survey, its ticket or call."""
    if kind != SURVEY:
        return kind + subject_id
    target = _target_kind(event)
    return SURVEY + target + subject_id if target == SURVEY else target + subject_id


def _is_forgotten(agent: Subject, event: Event) -> bool:
    """Whether the event is older than the agent's states still held."""
    return agent.numbers is not None and isinstance(agent.state, Agent) and event.at <= agent.state.began_at


def _created_at(subject: Subject) -> int:
    """When a ticket or call was created; NEVER if unknown."""
    created_at = subject.state.created_at if isinstance(subject.state, Ticket | Call) else None
    return NEVER if created_at is None else created_at


def _has_customer(subject: Subject) -> bool:
    return isinstance(subject.state, Ticket) and bool(subject.state.customer_id)
