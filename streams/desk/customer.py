"""One customer: what all their tickets and calls say together. A pure fold of facts: `fold(…, clock)`.

    facts     t1 ·c·····b····s·······       c: contact, b: breach, s: solved ...
              c4 ·····c··········a···
    steps        c    b  c  s    a          in order of time, up to the clock
    rows      first-contact resolution of t1; complaint-risk warnings; the customer as they stand

A customer who is not heard of for longer than `kept` begins anew: what is older may be forgotten.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from streams.desk.clock import NEVER
from streams.desk.first_contact import CALL, WEEK, Contacts, fact_row, verdict
from streams.desk.policy import Policies, Policy
from streams.desk.risk import Risk
from streams.desk.risk_warning import RiskWarning
from streams.desk.sheet import Sheet
from streams.models.customer_facts import CustomerFact, PolicyChange
from streams.models.instants import DAY
from streams.models.rows import CustomerRow, Identity, Row

CONTACT, SIGNAL, SWITCH = 0, 1, 2  # order of the steps of one instant


class Step(NamedTuple):
    """Something that happened to a customer."""

    at: int
    order: int
    subject: str
    name: str  # a signal's
    weight: float


class Folded(NamedTuple):
    """What a fold found: the rows, when time alone changes them, and whether the customer may be forgotten."""

    rows: dict[Identity, Row]
    next_at: int
    over: bool


def kept(policy: Policy) -> int:
    """How long (ms) a customer is remembered who is not heard of: as long as their tickets can change, and a week."""
    return policy.hold_ms + WEEK + DAY


def fold(
    ids: Sequence[str], facts: Sequence[CustomerFact], changes: Iterable[PolicyChange], policies: Policies, clock: int
) -> Folded:
    """Fold the facts of one person, whose ids are given, the first of which stands for all of them.

    `changes`: the policy changes announced. Facts may come in any order; all instants are ms.
    """
    history = _History(ids, facts, list(changes), policies)
    steps = _steps(facts)
    now = [step for step in steps if step.at <= clock]
    history.live(now, clock)
    next_at = min(history.warning.next_at, history.judge_first_contacts(clock))
    if len(now) < len(steps):
        next_at = min(next_at, steps[len(now)].at - 1)
    last_at = max((*(step.at for step in steps), *(fact.solved.at for fact in facts if fact.solved)), default=0)
    over_at = last_at + kept(policies.at(last_at))
    over = clock > over_at and history.warning.row is None
    if history.warning.row is None:
        next_at = min(next_at, over_at)
    if history.risk.levels:
        next_at = min(next_at, next((at for at in policies.switches if at > clock), NEVER) - 1)
    history.sheet.put(history.standing())
    return Folded(history.sheet.rows, next_at, over)


def _steps(facts: Iterable[CustomerFact]) -> list[Step]:
    steps = []
    for fact in facts:
        if fact.contact_at is not None:
            steps.append(Step(fact.contact_at, CONTACT, fact.subject, "", 0.0))
        steps += [Step(at, SIGNAL, fact.subject, name, weight) for name, at, weight in fact.signals]
    steps.sort()
    return steps


class _History:
    """A customer's life so far."""

    def __init__(
        self, ids: Sequence[str], facts: Sequence[CustomerFact], changes: list[PolicyChange], policies: Policies
    ) -> None:
        self.ids, self.facts, self.changes, self.policies = ids, facts, changes, policies
        self.by_subject = {fact.subject: fact for fact in facts}
        self.sheet = Sheet()
        self.began_at = self.last_at = 0
        self._begin(0)

    def _begin(self, at: int) -> None:
        self.began_at = at
        self.risk = Risk(self.policies.at(at).risk_index)
        self.warning = RiskWarning(self.ids[0], self.risk, self.policies, self.sheet)
        self.counts: Counter[str] = Counter()
        self.contacts: list[int] = []
        self._last: dict[str | None, int] = {}  # by category the last contact, "None" of a call without one
        self._called_about: set[str] = set()

    # Steps

    def live(self, steps: Sequence[Step], clock: int) -> None:
        """Go through the steps, and let time pass to `clock`."""
        switches = [Step(at, SWITCH, "", "", 0.0) for at in self.policies.switches if at <= clock]
        both = sorted([*steps, *switches]) if switches else steps
        for at, together in groupby(both, key=lambda step: step.at):
            self.warning.pass_time(at)
            self._go_on(at, list(together))
        self.warning.pass_time(clock)

    def _go_on(self, at: int, together: Sequence[Step]) -> None:
        """All that happened at one instant."""
        policy = self.policies.at(at)
        if any(step.order != SWITCH for step in together):
            if self.last_at and at > self.last_at + kept(self.policies.at(self.last_at)) and self.warning.row is None:
                self._begin(at)
            self.last_at = at
        if policy.risk_index is not self.risk.index:
            self.risk.switch(policy.risk_index, at)
        gave: CustomerFact | None = None
        cause = ""
        for step in together:
            if step.order == SWITCH:
                continue
            fact = self.by_subject[step.subject]
            if step.order == CONTACT:
                given = self._contact(fact, at, policy)
                cause = next((change for name, change in given if name == "policy_change"), cause)
            elif step.name == "vip":
                given, self.risk.vip = [], True
            else:
                given = [(step.name, "")] if self.risk.add(step.name, at, step.weight) else []
                self.counts[step.name] += 1
            gave = fact if given else gave
        self.warning.settle(at, gave, cause)

    def _contact(self, fact: CustomerFact, at: int, policy: Policy) -> list[tuple[str, str]]:
        """The customer turns to the desk; returns the signals that this gives, with the policy change behind it."""
        if fact.subject[0] != CALL and fact.subject[1:] in self._called_about:
            return []  # the ticket that was opened on the call
        given = []
        if self._repeats(fact, at):
            self.counts["repeat_contact"] += 1
            given += [("repeat_contact", "")] if self.risk.add("repeat_contact", at) else []
        if (change := self._explained_by(fact, at, policy)) is not None:
            self.counts["policy_change"] += 1
            given += [("policy_change", change.title or change.change_id)] if self.risk.add("policy_change", at) else []
        self.contacts.append(at)
        self._last[None if _is_plain(fact) else fact.category] = at
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
        solved = [fact for fact in self.facts if fact.solved is not None]
        if not solved:
            return NEVER
        contacts, next_at = Contacts(self.facts), NEVER
        for fact in solved:
            assert fact.solved is not None
            found, changes_at = verdict(fact.solved, contacts, clock)
            next_at = min(next_at, changes_at)
            self.sheet.put(fact_row(self.ids[0], fact.subject[1:], fact.solved, found))
            if fact.solved.at >= self.began_at:
                self.counts[found] += 1
                self.counts["solved"] += 1
        return next_at

    def standing(self) -> CustomerRow:
        """The customer as they stand."""
        since = [fact for fact in self.facts if fact.contact_at is not None and fact.contact_at >= self.began_at]
        tickets = [fact for fact in since if fact.subject[0] != CALL]
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
            len(since) - len(tickets),
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
