"""One customer: what all their tickets and calls say together. A pure fold of facts: `fold(…, clock)`.

    facts     t1 ·c·····b····s·······       c: contact, b: breach, s: solved ...
              c4 ·····c··········a···
    steps        c    b  c  s    a          in order of time, up to the clock
    rows      first-contact resolution of t1; complaint-risk warnings; the customer as they stand

A customer who is not heard of for long enough begins anew, with another life. Each life is folded apart, so that it
makes no difference whether a former one was forgotten. A fact that becomes known before a life is over belongs to it:

    facts     |== t1 ===========|                       from `known_at` to the hold and a week after the last of it,
                        |== c4 ======|                  no sooner over than the desk releases it
                                            |== t2 ==
    lives     |-------- t1, c4 ------|      |-- t2 --   a life is not over while a warning stands
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

CONTACT, SIGNAL, SWITCH = 0, 1, 2  # order of the steps of one instant


class Step(NamedTuple):
    """Something that happened to a customer. An earlier contact, from `since`, is a step of the life's beginning."""

    at: int
    order: int
    since: int
    subject: str
    name: str  # a signal's
    weight: float


class Life(NamedTuple):
    """Facts that are folded together, and when nothing more belongs to them, if no warning stands then."""

    facts: list[CustomerFact]
    began_at: int
    over_at: int


class Folded(NamedTuple):
    """What a fold found: the rows, when time alone changes them, and whether the customer may be forgotten."""

    rows: dict[Identity, Row]
    next_at: int
    over: bool


def fold(
    ids: Sequence[str], facts: Sequence[CustomerFact], changes: Iterable[PolicyChange], policies: Policies, clock: int
) -> Folded:
    """Fold the facts of one person, whose ids are given, the first of which stands for all of them.

    `changes`: the policy changes announced. Facts may come in any order; all instants are ms.
    """
    rows: dict[Identity, Row] = {}
    known = [fact for fact in facts if fact.known_at <= clock]
    ahead_at = min((fact.known_at - 1 for fact in facts if fact.known_at > clock), default=NEVER)
    if not known:
        return Folded(rows, ahead_at, False)
    changes = list(changes)
    life, *others = _lives(known, policies)
    for following in others:
        history = _History(ids, life, changes, policies)
        history.live(following.began_at)
        if history.warning.row is not None:
            life = _joined(life, following)
            continue
        history.judge_first_contacts(clock)
        rows |= history.change_set.rows
        life = following
    history = _History(ids, life, changes, policies)
    next_at = min(ahead_at, history.live(clock), history.judge_first_contacts(clock))
    forget_at = NEVER  # a day later, so that what is late meets it still
    if history.warning.row is None:
        forget_at = max(life.over_at, history.warning.cleared_at) + DAY
    if clock > forget_at:  # whoever is forgotten stands no longer
        return Folded(rows | history.change_set.rows, ahead_at, ahead_at == NEVER)
    history.change_set.put(history.standing())
    return Folded(rows | history.change_set.rows, min(next_at, forget_at), False)


def _lives(facts: Iterable[CustomerFact], policies: Policies) -> list[Life]:
    lives: list[Life] = []
    for fact in sorted(facts, key=lambda fact: (fact.known_at, fact.subject)):
        last_at = max((fact.known_at, *(at for _, at, _ in fact.signals), fact.solved.at if fact.solved else 0))
        over_at = max(fact.held_until, last_at + policies.at(last_at).hold_ms + WEEK)
        life = Life([fact], fact.known_at, over_at)
        if lives and fact.known_at <= lives[-1].over_at:
            lives[-1] = _joined(lives[-1], life)
        else:
            lives.append(life)
    return lives


def _joined(life: Life, following: Life) -> Life:
    life.facts.extend(following.facts)
    return Life(life.facts, life.began_at, max(life.over_at, following.over_at))


def _steps(life: Life) -> list[Step]:
    steps = []
    for fact in life.facts:
        if (since := fact.contact_at) is not None:
            steps.append(Step(max(since, life.began_at), CONTACT, since, fact.subject, "", 0.0))
        steps += [Step(at, SIGNAL, at, fact.subject, name, weight) for name, at, weight in fact.signals]
    steps.sort()
    return steps


class _History:
    """One life of a customer, as far as it has come."""

    def __init__(self, ids: Sequence[str], life: Life, changes: Iterable[PolicyChange], policies: Policies) -> None:
        self.ids, self.life, self.policies = ids, life, policies
        self.changes = [change for change in changes if change.known_at <= life.over_at]
        self.by_subject = {fact.subject: fact for fact in life.facts}
        self.change_set = ChangeSet()
        self.risk = Risk(policies.at(life.began_at).risk_index)
        self.warning = RiskWarning(ids[0], self.risk, policies, self.change_set)
        self.counts: Counter[str] = Counter()
        self.contacts: list[int] = []
        self._last: dict[str | None, int] = {}  # by category the last contact, "None" of a call without one
        self._called_about: set[str] = set()

    # Steps

    def live(self, clock: int) -> int:
        """Go through the steps, and let time pass, to `clock`; returns when time alone changes anything."""
        steps = _steps(self.life)
        now = [step for step in steps if step.at <= clock]
        switches = [at for at in self.policies.switches if at <= clock]
        both = sorted([*now, *(Step(at, SWITCH, at, "", "", 0.0) for at in switches)]) if switches else now
        for at, together in groupby(both, key=lambda step: step.at):
            self.warning.pass_time(at)
            self._go_on(at, list(together))
        self.warning.pass_time(clock)
        next_at = self.warning.next_at
        if len(now) < len(steps):
            next_at = min(next_at, steps[len(now)].at - 1)
        return min(next_at, next((at for at in self.policies.switches if at > clock), NEVER) - 1)

    def _go_on(self, at: int, together: Sequence[Step]) -> None:
        """All that happened at one instant."""
        policy = self.policies.at(at)
        if policy.risk_index is not self.risk.index:
            self.risk.switch(policy.risk_index, at)
        gave: CustomerFact | None = None
        cause = ""
        for step in together:
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
        self.warning.settle(at, gave, cause)

    def _contact(self, fact: CustomerFact, since: int, at: int, policy: Policy) -> list[tuple[str, str]]:
        """The customer turned to the desk; returns the signals that this gives, with the policy change behind it."""
        if fact.subject[0] != CALL and fact.subject[1:] in self._called_about:
            return []  # the ticket that was opened on the call
        given = []
        if self._repeats(fact, since):
            self.counts["repeat_contact"] += 1
            given += [("repeat_contact", "")] if self.risk.add("repeat_contact", at) else []
        if (change := self._explained_by(fact, since, policy)) is not None:
            self.counts["policy_change"] += 1
            given += [("policy_change", change.title or change.change_id)] if self.risk.add("policy_change", at) else []
        self.contacts.append(since)
        self._last[None if _is_plain(fact) else fact.category] = since
        if fact.about:
            self._called_about.add(fact.about)
        return given

    def _repeats(self, fact: CustomerFact, at: int) -> bool:
        """Whether it is about the same as another contact within the 7 days before."""
        earlier = (
            self._last.values() if _is_plain(fact) else (self._last.get(key, -WEEK) for key in (fact.category, None))
        )
        return any(last >= at - WEEK for last in earlier)

    def _explained_by(self, fact: CustomerFact, at: int, policy: Policy) -> PolicyChange | None:
        """The latest policy change in force that the contact's category or tags name."""
        about = {fact.category, *fact.tags}
        found = [
            change
            for change in self.changes
            if change.effective_at <= at < change.effective_at + policy.risk_index.policy_change_for_ms
            and not about.isdisjoint(change.tags)
        ]
        return max(found, key=lambda change: (change.effective_at, change.key), default=None)

    # Results

    def judge_first_contacts(self, clock: int) -> int:
        """Write the verdict on each solved ticket; returns when time alone changes one."""
        solved = [fact for fact in self.life.facts if fact.solved is not None]
        if not solved:
            return NEVER
        contacts, next_at = Contacts(self.life.facts), NEVER
        for fact in solved:
            assert fact.solved is not None
            found, changes_at = verdict(fact.solved, contacts, clock)
            next_at = min(next_at, changes_at)
            self.change_set.put(fact_row(self.ids[0], fact.subject[1:], fact.solved, found))
            self.counts[found] += 1
            self.counts["solved"] += 1
        return next_at

    def standing(self) -> CustomerRow:
        """The customer as they stand."""
        contacts = [fact for fact in self.life.facts if fact.contact_at is not None]
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


def _is_plain(fact: CustomerFact) -> bool:
    """A call of which nobody knows what it is about."""
    return fact.subject[0] == CALL and not fact.category
