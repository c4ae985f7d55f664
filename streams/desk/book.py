"""What a ticket's clocks write: ledger rows, outcome facts and warnings, with the ticket's dimensions."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from streams.desk.sheet import Sheet
from streams.models.rows import FactRow, LedgerRow, WarningRow

if TYPE_CHECKING:
    from streams.desk.clock import Clock

Cause = tuple[str, str]  # source and id of an event
Passing: Cause = ("", "")  # the passing of time
Dimensions = tuple[str, str, str, str, str, str, str]  # team, channel, priority, kind, segment, category, product

SEVERITY = {"sla.at_risk": "warning", "sla.breached": "critical"}


def warning_id(rule: str, subject: str, raised_at: int) -> str:
    """The id of a warning: the same on every replay."""
    return blake2b(f"{rule}\n{subject}\n{raised_at}".encode(), digest_size=12).hexdigest()


class Book:
    """A ticket's id and dimensions as they stand, and the sheet that its rows go to."""

    __slots__ = ("agent_id", "dims", "id", "past_dims", "sheet", "signals", "url")

    def __init__(self, ticket_id: str, sheet: Sheet) -> None:
        self.id, self.sheet = ticket_id, sheet
        self.dims: Dimensions = ("", "", "", "", "", "", "")
        self.agent_id = self.url = ""
        self.past_dims: list[tuple[int, Dimensions, str]] | None = None  # since the ticket was solved: see Ticket
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

    def write(self, clock: "Clock", transition: str, at: int, elapsed: int, cause: Cause) -> None:
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
        self.sheet.rows["ledger", self.id, clock.metric, clock.cycle, clock.seq] = row

    def fact(
        self, cause: Cause, counter: str, cycle: int, at: int, counts: dict[str, int], known_at: int | None = None
    ) -> FactRow:
        """Count something under the dimensions as they stood at `at`; `known_at`: if nobody could know before."""
        dims, agent_id = (self.dims, self.agent_id) if self.past_dims is None else self.dims_at(at)
        row = FactRow("ticket", self.id, cause[0], cause[1], counter, cycle, at, *dims, agent_id, "", "", counts)
        self.sheet.count(row, known_at)
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
            self.sheet.uncount(fact)

    def exempt(self, clock: "Clock") -> None:
        """Count the clock's breach, if there is one, as exempted too."""
        fact = clock.facts and clock.facts.get("breached")
        if not fact:
            return
        self.sheet.uncount(fact)
        exempted = msgspec.structs.replace(
            fact, counts={**fact.counts, f"{clock.metric}_exempted": 1}, version=0, is_deleted=0
        )
        self.sheet.add(exempted)
        clock.facts = {**(clock.facts or {}), "breached": exempted}

    def raise_warning(self, clock: "Clock", rule: str, at: int) -> None:
        """Warn, unless that warning stands already."""
        if clock.warnings is not None and rule in clock.warnings:
            return
        assert clock.target is not None
        subject = f"{self.id}/{clock.metric}/{clock.cycle}"
        team, channel, priority, kind, segment, category, product = self.dims
        row = WarningRow(
            warning_id=warning_id(rule, subject, at),
            rule=rule,
            subject=subject,
            state="raised",
            severity=SEVERITY[rule],
            raised_at=at,
            cleared_at=None,
            cleared_by="",
            ticket_id=self.id,
            metric=clock.metric,
            cycle=clock.cycle,
            elapsed_ms=clock.elapsed_at(at),
            target_ms=clock.target_ms,
            due_at=clock.due_at,
            policy=clock.target.sla,
            policy_version=clock.target.version,
            team=team,
            channel=channel,
            priority=priority,
            kind=kind,
            segment=segment,
            category=category,
            product=product,
            agent_id=self.agent_id,
            url=self.url,
        )
        self.sheet.put(row)
        self.sheet.urgent = True
        clock.warnings = {**(clock.warnings or {}), rule: row}

    def clear(self, clock: "Clock", rule: str, at: int, by: str) -> None:
        """The reason for a warning has gone, by `by`."""
        if clock.warnings and (row := clock.warnings.pop(rule, None)) is not None:
            self.sheet.put(msgspec.structs.replace(row, state="cleared", cleared_at=at, cleared_by=by, version=0))


def tags_of(tags: Sequence[str] | None) -> tuple[str, ...]:
    """A ticket's tags as the policies match them."""
    return tuple(sorted(set(tags or ())))
