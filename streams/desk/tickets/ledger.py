"""A ticket's ledger: writes the rows of its clocks, its facts and its warnings, with its properties as they stand.

clock ──transition──> ledger row       dimensions after the event (a breach: after all events of its instant)
clock ──outcome─────> fact             under (metric, cycle, slot), so that it can be taken back
rule  ──raise/clear─> warning          under (metric, cycle, rule): none stands twice
"""

from typing import Any

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.output.warnings import cleared, warning_id
from streams.desk.policy.rules import RuleName
from streams.desk.policy.sla_targets import Target
from streams.desk.policy.versions import Policies, Policy
from streams.desk.tickets.sla_clock import SlaClock, Slot
from streams.models.dimensions import Dimensions, Tags
from streams.models.rows import Cause, FactRow, LedgerRow, WarningRow, WarningState, fact_of, ledger_row

NO_DIMENSIONS = Dimensions()
PastDimensions = list[tuple[int, Dimensions, str]]
"""Dimensions and agent, with the instants they hold from."""


class TicketLedger:
    """A ticket's properties, and the change set that its rows go to. Implements `sla_clock.ClockLedger`."""

    __slots__ = (
        "_breaches",
        "_outcomes",
        "_warnings",
        "acting_agent",
        "agent_id",
        "change_set",
        "customer_id",
        "dims",
        "id",
        "parent_id",
        "past_dims",
        "policies",
        "signals",
        "tags",
        "url",
    )

    def __init__(self, ticket_id: str, policies: Policies, change_set: ChangeSet) -> None:
        self.id, self.policies, self.change_set = ticket_id, policies, change_set
        self.dims, self.tags = NO_DIMENSIONS, Tags()
        self.agent_id = self.url = self.customer_id = self.parent_id = ""
        self.acting_agent = ""  # whom the event being folded names
        self.past_dims: PastDimensions | None = None
        """Those since the ticket was solved; None: it is not solved."""
        self.signals: list[tuple[str, int, float]] | None = None
        """The log of risk signals: name, instant, weight. Nothing is taken back from it."""
        self._outcomes: dict[tuple[str, int, Slot], FactRow] | None = None
        self._breaches: dict[tuple[str, int], LedgerRow] | None = None
        self._warnings: dict[tuple[str, int, str], WarningRow] | None = None  # a ticket's own: metric "", cycle 0

    def target(self, metric: str, policy: Policy) -> Target | None:
        """The target of a metric for the ticket as it stands."""
        return policy.target(metric, self.dims, self.tags)

    def dims_at(self, at: int) -> tuple[Dimensions, str]:
        """Dimensions and agent at the end of instant `at`, no earlier than the last solving."""
        for since, dims, agent_id in reversed(self.past_dims or ()):
            if since <= at:
                return dims, agent_id
        return self.dims, self.agent_id

    def signal(self, name: str, at: int, weight: float = 1.0) -> None:
        """Record a risk signal for the ticket's customer."""
        if self.signals is None:
            self.signals = []
        self.signals.append((name, at, weight))

    # Ledger rows

    def write(self, clock: SlaClock, transition: str, at: int, elapsed: int, cause: Cause) -> None:
        """Write a transition of a clock."""
        target = clock.target
        assert target is not None
        dims, agent_id = (self.dims, self.agent_id) if self.past_dims is None else self.dims_at(at)
        agent_id = agent_id or self.acting_agent
        row = ledger_row(
            self.id,
            clock.metric,
            clock.cycle,
            clock.seq,
            transition,
            at,
            clock.started_at,
            elapsed,
            clock.target_ms,
            clock.due_at,
            target.sla,
            target.version,
            "24x7" if target.duration.unit == "cd" else target.calendar_name,
            dims,
            agent_id,
            cause,
            self.acting_agent,
        )
        self.change_set.rows["ledger", self.id, clock.metric, clock.cycle, clock.seq] = row
        if transition == "breached":
            self._breaches = {**(self._breaches or {}), (clock.metric, clock.cycle): row}

    def correct_breach(self, clock: SlaClock) -> None:
        """Rewrite a breach: the dimensions changed at its instant, and it has those after all events of that instant.

        instant    breach ─ team B ─ team C        the breach is counted under C
        """
        key = (clock.metric, clock.cycle)
        breach = self._breaches and self._breaches.get(key)
        fact = self._outcomes and self._outcomes.get((*key, "breached"))
        if not breach or not fact:
            return
        dims = {**self.dims._asdict(), "agent_id": self.agent_id or breach.by_agent}
        breach = msgspec.structs.replace(breach, **dims, version=0)
        self._breaches = {**(self._breaches or {}), key: breach}
        self.change_set.put(breach)
        self._replace(clock, "breached", fact, **dims)

    # Facts

    def fact(
        self,
        cause: Cause,
        counter: str,
        cycle: int,
        at: int,
        counts: dict[str, int],
        known_at: int | None = None,
        agent_id: str = "",
    ) -> FactRow:
        """Count something under the dimensions as they stood at `at`; `known_at`: the first instant it was known.

        `agent_id`: for whom it counts; else for the assignee.
        """
        dims, assignee = (self.dims, self.agent_id) if self.past_dims is None else self.dims_at(at)
        agent_id = agent_id or assignee
        row = fact_of("ticket", self.id, cause, counter, at, dims, agent_id, counts, cycle)
        self.change_set.count(row, known_at)
        return row

    def count_outcome(
        self, clock: SlaClock, slot: Slot, counts: dict[str, int], at: int, cause: Cause, known_at: int | None = None
    ) -> None:
        """Count a clock's outcome, named by the first of `counts`; `slot`: what it can be taken back by.

        It counts for the assignee, or, unassigned, for the agent whom the event names.
        """
        assignee = self.agent_id if self.past_dims is None else self.dims_at(at)[1]
        agent_id = assignee or self.acting_agent
        fact = self.fact(cause, next(iter(counts)), clock.cycle, at, counts, known_at, agent_id)
        if self._outcomes is None:
            self._outcomes = {}
        self._outcomes[clock.metric, clock.cycle, slot] = fact

    def take_back(self, clock: SlaClock, slot: Slot) -> None:
        """Take a clock's outcome out of the counts."""
        if self._outcomes and (fact := self._outcomes.pop((clock.metric, clock.cycle, slot), None)) is not None:
            self.change_set.uncount(fact)

    def count_exemption(self, clock: SlaClock) -> None:
        """Count the clock's breach, if there is one, as exempted too."""
        fact = self._outcomes and self._outcomes.get((clock.metric, clock.cycle, "breached"))
        if fact:
            self._replace(clock, "breached", fact, counts={**fact.counts, f"{clock.metric}_exempted": 1})

    def _replace(self, clock: SlaClock, slot: Slot, fact: FactRow, **fields: Any) -> None:
        self.change_set.uncount(fact)
        counted = msgspec.structs.replace(fact, **fields, version=0, is_deleted=0)
        self.change_set.add(counted)
        assert self._outcomes is not None
        self._outcomes[clock.metric, clock.cycle, slot] = counted

    # Warnings

    def raise_warning(self, clock: SlaClock, rule: RuleName, at: int) -> None:
        """Warn of a clock, unless that warning stands already."""
        key = (clock.metric, clock.cycle, rule)
        if self._warnings is not None and key in self._warnings:
            return
        self._raise(
            key,
            f"{self.id}/{clock.metric}/{clock.cycle}",
            at,
            clock.target,
            metric=clock.metric,
            cycle=clock.cycle,
            elapsed_ms=clock.elapsed_at(at),
            target_ms=clock.target_ms,
            due_at=clock.due_at,
        )

    def warn(self, rule: RuleName, at: int, target: Target | None = None, **fields: Any) -> None:
        """Warn of the ticket as a whole; if that warning stands already, say what has changed."""
        key = ("", 0, rule)
        standing = self._warnings and self._warnings.get(key)
        if not standing:
            self._raise(key, f"ticket/{self.id}", at, target, **fields)
            return
        row = msgspec.structs.replace(standing, state=WarningState.CHANGED, version=0, **fields)
        self.change_set.put_warning(row)
        self._warnings = {**(self._warnings or {}), key: row}

    def _raise(
        self, key: tuple[str, int, RuleName], subject: str, at: int, target: Target | None, **fields: Any
    ) -> None:
        rule, under, dims = key[2], self.policies.at(at), self.dims
        row = WarningRow(  # not by new_warning: 20 columns passed on as keywords cost 3 % of an event
            warning_id=warning_id(rule, subject, at),
            rule=rule,
            subject=subject,
            state=WarningState.RAISED,
            severity=under.severities[rule],
            raised_at=at,
            policy="" if target is None else target.sla,
            policy_version=under.version if target is None else target.version,
            ticket_id=self.id,
            agent_id=self.agent_id,
            url=self.url,
            customer_id=self.customer_id,
            parent_id=self.parent_id,
            team=dims.team,
            channel=dims.channel,
            priority=dims.priority,
            kind=dims.kind,
            segment=dims.segment,
            category=dims.category,
            product=dims.product,
            **fields,
        )
        self.change_set.put_warning(row)
        self.change_set.urgent = True
        self._warnings = {**(self._warnings or {}), key: row}

    def link(self, parent_id: str, at: int) -> None:
        """Put the ticket under another parent ("": none); its standing warnings move to that one's incidents."""
        if parent_id == self.parent_id:
            return
        former, self.parent_id = self.parent_id, parent_id
        standing, self._warnings = self._warnings or {}, {}
        for key, row in standing.items():
            parents = (*(row.parents or [(row.raised_at, former)]), (at, parent_id))
            state = WarningState.CHANGED
            moved = msgspec.structs.replace(row, state=state, parent_id=parent_id, parents=parents, version=0)
            self.change_set.put_warning(moved)
            self.change_set.urgent = True
            self._warnings[key] = moved

    def warns(self, rule: RuleName) -> bool:
        """Whether a warning of the ticket as a whole stands."""
        return self._warnings is not None and ("", 0, rule) in self._warnings

    def clear(self, rule: RuleName, at: int, by: str) -> None:
        """Clear a warning of the ticket as a whole; `by` is the reason."""
        self._clear(("", 0, rule), at, by)

    def clear_warning(self, clock: SlaClock, rule: RuleName, at: int, by: str) -> None:
        """Clear a warning of a clock; `by` is the reason."""
        if self._warnings:
            self._clear((clock.metric, clock.cycle, rule), at, by)

    def _clear(self, key: tuple[str, int, str], at: int, by: str) -> None:
        if self._warnings and (row := self._warnings.pop(key, None)) is not None:
            self.change_set.put_warning(cleared(row, at, by))
