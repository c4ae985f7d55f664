"""What a ticket's clocks write: ledger rows, outcome facts and warnings, with the ticket's dimensions."""

from typing import TYPE_CHECKING, Any

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.output.warnings import raised
from streams.desk.policy.rules import RuleName
from streams.desk.policy.versions import Policies, Target
from streams.models.dimensions import Dimensions
from streams.models.rows import Cause, FactRow, LedgerRow, WarningRow

if TYPE_CHECKING:
    from streams.desk.tickets.sla_clock import Clock


class TicketLedger:
    """A ticket's id and dimensions as they stand, and the change_set that its rows go to."""

    __slots__ = (
        "agent_id",
        "change_set",
        "customer_id",
        "dims",
        "id",
        "parent_id",
        "past_dims",
        "policies",
        "signals",
        "url",
        "warnings",
    )

    def __init__(self, ticket_id: str, policies: Policies, change_set: ChangeSet) -> None:
        self.id, self.policies, self.change_set = ticket_id, policies, change_set
        self.dims: Dimensions = ("", "", "", "", "", "", "")
        self.agent_id = self.url = self.customer_id = self.parent_id = ""
        self.past_dims: list[tuple[int, Dimensions, str]] | None = None  # since the ticket was solved: see Ticket
        self.warnings: dict[str, WarningRow] | None = None  # about the ticket as a whole, those raised now, by rule
        self.signals: list[tuple[str, int, float]] | None = None  # of its customer's mood: see TicketSignals

    def signal(self, name: str, at: int, weight: float = 1.0) -> None:
        """Something happened that its customer will not have liked."""
        if self.signals is None:
            self.signals = []
        self.signals.append((name, at, weight))

    def dims_at(self, at: int) -> tuple[Dimensions, str]:
        """Dimensions and agent as they stood at the end of instant `at`, no earlier than the last solving."""
        for since, dims, agent_id in reversed(self.past_dims or ()):
            if since <= at:
                return dims, agent_id
        return self.dims, self.agent_id

    def write(self, clock: "Clock", transition: str, at: int, elapsed: int, cause: Cause) -> LedgerRow:
        """Write a row of the ledger."""
        clock.seq += 1
        target = clock.target
        assert target is not None
        dims, agent_id = (self.dims, self.agent_id) if self.past_dims is None else self.dims_at(at)
        team, channel, priority, kind, segment, category, product = dims
        row = LedgerRow(
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
            team,
            channel,
            priority,
            kind,
            segment,
            category,
            product,
            agent_id,
            cause[0],
            cause[1],
        )
        self.change_set.rows["ledger", self.id, clock.metric, clock.cycle, clock.seq] = row
        return row

    def restate_breach(self, clock: "Clock") -> None:
        """The dimensions changed at the instant of the breach: it has those after all events of that instant."""
        fact = clock.facts and clock.facts.get("breached")
        if clock.breach is None or not fact:
            return
        team, channel, priority, kind, segment, category, product = self.dims
        dims = {
            "team": team,
            "channel": channel,
            "priority": priority,
            "kind": kind,
            "segment": segment,
            "category": category,
            "product": product,
            "agent_id": self.agent_id,
        }
        clock.breach = msgspec.structs.replace(clock.breach, **dims, version=0)
        self.change_set.put(clock.breach)
        self.change_set.uncount(fact)
        counted = msgspec.structs.replace(fact, **dims, version=0, is_deleted=0)
        self.change_set.add(counted)
        clock.facts = {**(clock.facts or {}), "breached": counted}

    def fact(
        self, cause: Cause, counter: str, cycle: int, at: int, counts: dict[str, int], known_at: int | None = None
    ) -> FactRow:
        """Count something under the dimensions as they stood at `at`; `known_at`: if nobody could know before."""
        dims, agent_id = (self.dims, self.agent_id) if self.past_dims is None else self.dims_at(at)
        row = FactRow("ticket", self.id, cause[0], cause[1], counter, cycle, at, *dims, agent_id, "", "", counts)
        self.change_set.count(row, known_at)
        return row

    def outcome(
        self,
        clock: "Clock",
        slot: str,
        counter: str,
        counts: dict[str, int],
        at: int,
        cause: Cause,
        known_at: int | None = None,
    ) -> None:
        """Count a clock's outcome; `slot` ("breached" or "ended") is by what it can be taken back."""
        fact = self.fact(cause, counter, clock.cycle, at, counts, known_at)
        clock.facts = {**(clock.facts or {}), slot: fact}

    def take_back(self, clock: "Clock", slot: str) -> None:
        """Take a clock's outcome out of the counts."""
        if clock.facts and (fact := clock.facts.pop(slot, None)) is not None:
            self.change_set.uncount(fact)

    def exempt(self, clock: "Clock") -> None:
        """Count the clock's breach, if there is one, as exempted too."""
        fact = clock.facts and clock.facts.get("breached")
        if not fact:
            return
        self.change_set.uncount(fact)
        exempted = msgspec.structs.replace(
            fact, counts={**fact.counts, f"{clock.metric}_exempted": 1}, version=0, is_deleted=0
        )
        self.change_set.add(exempted)
        clock.facts = {**(clock.facts or {}), "breached": exempted}

    def raise_warning(self, clock: "Clock", rule: RuleName, at: int) -> None:
        """Warn of a clock, unless that warning stands already."""
        if clock.warnings is not None and rule in clock.warnings:
            return
        assert clock.target is not None
        row = self._warning(
            rule,
            f"{self.id}/{clock.metric}/{clock.cycle}",
            at,
            clock.target,
            metric=clock.metric,
            cycle=clock.cycle,
            elapsed_ms=clock.elapsed_at(at),
            target_ms=clock.target_ms,
            due_at=clock.due_at,
        )
        clock.warnings = {**(clock.warnings or {}), rule: row}

    def warn(self, rule: RuleName, at: int, target: Target | None = None, **fields: Any) -> None:
        """Warn of the ticket as a whole; if that warning stands already, say what has changed."""
        stands = None if self.warnings is None else self.warnings.get(rule)
        if stands is None:
            row = self._warning(rule, f"ticket/{self.id}", at, target, **fields)
        else:
            row = msgspec.structs.replace(stands, state="changed", version=0, **fields)
            self.change_set.put(row)
        self.warnings = {**(self.warnings or {}), rule: row}

    def _warning(self, rule: RuleName, subject: str, at: int, target: Target | None, **fields: Any) -> WarningRow:
        if target is not None:
            fields |= {"policy": target.sla, "policy_version": target.version}
        team, channel, priority, kind, segment, category, product = self.dims
        row = raised(
            rule,
            subject,
            at,
            self.policies.at(at),
            ticket_id=self.id,
            team=team,
            channel=channel,
            priority=priority,
            kind=kind,
            segment=segment,
            category=category,
            product=product,
            agent_id=self.agent_id,
            url=self.url,
            customer_id=self.customer_id,
            parent_id=self.parent_id,
            **fields,
        )
        self.change_set.put(row)
        self.change_set.urgent = True
        return row

    def clear(self, of: "Clock | TicketLedger", rule: RuleName, at: int, by: str) -> None:
        """The reason for a warning, of a clock or of the ticket as a whole, has gone, by `by`."""
        if of.warnings and (row := of.warnings.pop(rule, None)) is not None:
            self.change_set.put(msgspec.structs.replace(row, state="cleared", cleared_at=at, cleared_by=by, version=0))
