"""The subjects of a partition: how each is folded, when its next deadline is, and when it is released.

released           a day after the policy's hold, so that late events still find their subject;
                   an agent is never released, but forgets its old states
"""

from heapq import heappush

from streams.desk.agent_states import Agent, last_beginning, naming
from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.restatement import Restatement
from streams.desk.policy.versions import Policies
from streams.desk.saved import SavedDict
from streams.desk.track.deadlines import Deadlines
from streams.desk.track.subject import SURVEY, State, Subject, event_of, fold, orphan_at
from streams.desk.track.subject_cache import SubjectCache
from streams.desk.track.subject_entries import SubjectEntries
from streams.desk.track.survey_index import SurveyIndex
from streams.models.envelope import Event, order_of
from streams.models.instants import DAY, NEVER

RELEASED = b"r"  # first byte of a released subject's changelog key


class SubjectStore:
    """The subjects of a partition, and their entries in the changelog.

    `restatement`: while it runs, the subjects it has not reached follow the `former` policies.
    `touched`: subjects changed since the last snapshot. `released`: names of released subjects.
    `refused`: by name, the numbers of stored events that this release refuses; they are removed when it is restated.
    """

    def __init__(self, policies: Policies, change_set: ChangeSet, cached_subjects: int) -> None:
        self.policies = self.former = policies
        self.restatement = Restatement()
        self.change_set = change_set
        self.cache = SubjectCache(self.refold, cached_subjects)
        self.entries = SubjectEntries(self.cache.get)
        self.released = SavedDict(RELEASED)
        self.touched: set[Subject] = set()
        self.refused: dict[str, list[int]] = {}
        self.deadlines = Deadlines()
        self.surveys = SurveyIndex(self.cache, change_set, self.policies_of)

    # Folding

    def policies_of(self, subject: Subject) -> Policies:
        """The policies that a subject follows."""
        restatement = self.restatement
        return self.former if restatement.under_way and restatement.is_pending(subject.name) else self.policies

    def fold(self, subject: Subject, policies: Policies, events: list[Event] | None = None) -> tuple[State, ChangeSet]:
        """Fold a subject in isolation, by these policies; returns its state, and the rows written."""
        change_set = ChangeSet()
        if events is None:
            events = [event_of(raw) for raw in subject.raws]
        business_time = self.deadlines.time_of(subject.name)
        return fold(subject.kind, subject.id, events, policies, business_time, change_set), change_set

    def refold(self, subject: Subject) -> None:
        """Rebuild a subject from its events; emits nothing: its rows were emitted before."""
        events = [event_of(raw) for raw in subject.raws]
        subject.ids = [event.id for event in events]
        subject.latest = max(event.at for event in events)
        subject.orphan_at = orphan_at(subject.kind, events)
        if subject.kind != SURVEY:
            subject.state, _ = self.fold(subject, self.policies_of(subject), events)
            self.adopt(subject, events)

    def adopt(self, subject: Subject, events: list[Event] | None = None) -> None:
        """Let a state that was folded in isolation write to the partition's change set, and queue its deadline."""
        assert subject.state is not None
        subject.state.change_set = self.change_set
        subject.last = max(map(order_of, map(event_of, subject.raws) if events is None else events))
        self.queue(subject)

    # Deadlines

    def mark_changed(self, subject: Subject) -> None:
        """Mark the subject for the next snapshot, and queue its next deadline."""
        self.touched.add(subject)
        self.queue(subject)

    def queue(self, subject: Subject) -> None:
        """Queue the subject's next deadline."""
        state, at = subject.state, self.release_at(subject)
        if state is not None and state.next_at < at:
            at = state.next_at
        if at < NEVER and at != subject.queued_at:
            subject.queued_at = at
            heappush(self.deadlines.heap, (at, subject.name))

    def release_at(self, subject: Subject) -> int:
        """The instant at which a subject is released.

        Surveys are released with their ticket or call; those about neither, one hold after the last.
        """
        state = subject.state
        if state is not None:
            if isinstance(state, Agent):
                return state.forget_at + 2 * DAY  # forget a day of states at a time
            return state.released_at + DAY
        if subject.kind == SURVEY and subject.raws and self.surveys.target(subject) is None:
            return subject.latest + self.policies.at(subject.latest).hold_ms + DAY
        return NEVER

    # Release

    def is_released(self, name: str) -> bool:
        """Whether the subject of this name was released; for surveys, whether their ticket or call was."""
        released = self.released.known
        if RELEASED + name.encode() in released:
            return True
        return name[0] == SURVEY != name[1:2] and RELEASED + name[1:].encode() in released

    def release(self, subject: Subject) -> None:
        """Forget a subject and the surveys about it, but keep its name."""
        self._forget(subject)
        self.released.put(RELEASED + subject.name.encode(), b"")
        if subject.kind != SURVEY and (surveys := self.cache.get(SURVEY + subject.name)) is not None:
            self._forget(surveys)

    def _forget(self, subject: Subject) -> None:
        self.entries.remove(subject, range(len(subject.raws)))
        del self.cache[subject.name]
        self.surveys.forget(subject.id)
        subject.queued_at = NEVER

    def forget_past(self, agent: Subject) -> None:
        """Forget the states of an agent that ended more than the hold and a day ago."""
        business_time = self.deadlines.time_of(agent.name)
        if agent.state is not None and agent.state.next_at < business_time:  # due at this instant
            agent.state.pass_time(business_time)
            self.touched.add(agent)
        policies = self.policies_of(agent)
        events = sorted(((event_of(raw), n) for n, raw in enumerate(agent.raws)), key=lambda each: order_of(each[0]))
        begin, team = last_beginning(
            [event for event, _ in events],
            lambda at: at + policies.at(at).hold_ms + DAY < self.deadlines.business_time,
        )
        self.entries.remove(agent, [n for _, n in events[:begin]])
        first, kept = events[begin][1], sorted(n for _, n in events[begin:])
        agent.numbers = [n if agent.numbers is None else agent.numbers[n] for n in kept]
        agent.raws, agent.ids, agent.id_set = [agent.raws[n] for n in kept], [agent.ids[n] for n in kept], None
        if begin and team:
            n = kept.index(first)
            agent.raws[n] = naming(agent.raws[n], team)
            self.entries.keep(agent, n, agent.raws[n])
        agent.state, _ = self.fold(agent, policies)
        self.adopt(agent)
