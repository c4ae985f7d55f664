"""One customer: the combined history of all tickets and calls. A pure fold of facts: `fold(…, as_of)`.

    facts     t1 ·c·····b····s·······       c: contact, b: breach, s: solved ...
              c4 ·····c··········a···
    steps        c    b  c  s    a          in order of time, up to the instant `as_of`
    rows      first-contact resolution of t1; complaint-risk warnings; the customer's row

After `hold` + 7 days of inactivity a customer's history restarts as a new episode. Each episode is folded
separately, so forgetting earlier ones changes nothing. A fact known before an episode is over belongs to it:

    facts     |== t1 ===========|                       from `known_at` to the hold and a week after its last step,
                        |== c4 ======|                  not over before track releases the subject
                                            |== t2 ==
    episodes  |-------- t1, c4 ------|      |-- t2 --   an episode is not over while a warning is open
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from streams.desk.customers.first_contact import CALL, Contacts, fact_row, verdict
from streams.desk.customers.risk_index import Risk
from streams.desk.customers.risk_warning import RiskWarning
from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies, Policy
from streams.models.customer_facts import CustomerFact, PolicyChange
from streams.models.entities import CustomerRow
from streams.models.instants import DAY, NEVER, WEEK
from streams.models.rows import Identity, Row

CONTACT, SIGNAL, SWITCH = 0, 1, 2  # order of the steps within one instant


class Step(NamedTuple):
    """A step of a customer's history. A contact (at `since`) before its episode is a step at the episode's start."""

    at: int
    order: int
    since: int
    subject: str
    name: str  # of a signal
    weight: float


class Episode(NamedTuple):
    """Facts that are folded together. The episode is over at `over_at`, if no warning is open then."""

    facts: list[CustomerFact]
    began_at: int
    over_at: int


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
        history = _EpisodeFold(ids, episode, changes, policies)
        history.fold_until(following.began_at)
        if history.warning.row is not None:
            episode = _joined(episode, following)
            continue
        history.judge_first_contacts(as_of)
        rows |= history.change_set.rows
        episode = following
    history = _EpisodeFold(ids, episode, changes, policies)
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


def _steps(episode: Episode) -> list[Step]:
    steps = []
    for fact in episode.facts:
        if (since := fact.contact_at) is not None:
            steps.append(Step(max(since, episode.began_at), CONTACT, since, fact.subject, "", 0.0))
        steps += [Step(at, SIGNAL, at, fact.subject, name, weight) for name, at, weight in fact.signals]
    steps.sort()
    return steps


class _EpisodeFold:
    """The fold of one episode of a customer."""

    def __init__(
        self, ids: Sequence[str], episode: Episode, changes: Iterable[PolicyChange], policies: Policies
    ) -> None:
        self.ids, self.episode, self.policies = ids, episode, policies
        self.changes = [change for change in changes if change.known_at <= episode.over_at]
        self.by_subject = {fact.subject: fact for fact in episode.facts}
        self.change_set = ChangeSet()
        self.risk = Risk(policies.at(episode.began_at).risk_index)
        self.warning = RiskWarning(ids[0], self.risk, policies, self.change_set)
        self.counts: Counter[str] = Counter()
        self.contacts: list[int] = []
        self._last: dict[str | None, int] = {}  # the last contact by category; None: calls without one
        self._called_about: set[str] = set()

    # Steps

    def fold_until(self, until: int) -> int:
        """Fold the steps and let time pass up to `until`; returns when time alone changes anything."""
        steps = _steps(self.episode)
        now = [step for step in steps if step.at <= until]
        switches = [at for at in self.policies.switches if at <= until]
        both = sorted([*now, *(Step(at, SWITCH, at, "", "", 0.0) for at in switches)]) if switches else now
        for at, simultaneous in groupby(both, key=lambda step: step.at):
            self.warning.pass_time(at)
            self._fold_instant(at, list(simultaneous))
        self.warning.pass_time(until)
        next_at = self.warning.next_at
        if len(now) < len(steps):
            next_at = min(next_at, steps[len(now)].at - 1)
        return min(next_at, next((at for at in self.policies.switches if at > until), NEVER) - 1)

    def _fold_instant(self, at: int, steps: Sequence[Step]) -> None:
        """Fold all steps of one instant."""
        policy = self.policies.at(at)
        if policy.risk_index is not self.risk.index:
            self.risk.switch(policy.risk_index, at)
        gave: CustomerFact | None = None
        cause = ""
        for step in steps:
            if step.order == SWITCH:
                continue
            fact = self.by_subject[step.subject]
            if step.order == CONTACT:
                given = self._contact(fact, step.since, at, policy)
                cause = next((change for name, change in given if name == "policy_change"), cause)
            elif step.name == "vip":
                given, self.risk.vip = [], True
            else:
                given = [(step.name, "")] if self.risk.add(step.name, at, step.weight) else []
                self.counts[step.name] += 1
            gave = fact if given else gave
        self.warning.judge(at, gave, cause)

    def _contact(self, fact: CustomerFact, since: int, at: int, policy: Policy) -> list[tuple[str, str]]:
        """Fold a contact; returns its signals, each with the policy change that explains it."""
        if fact.subject[0] != CALL and fact.subject[1:] in self._called_about:
            return []  # the ticket was opened during the call
        given = []
        if self._repeats(fact, since):
            self.counts["repeat_contact"] += 1
            given += [("repeat_contact", "")] if self.risk.add("repeat_contact", at) else []
        if (change := self._explained_by(fact, since, policy)) is not None:
            self.counts["policy_change"] += 1
            given += [("policy_change", change.title or change.change_id)] if self.risk.add("policy_change", at) else []
        self.contacts.append(since)
        self._last[None if _is_call_without_category(fact) else fact.category] = since
        if fact.about:
            self._called_about.add(fact.about)
        return given

    def _repeats(self, fact: CustomerFact, at: int) -> bool:
        """Whether a contact repeats the category of another one within the 7 days before."""
        earlier = (
            self._last.values()
            if _is_call_without_category(fact)
            else (self._last.get(key, -WEEK) for key in (fact.category, None))
        )
        return any(last >= at - WEEK for last in earlier)

    def _explained_by(self, fact: CustomerFact, at: int, policy: Policy) -> PolicyChange | None:
        """The latest policy change in force whose tags include the contact's category or a tag of it."""
        about = {fact.category, *fact.tags}
        found = [
            change
            for change in self.changes
            if change.effective_at <= at < change.effective_at + policy.risk_index.policy_change_for_ms
            and not about.isdisjoint(change.tags)
        ]
        return max(found, key=lambda change: (change.effective_at, change.key), default=None)

    # Results

    def judge_first_contacts(self, as_of: int) -> int:
        """Write the verdict on each solved ticket; returns when time alone changes one."""
        solved = [fact for fact in self.episode.facts if fact.solved is not None]
        if not solved:
            return NEVER
        contacts, next_at = Contacts(self.episode.facts), NEVER
        for fact in solved:
            assert fact.solved is not None
            found, changes_at = verdict(fact.solved, contacts, as_of)
            next_at = min(next_at, changes_at)
            self.change_set.put(fact_row(self.ids[0], fact.subject[1:], fact.solved, found))
            self.counts[found] += 1
            self.counts["solved"] += 1
        return next_at

    def row(self) -> CustomerRow:
        """The customer as of the end of the fold."""
        contacts = [fact for fact in self.episode.facts if fact.contact_at is not None]
        tickets = [fact for fact in contacts if fact.subject[0] != CALL]
        index, warning = self.risk.index, self.warning.row
        signals = [(name, *level) for name, level in sorted(self.risk.levels.items())]
        return CustomerRow(
            self.ids[0],
            list(self.ids),
            "vip" if self.risk.vip else "",
            self.contacts[0] if self.contacts else None,
            self.contacts[-1] if self.contacts else None,
            len(self.contacts),
            len(tickets),
            sum(fact.is_open for fact in tickets),
            self.counts["solved"],
            len(contacts) - len(tickets),
            {name: number for name, number in sorted(self.counts.items()) if name != "solved"},
            signals,
            self.risk.factor,
            float(index.raise_at),
            float(index.clear_at),
            "" if warning is None else warning.warning_id,
        )


def _is_call_without_category(fact: CustomerFact) -> bool:
    """Whether it is a call without a category."""
    return fact.subject[0] == CALL and not fact.category
