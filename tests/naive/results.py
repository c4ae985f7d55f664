"""What a folded ticket shows: its ledger, the outcomes of its clocks, and the facts that are counted."""

from tests.naive.clocks import Clock
from tests.naive.sla import Row, credited
from tests.naive.tickets import Fact, Ticket


def dims_at(ticket: Ticket, at: int) -> dict[str, str]:
    """The dimensions after all events up to and including an instant."""
    standing = ticket.standing(at)
    assert standing
    return standing.dims


def ledger(ticket: Ticket) -> list[Row]:
    """The ledger by metric, cycle and seq; a breach has the dimensions after all events up to its due time."""
    by_agent = {(clock.metric, clock.cycle): clock.breached_by_agent for clock in ticket.clocks}
    rows = [
        row | credited(dims_at(ticket, row["at"]), by_agent[row["metric"], row["cycle"]])
        if row["transition"] == "breached"
        else row
        for row in ticket.ledger
    ]
    return sorted(rows, key=lambda row: (row["metric"], row["cycle"], row["seq"]))


def breach_dims(ticket: Ticket, clock: Clock) -> dict[str, str]:
    """What a breach counts under: the dimensions after all events up to and including it."""
    assert clock.due_at is not None
    return credited(dims_at(ticket, clock.due_at), clock.breached_by_agent)


def agent_of(ticket: Ticket, clock: Clock) -> str:
    """For whom a cycle counts, as it stands: at its end, else at its breach, else the assignee of now.

    "`sla_outcomes` has `agent_id` (that one) and `ended_by`."
    """
    if clock.ended_at is not None:
        return clock.ended_dims["agent_id"]
    return (breach_dims(ticket, clock) if clock.breached else ticket.dims)["agent_id"]


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
            "agent_id": agent_of(ticket, clock),
            "ended_by": clock.ended_by_agent,
        }
        for clock in ticket.clocks
        if clock.terms
    ]


def standing_row(ticket: Ticket) -> Row:
    """A ticket as it stands. One touch: solved with no more than one public reply of an agent."""
    solving = ticket.solvings[-1] if ticket.done_at is not None and ticket.solvings else None
    return {
        "ticket_id": ticket.ticket_id,
        "created": ticket.created,
        "status": ticket.status,
        "merged_into": ticket.merged_into,
        "parent_id": ticket.parent_id,
        "customer_id": ticket.customer_id,
        "team": ticket.dims["team"],
        "agent_id": ticket.dims["agent_id"],
        "hops": ticket.hops,
        "solved_at": solving.at if solving else None,
        "solved_by": solving.by if solving else "",
        "one_touch": solving is not None and ticket.replies <= 1,
    }


def facts(ticket: Ticket) -> list[Fact]:
    """The counters of events, and those of the clocks as their outcomes stand: one taken back counts nothing."""
    found = list(ticket.facts)
    for clock in ticket.clocks:
        if clock.breached and clock.due_at is not None:
            found.append((clock.due_at, breach_dims(ticket, clock), f"{clock.metric}_breached", 1))
            if clock.exempted:
                found.append((clock.due_at, breach_dims(ticket, clock), f"{clock.metric}_exempted", 1))
        outcome = clock.outcome()
        if clock.ended_at is not None and outcome in ("met", "late", "cancelled"):
            found.append((clock.ended_at, clock.ended_dims, f"{clock.metric}_{outcome}", 1))
            if outcome != "cancelled":
                elapsed_ms = clock.elapsed_ms(clock.ended_at)
                found.append((clock.ended_at, clock.ended_dims, f"{clock.metric}_elapsed_ms", elapsed_ms))
    return found
