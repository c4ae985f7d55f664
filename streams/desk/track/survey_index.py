"""The surveys and reviews of a partition: their rows, made anew whenever one or the ticket or call it is about changes.

ticket    created(team a) ──────── assigned(team b) ───────>
survey               └ answered: team a      └ answered: team b      a corrected ticket corrects the survey's row
"""

from collections.abc import Callable

from streams.desk.calls import Call
from streams.desk.output.change_set import ChangeSet, apply_diff
from streams.desk.output.tally import Tally
from streams.desk.policy.versions import Policies
from streams.desk.reviews import review_rows
from streams.desk.surveys import About, survey_rows
from streams.desk.tickets.ticket import Ticket
from streams.desk.track.subject import SURVEY, Subject, stood_at
from streams.desk.track.subject_cache import SubjectCache
from streams.models.rows import Identity, Row

PoliciesOf = Callable[[Subject], Policies]  # that a subject follows


class Surveys:
    """The rows of all surveys that stand, by the surveys' subject. `held`: the partition's subjects."""

    def __init__(self, held: SubjectCache, change_set: ChangeSet) -> None:
        self.held, self.change_set = held, change_set
        self.rows: dict[str, dict[Identity, Row]] = {}
        self.tallies: dict[str, Tally] = {}

    def about(self, subject: Subject) -> Subject | None:
        """The surveys about a ticket or call, if there are any."""
        return self.held.get(SURVEY + subject.name) if subject.name in self.rows else None

    def named(self, surveys: Subject) -> Subject | None:
        """The ticket or call that surveys are about, if it is known."""
        return self.held.get(surveys.id) if surveys.id[0] != SURVEY else None

    def refresh(self, surveys: Subject, policies: PoliciesOf) -> None:
        """Make their rows anew, and write what changed."""
        before = self.rows.get(surveys.id, {})
        for row in before.values():
            row.version = 0  # type: ignore[attr-defined]  # set by a checkpoint: no difference
        counted = self.tallies.get(surveys.id, Tally())
        self.restore(surveys, policies)
        apply_diff(self.change_set, before, self.rows[surveys.id])
        self.change_set.tally.apply_diff(counted, self.tallies[surveys.id])

    def restore(self, surveys: Subject, policies: PoliciesOf) -> None:
        """Make their rows anew; they were written before."""
        named = self.named(surveys)
        subject, events = surveys.id[1:], surveys.events()

        def about(at: int) -> About | None:
            return _about(named, at, policies)

        rows, tally = survey_rows(subject, events, about, policies(surveys))
        self.rows[surveys.id] = rows | review_rows(subject, events, about, tally)
        self.tallies[surveys.id] = tally

    def forget(self, surveys_id: str) -> None:
        """They are held no longer."""
        self.rows.pop(surveys_id, None)
        self.tallies.pop(surveys_id, None)


def _about(named: Subject | None, at: int, policies: PoliciesOf) -> About | None:
    state = None if named is None else stood_at(named, at, policies(named))
    if state is None:
        return About()
    if at > state.released_at:
        return None
    if isinstance(state, Ticket):
        dims = state.ledger.dims
        return About(dims.team, dims.channel, dims.segment, state.ledger.agent_id, dims.category)
    assert isinstance(state, Call)
    return About(state.team, "phone", state.segment, state.agent_id, state.category)
