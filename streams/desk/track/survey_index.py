"""The surveys and reviews of a partition. Their rows are rebuilt when they, or their ticket or call, change.

ticket    created(team a) ──────── assigned(team b) ───────>
survey               └ answered: team a      └ answered: team b      a corrected ticket corrects the survey's row
"""

from collections.abc import Callable

from streams.desk.calls.call import Call
from streams.desk.output.change_set import ChangeSet, apply_diff
from streams.desk.output.tally import Tally
from streams.desk.policy.versions import Policies
from streams.desk.reviews import review_rows
from streams.desk.surveys import About, survey_rows
from streams.desk.tickets.ticket import Ticket
from streams.desk.track.subject import SURVEY, State, Subject, SubjectKind, state_at
from streams.desk.track.subject_cache import SubjectCache
from streams.models.rows import Identity, Row


class SurveyIndex:
    """The live rows of all surveys and their tallies for the window rules, by surveys id.

    `cache`: the partition's subjects. `policies_of`: returns the policies that a subject follows.
    """

    def __init__(self, cache: SubjectCache, change_set: ChangeSet, policies_of: Callable[[Subject], Policies]) -> None:
        self.rows: dict[str, dict[Identity, Row]] = {}
        self._tallies: dict[str, Tally] = {}
        self._cache, self._change_set, self._policies_of = cache, change_set, policies_of

    def about(self, subject: Subject) -> Subject | None:
        """The surveys about a ticket or call, if any."""
        return self._cache.get(SURVEY + subject.name) if subject.name in self.rows else None

    def target(self, surveys: Subject) -> Subject | None:
        """The ticket or call that surveys are about, if known."""
        return self._cache.get(surveys.id) if surveys.id[0] != SURVEY else None

    def refresh(self, surveys: Subject) -> None:
        """Rebuild the rows of surveys, and write the changes."""
        before = self.rows.get(surveys.id, {})
        for row in before.values():
            row.version = 0  # type: ignore[attr-defined]  # set by a checkpoint: no difference
        tally = self._tallies.get(surveys.id, Tally())
        self.rebuild(surveys)
        apply_diff(self._change_set, before, self.rows[surveys.id])
        self._change_set.tally.apply_diff(tally, self._tallies[surveys.id])

    def rebuild(self, surveys: Subject) -> None:
        """Rebuild the rows of surveys; emits nothing."""
        target = self.target(surveys)
        subject, events = about_what(surveys), surveys.events()

        def about(at: int) -> About | None:
            return self._about(target, at)

        rows, tally = survey_rows(subject, events, about, self._policies_of(surveys))
        self.rows[surveys.id] = rows | review_rows(subject, events, about, tally)
        self._tallies[surveys.id] = tally

    def forget(self, surveys_id: str) -> None:
        """Drop the rows of released surveys."""
        self.rows.pop(surveys_id, None)
        self._tallies.pop(surveys_id, None)

    def _about(self, target: Subject | None, at: int) -> About | None:
        """The target of a survey at the instant `at`; None: its ticket or call was due for release by then."""
        state = None if target is None else state_at(target, at, self._policies_of(target))
        if state is None:
            return About()
        return None if at > state.released_at else _about(state)


def about_what(surveys: Subject) -> str:
    """What surveys are about, as their rows name it: a ticket and a call may have one id."""
    return f"{SubjectKind(surveys.id[0]).name.lower()}/{surveys.id[1:]}"


def _about(state: State) -> About:
    if isinstance(state, Ticket):
        dims = state.ledger.dims
        return About(dims.team, dims.channel, dims.segment, state.survey_agent, dims.category)
    assert isinstance(state, Call)
    return About(state.team, "phone", state.segment, state.agent_id, state.category)
