"""The warnings about a ticket as a whole: silence and transfers, reckoned from the stretches between its changes."""

from typing import Any

from tests.naive.policies import Desk
from tests.naive.tickets import DONE, Standing, Ticket

Row = dict[str, Any]


def ticket_warnings(ticket: Ticket, desk: Desk, as_of: int) -> list[Row]:
    """All warnings `ticket.silent` and `transfer.loop` of a folded ticket.

    Raised, cleared and raised again at one instant, it is one warning: its id says no more than rule, subject, instant.
    """
    found = [*silent(ticket, desk, as_of), *loops(ticket, desk)]
    return [row for _, row in sorted({(row["rule"], row["raised_at"]): row for row in found}.items())]


def silent(ticket: Ticket, desk: Desk, as_of: int) -> list[Row]:
    """Stretch by stretch: is the last public update, or the opening, longer ago than the silence allowed?

    changes      created     reply      priority           switch
    stretch      |-----------|----------|------------------|------->   in each: one allowance, one last update
    """
    found: list[Row] = []
    told_at: int | None = None
    allowed: tuple[Any, ...] | None = None
    stands = False
    changes: list[tuple[int, int, Standing | None]] = [(s.at, 1, s) for s in ticket.history]
    changes += [(at, 0, None) for at in desk.switches() if at <= as_of]
    changes.sort(key=lambda change: change[:2])
    now: Standing | None = None
    for n, (at, _, change) in enumerate(changes):
        before, now = now, change or now
        if now is None:
            continue
        owed = before is not None and before.owes_word()
        if not now.owes_word():
            if stands:
                found[-1] |= {"cleared_at": at, "cleared_by": "merged" if now.merged else now.status}
            told_at, allowed, stands = None, None, False
            continue
        if change and (not owed or change.told):
            if stands:
                found[-1] |= {"cleared_at": at, "cleared_by": "replied"}
                stands = False
            told_at = at
        assert told_at is not None
        policy = desk.in_force(at)
        terms = policy.silence(now.dims, now.tags)
        due = None if terms is None else policy.silent_at(terms, told_at)
        if terms != allowed and stands and (due is None or due > at):
            found[-1] |= {"cleared_at": at, "cleared_by": "retargeted"}
            stands = False
        allowed = terms
        until = changes[n + 1][0] if n + 1 < len(changes) else as_of
        if due is not None and not stands and (due < at or due < until):
            stands = True
            found.append(warning("ticket.silent", ticket, max(due, at)))
    return found


def loops(ticket: Ticket, desk: Desk) -> list[Row]:
    """While an open ticket has changed teams too often."""
    found: list[Row] = []
    stands = False
    for change in ticket.history:
        over = change.hops >= desk.in_force(change.at).transfers() and not change.merged and change.status not in DONE
        if over and not stands and (change.hopped or change.reopened):
            found.append(warning("transfer.loop", ticket, change.at))
            stands = True
        elif stands and (change.merged or change.status in DONE):
            found[-1] |= {"cleared_at": change.at, "cleared_by": "merged" if change.merged else change.status}
            stands = False
    return found


def warning(rule: str, ticket: Ticket, at: int) -> Row:
    """A warning as it is raised."""
    subject = f"ticket/{ticket.ticket_id}"
    return {"rule": rule, "subject": subject, "raised_at": at, "cleared_at": None, "cleared_by": ""}
