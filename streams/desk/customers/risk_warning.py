"""The warning `complaint.risk` of one customer: raised at one limit, cleared at a lower one, with a rest after each.

    index      raise_at ····╭╮·······························
                           ╯  ╰─╮
               clear_at ········ ╰──╮····╭╮··················
                        ────╯        ╰───╯╰──────
    warning                 |==raised===|                      no sooner cleared than a cool-down after it was raised,
                                        |--cool-down--|        no sooner raised again than one after it was cleared

So between a raise and a clear of one customer there is always a cool-down: it cannot flap.
"""

from typing import Final

import msgspec

from streams.desk.customers.risk_index import Risk
from streams.desk.output.change_set import ChangeSet
from streams.desk.output.warnings import warning_id
from streams.desk.policy.rules import Rule
from streams.desk.policy.versions import Policies, Policy
from streams.desk.texts import text
from streams.models.customer_facts import CustomerFact
from streams.models.instants import NEVER
from streams.models.rows import WarningRow

RULE: Final = "complaint.risk"
_DEFAULT = Rule(rule=RULE, by="customer")


class RiskWarning:
    """A customer's warnings; `settle` after each instant at which something was given, `pass_time` in between."""

    def __init__(self, customer_id: str, risk: Risk, policies: Policies, change_set: ChangeSet) -> None:
        self.customer_id, self.risk, self.policies, self.change_set = customer_id, risk, policies, change_set
        self.policy: Policy | None = None  # that of the last instant, and its rule
        self.rule = _DEFAULT
        self.row: WarningRow | None = None  # the one that is raised
        self.ready_at = 0  # not raised before this
        self.cleared_at = 0  # the last one
        self.next_at = NEVER  # the next instant at which time alone does something

    def pass_time(self, until: int) -> None:
        """Do what falls due before `until`."""
        while self.next_at < until:
            self.settle(self.next_at, None, "")

    def settle(self, at: int, fact: CustomerFact | None, cause: str) -> None:
        """All that was given at the instant `at` is in. `fact`: what gave a signal then, None if nothing did;
        `cause`: the policy change in force that explains the contact.
        """
        policy = self.policies.at(at)
        if policy is not self.policy:
            self.policy = policy
            self.rule = next((rule for rule in policy.rules if rule.rule == RULE), _DEFAULT)
        rule = self.rule
        index, score = policy.risk_index, self.risk.score(at)
        if self.row is not None:
            if at >= self.row.raised_at + rule.cooldown_ms and score <= max(index.clear_at, 0.05):
                self._clear(self.row, at, score)
                self.ready_at = at + rule.cooldown_ms
            elif fact is not None:
                self._put(self._row(self.row.raised_at, "changed", at, policy, rule, fact, cause or self.row.cause))
        elif at >= self.ready_at and score >= index.raise_at:
            self._put(self._row(at, "raised", at, policy, rule, fact, cause))
        self._schedule(at, policy, rule)

    def _schedule(self, at: int, policy: Policy, rule: Rule) -> None:
        self.next_at = NEVER
        if self.row is not None:
            falls_at = self.risk.falls_to(policy.risk_index.clear_at, at)
            self.next_at = max(falls_at, self.row.raised_at + rule.cooldown_ms)
        elif self.ready_at > at and self.risk.score(self.ready_at) >= policy.risk_index.raise_at:
            self.next_at = self.ready_at

    def _put(self, row: WarningRow) -> None:
        self.row = row
        self.change_set.put(row)

    def _clear(self, row: WarningRow, at: int, score: float) -> None:
        measures = {**row.measures, "cleared_value": round(score, 1)}
        self.change_set.put(
            msgspec.structs.replace(row, state="cleared", cleared_at=at, cleared_by="decayed", measures=measures)
        )
        self.row, self.cleared_at = None, at

    def _row(
        self, raised_at: int, state: str, at: int, policy: Policy, rule: Rule, fact: CustomerFact | None, cause: str
    ) -> WarningRow:
        subject, index = f"customer/{self.customer_id}", policy.risk_index
        return WarningRow(
            warning_id=warning_id(RULE, subject, raised_at),
            rule=RULE,
            subject=subject,
            state=state,
            severity=rule.severity,
            raised_at=raised_at,
            cleared_at=None,
            cleared_by="",
            ticket_id="" if fact is None else fact.subject[1:] if fact.subject[0] == "t" else fact.about,
            metric="",
            cycle=0,
            elapsed_ms=0,
            target_ms=0,
            due_at=None,
            policy="",
            policy_version=policy.version,
            team=fact.team if fact is not None else "",
            channel="",
            priority="",
            kind="",
            segment="vip" if self.risk.vip else "",
            category=fact.category if fact is not None else "",
            product="",
            agent_id="",
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
