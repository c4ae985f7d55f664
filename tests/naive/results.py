"""What a folded ticket shows: its ledger, the outcomes of its clocks, and the facts that are counted."""

from tests.naive.sla import Row
from tests.naive.tickets import Fact, Ticket


def dims_at(ticket: Ticket, at: int) -> dict[str, str]:
    """The dimensions after all events up to and including an instant."""
    standing = ticket.standing(at)
    assert standing
    return standing.dims


def ledger(ticket: Ticket) -> list[Row]:
    """The ledger by metric, cycle and seq; a breach has the dimensions after all events up to its due time."""
    rows = [row | dims_at(ticket, row["at"]) if row["transition"] == "breached" else row for row in ticket.ledger]
    return sorted(rows, key=lambda row: (row["metric"], row["cycle"], row["seq"]))


def outcomes(ticket: Ticket, as_of: int) -> list[Row]:
    """The standing of each clock cycle that an SLA ever matched."""
    return [
        {
            "ticket_id": ticket.ticket_id,
            "metric": clock.metric,
            "cycle": clock.cycle,
            "outcome": clock.outcome(),
            "exempted": clock.exempted,
            "started_at": clock.started_at,
            "due_at": clock.due_at,
            "ended_at": clock.ended_at,
            "elapsed_ms": clock.elapsed_ms(as_of),
            "target_ms": clock.target_ms(),
        }
        for clock in ticket.clocks
        if clock.terms
    ]


def facts(ticket: Ticket) -> list[Fact]:
    """The counters of events, and those of the clocks as their outcomes stand: one taken back counts nothing."""
    found = list(ticket.facts)
    for clock in ticket.clocks:
        if clock.breached and clock.due_at is not None:
            found.append((clock.due_at, dims_at(ticket, clock.due_at), f"{clock.metric}_breached", 1))
            if clock.exempted:
                found.append((clock.due_at, dims_at(ticket, clock.due_at), f"{clock.metric}_exempted", 1))
        outcome = clock.outcome()
        if clock.ended_at is not None and outcome in ("met", "late", "cancelled"):
            found.append((clock.ended_at, clock.ended_dims, f"{clock.metric}_{outcome}", 1))
            if outcome != "cancelled":
                elapsed_ms = clock.elapsed_ms(clock.ended_at)
                found.append((clock.ended_at, clock.ended_dims, f"{clock.metric}_elapsed_ms", elapsed_ms))
    return found
