"""The rows of the subjects that a partition holds, when a release with other rules takes it over.

    said, read back          t17: ledger, facts, spans, warnings, the ticket as it stands
    folded by these rules    t17: the same kinds of rows                      ──> differences
    released before          t3: keeps its rows, and is named (`streams.models.restatements.FormerSubjectRow`)

Customer facts are not read back: those of each held subject are published again, and the ones of its former customers
are deleted.
"""

from collections.abc import Callable, Iterable

from streams.desk.agent_states import Agent
from streams.desk.output.change_set import ChangeSet
from streams.desk.output.release import ReleaseRestatement
from streams.desk.output.said_rows import SaidRows
from streams.desk.track.customer_feed import CustomerFeed
from streams.desk.track.subject import ACTION, AGENT, CALL, CALLBACK, SURVEY, TICKET, Subject, event_of
from streams.desk.track.subject_store import RELEASED, SubjectStore
from streams.models.entities import (
    ActionRow,
    AgentStateRow,
    CallbackRow,
    CallLegRow,
    CallRow,
    ReviewRow,
    SurveyRow,
    TicketRow,
)
from streams.models.instants import MINUTE
from streams.models.messages import SOURCE
from streams.models.rows import FactRow, Identity, LedgerRow, Row, SpanRow, WarningRow
from streams.models.topics import FACTS, LEDGER, WARNINGS

Rows = dict[Identity, Row]

MAX_AHEAD = 5 * MINUTE
"""How far an event's time may be after its arrival."""

_FAMILIES = {"ticket": TICKET, "call": CALL}
_ABOUT = {**_FAMILIES, "survey": SURVEY}
_DIMENSIONS = {"callback": CALLBACK, "action": ACTION, "agent": AGENT}


def names_of(row: Row) -> Iterable[str]:
    """The names of the subjects that a row may belong to.

    A survey's fact by the rules 1 does not tell a ticket from a call: its subject is the id alone.
    """
    match row:
        case LedgerRow() | TicketRow():
            return (TICKET + row.ticket_id,)
        case FactRow() | SpanRow() if row.family in _FAMILIES:
            return (_FAMILIES[row.family] + row.subject,)
        case FactRow():
            about, _, subject_id = row.subject.partition("/")
            if about in _ABOUT:
                return (SURVEY + _ABOUT[about] + subject_id,)
            return tuple(SURVEY + each + row.subject for each in _ABOUT.values())
        case CallRow() | CallLegRow():
            return (CALL + row.call_id,)
        case SurveyRow() | ReviewRow():
            own_id = row.survey_id if isinstance(row, SurveyRow) else row.review_id
            target = TICKET if row.ticket_id else CALL if row.call_id else SURVEY
            return (SURVEY + target + (row.ticket_id or row.call_id or own_id),)
        case WarningRow():
            kind = _DIMENSIONS.get(row.dimension)
            return (TICKET + row.ticket_id if kind is None else kind + row.value,)
        case CallbackRow():
            return (CALLBACK + row.callback_id,)
        case ActionRow():
            return (ACTION + row.action_id,)
        case AgentStateRow():
            return (AGENT + row.agent_id,)
    return ()


class HeldRows:
    """Restates the rows of one partition's subjects, one by one, in the order of their names.

    `say`: see :class:`streams.desk.output.release.ReleaseRestatement`.
    """

    def __init__(
        self,
        partition: int,
        store: SubjectStore,
        customers: CustomerFeed,
        change_set: ChangeSet,
        say: Callable[[str], None],
    ) -> None:
        self._store, self._customers = store, customers
        said = SaidRows((LEDGER, FACTS, WARNINGS), SOURCE, names_of, self._is_pending)
        self.release = ReleaseRestatement("track", partition, said, change_set, say)

    def _is_pending(self, name: str) -> bool:
        store = self._store
        return self.release.is_pending(name) and (name in store.cache or name in store.refused)

    def begin(self) -> None:
        """Everything is restored: begin with the first subject, or go on."""
        store = self._store
        released = (key[len(RELEASED) :].decode() for key in store.released.known)
        self.release.begin([*store.cache, *(name for name in store.refused if name not in store.cache), *released])

    def go_on(self, full: Callable[[], bool]) -> bool:
        """Restate the next subjects; False if a checkpoint comes first."""
        return self.release.go_on(self._restate, full, self._store.deadlines.business_time)

    def _restate(self, name: str) -> None:
        store, release = self._store, self.release
        refused = store.refused.pop(name, [])
        store.entries.remove_numbers(name, refused)
        assert release.progress is not None
        release.progress.refused += len(refused)
        subject = store.cache.get(name)
        if subject is None and not refused:
            release.keep(name)  # it is released
        elif subject is not None and self._is_older_than_topics(subject):
            release.keep(name)
        else:
            before = self._before(name, subject)
            after = {} if subject is None else self._after(subject)
            self._customers.publish_again(name[1:] if name[0] == SURVEY else name, before.values())
            release.write(before, after)
            store.cache.evict_idle(store.touched)

    def _is_older_than_topics(self, subject: Subject) -> bool:
        """Whether rows of the subject may be missing: the topics do not reach back to its first event."""
        since = self.release.said.since
        return since is not None and any(event_of(raw).at < since + MAX_AHEAD for raw in subject.raws)

    def _before(self, name: str, subject: Subject | None) -> Rows:
        """The rows that were said of a subject."""
        rows = self.release.said.take(name)
        if subject is None:
            return rows
        if isinstance(subject.state, Agent) and subject.numbers is not None:  # the rows of forgotten states stay
            began_at = subject.state.began_at
            return {identity: row for identity, row in rows.items() if _since(row) >= began_at}
        if subject.kind == SURVEY and self._is_ambiguous(subject):
            events = {(event.source, event.id) for event in subject.events()}
            return {
                identity: row
                for identity, row in rows.items()
                if not isinstance(row, FactRow) or (row.cause_source, row.cause_id) in events
            }
        return rows

    def _is_ambiguous(self, surveys: Subject) -> bool:
        others = (SURVEY + kind + surveys.id[1:] for kind in _ABOUT.values())
        return sum(other in self._store.cache for other in others) > 1

    def _after(self, subject: Subject) -> Rows:
        """The rows of a subject by this release's rules."""
        store = self._store
        if subject.kind == SURVEY:
            return dict(store.surveys.rows[subject.id])
        state, written = store.fold(subject, store.policies_of(subject))
        rows = written.live_rows()
        if (row := state.entity_row()) is not None:
            rows[row.identity()] = row
        return rows


def _since(row: Row) -> int:
    """The instant from which an agent's row holds."""
    if isinstance(row, WarningRow):
        return row.raised_at
    assert isinstance(row, AgentStateRow)
    return row.from_at
