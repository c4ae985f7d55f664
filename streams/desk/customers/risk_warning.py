"""The warning `complaint.risk` of one customer: raised at one limit, cleared at a lower one, a cool-down after each.

    index      raise_at ····╭╮·······························
                           ╯  ╰─╮
               clear_at ········ ╰──╮····╭╮··················
                        ────╯        ╰───╯╰──────
    warning                 |==raised===|                      cleared at least a cool-down after it was raised,
                                        |--cool-down--|        raised again at least a cool-down after it was cleared

Two changes of one customer's warning are always at least a cool-down apart, so it cannot flap.
"""

from typing import Final

import msgspec

from streams.desk.customers.risk_index import MIN_POINTS, Risk
from streams.desk.output.change_set import ChangeSet
from streams.desk.output.warnings import cleared, new_warning
from streams.desk.policy.rules import Rule
from streams.desk.policy.versions import Policies, Policy
from streams.desk.texts import text
from streams.models.customer_facts import CustomerFact
from streams.models.instants import NEVER
from streams.models.rows import WarningRow, WarningState

RULE: Final = "complaint.risk"
_DEFAULT = Rule(rule=RULE, by="customer")


class RiskWarning:
    """The warnings of a customer. Call `judge` after each instant with a signal, and `pass_time` in between.

    Attributes:
        row: the open warning.
        cleared_at: when the last one was cleared.
        next_at: the next instant at which time alone changes something.
    """

    def __init__(self, customer_id: str, risk: Risk, policies: Policies, change_set: ChangeSet) -> None:
        self.customer_id, self.risk, self.policies, self.change_set = customer_id, risk, policies, change_set
        self.row: WarningRow | None = None
        self.cleared_at = 0
        self.next_at = NEVER
        self._policy: Policy | None = None  # at the last instant, and its rule
        self._rule = _DEFAULT
        self._ready_at = 0  # the end of the cool-down: no warning is raised before it

    def pass_time(self, until: int) -> None:
        """Process everything due before `until`."""
        while self.next_at < until:
            self.judge(self.next_at, None, "")

    def judge(self, at: int, fact: CustomerFact | None, cause: str) -> None:
        """Raise, change or clear the warning, once all signals of the instant `at` are in the index.

        `fact`: one with a signal at that instant, if any. `cause`: the policy change that explains the contact.
        """
        policy = self.policies.at(at)
        if policy is not self._policy:
            self._policy = policy
            self._rule = next((rule for rule in policy.rules if rule.rule == RULE), _DEFAULT)
        rule = self._rule
        index, score = policy.risk_index, self.risk.score(at)
        if self.row is not None:
            if at >= self.row.raised_at + rule.cooldown_ms and score <= max(index.clear_at, MIN_POINTS):
                self._clear(self.row, at, score)
                self._ready_at = at + rule.cooldown_ms
            elif fact is not None:
                self._put(
                    self._row(self.row.raised_at, WarningState.CHANGED, at, policy, rule, fact, cause or self.row.cause)
                )
        elif at >= self._ready_at and score >= index.raise_at:
            self._put(self._row(at, WarningState.RAISED, at, policy, rule, fact, cause))
        self._schedule(at, policy, rule)

    def _schedule(self, at: int, policy: Policy, rule: Rule) -> None:
        self.next_at = NEVER
        if self.row is not None:
            falls_at = self.risk.falls_to(policy.risk_index.clear_at, at)
            self.next_at = max(falls_at, self.row.raised_at + rule.cooldown_ms)
        elif self._ready_at > at and self.risk.score(self._ready_at) >= policy.risk_index.raise_at:
            self.next_at = self._ready_at

    def _put(self, row: WarningRow) -> None:
        self.row = row
        self.change_set.put(row)

    def _clear(self, row: WarningRow, at: int, score: float) -> None:
        measures = {**row.measures, "cleared_value": round(score, 1)}
        self.change_set.put(cleared(msgspec.structs.replace(row, measures=measures), at, "decayed"))
        self.row, self.cleared_at = None, at

    def _row(
        self, raised_at: int, state: str, at: int, policy: Policy, rule: Rule, fact: CustomerFact | None, cause: str
    ) -> WarningRow:
        subject, index = f"customer/{self.customer_id}", policy.risk_index
        return new_warning(
            RULE,
            subject,
            raised_at,
            rule.severity,
            policy.version,
            state=state,
            ticket_id="" if fact is None else fact.subject[1:] if fact.subject[0] == "t" else fact.about,
            team=fact.team if fact is not None else "",
            segment="vip" if self.risk.vip else "",
            category=fact.category if fact is not None else "",
            url=fact.url if fact is not None else "",
            customer_id=self.customer_id,
            dimension="customer",
            value=self.customer_id,
            measures={
                "value": round(self.risk.score(at), 1), "raise_at": index.raise_at, "clear_at": index.clear_at,
            },
            reasons=[(name, round(points, 1), text(f"lower_{name}", "en")) for name, points in self.risk.parts(at)],
            cause=cause,
        )  # fmt: skip
