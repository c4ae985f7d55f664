"""One customer: the combined history of all tickets and calls. A pure fold of facts: `fold(…, as_of)`.

After `hold` + 7 days of inactivity a customer's history restarts as a new episode. Each episode is folded apart, so it
makes no difference whether a former one was forgotten. A fact that becomes known before an episode is over belongs to
it:

    facts     |== t1 ===========|                       from `known_at` to the hold and a week after its last step,
                        |== c4 ======|                  not over before track releases the subject
                                            |== t2 ==
    episodes  |-------- t1, c4 ------|      |-- t2 --   an episode is not over while a warning is open
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.desk.customers.episode import Episode, EpisodeFold
from streams.desk.policy.versions import Policies
from streams.models.customer_facts import CustomerFact, PolicyChange
from streams.models.instants import DAY, NEVER, WEEK
from streams.models.rows import Identity, Row


class Folded(NamedTuple):
    """The result of a fold: the rows, when time alone changes them, and whether to forget the customer."""

    rows: dict[Identity, Row]
    next_at: int
    over: bool


def fold(
    ids: Sequence[str], facts: Sequence[CustomerFact], changes: Iterable[PolicyChange], policies: Policies, as_of: int
) -> Folded:
    """Fold the facts of one customer as of an instant.

    `ids`: of the customer, the canonical one first. `changes`: the announced policy changes. The order of facts does
    not matter; all instants are ms.
    """
    rows: dict[Identity, Row] = {}
    known = [fact for fact in facts if fact.known_at <= as_of]
    ahead_at = min((fact.known_at - 1 for fact in facts if fact.known_at > as_of), default=NEVER)
    if not known:
        return Folded(rows, ahead_at, False)
    changes = list(changes)
    episode, *others = _episodes(known, policies)
    for following in others:
        history = EpisodeFold(ids, episode, changes, policies)
        history.fold_until(following.began_at)
        if history.warning.row is not None:
            episode = _joined(episode, following)
            continue
        history.judge_first_contacts(as_of)
        rows |= history.change_set.rows
        episode = following
    history = EpisodeFold(ids, episode, changes, policies)
    next_at = min(ahead_at, history.fold_until(as_of), history.judge_first_contacts(as_of))
    forget_at = NEVER
    if history.warning.row is None:
        forget_at = max(episode.over_at, history.warning.cleared_at) + DAY  # a day for late facts
    if as_of > forget_at:  # a forgotten customer has no row
        return Folded(rows | history.change_set.rows, ahead_at, ahead_at == NEVER)
    history.change_set.put(history.row())
    return Folded(rows | history.change_set.rows, min(next_at, forget_at), False)


def _episodes(facts: Iterable[CustomerFact], policies: Policies) -> list[Episode]:
    episodes: list[Episode] = []
    for fact in sorted(facts, key=lambda fact: (fact.known_at, fact.subject)):
        last_at = max((fact.known_at, *(at for _, at, _ in fact.signals), fact.solved.at if fact.solved else 0))
        over_at = max(fact.held_until, last_at + policies.at(last_at).hold_ms + WEEK)
        episode = Episode([fact], fact.known_at, over_at)
        if episodes and fact.known_at <= episodes[-1].over_at:
            episodes[-1] = _joined(episodes[-1], episode)
        else:
            episodes.append(episode)
    return episodes


def _joined(episode: Episode, following: Episode) -> Episode:
    episode.facts.extend(following.facts)
    return Episode(episode.facts, episode.began_at, max(episode.over_at, following.over_at))
