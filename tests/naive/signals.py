"""Callbacks, improvements, agents' states and reviews, each read off the list of its events."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.naive.log import Event, by_subject, in_effective_order
from tests.naive.policies import Desk
from tests.naive.surveys import Contact, released, standing_of

Row = dict[str, Any]
OPENINGS = {"callback": "callback.due", "action": "action.opened"}


def promises(events: Iterable[Event], family: str, desk: Desk, as_of: int) -> tuple[list[Row], list[Row]]:
    """The callbacks or actions as they stand, and the warnings that they are overdue.

    due_at known, and changed:   at1 ... due1        at2 ...... due2       overdue in [due, done or a later due)
    """
    rows: list[Row] = []
    warnings: list[Row] = []
    for id_, of_it in by_subject(events, family).items():
        timeline = in_effective_order(of_it)
        opening = next((event for event in timeline if event.type == OPENINGS[family]), None)
        done = next((event for event in timeline if event.type == f"{family}.done"), None)
        if done:  # it has ended: held for `hold` from then on
            timeline = [event for event in timeline if event.at <= done.at + desk.in_force(event.at).hold_ms]
        dues: list[tuple[int, int]] = []  # from when on, due when
        for event in timeline:
            if event is done:
                break
            if "due_at" in event.data:
                dues.append((event.at, event.data["due_at"]))
            elif event is opening and not dues and family == "callback":
                dues.append((event.at, event.at + desk.in_force(event.at).callback_ms()))
        end = done.at if done else as_of
        stands = False
        for n, (since, due) in enumerate(dues):
            until = dues[n + 1][0] if n + 1 < len(dues) else end
            if stands and due > since:
                warnings[-1] |= {"cleared_at": since, "cleared_by": "rescheduled"}
                stands = False
            if not stands and (due < since or due < until):
                row = {"rule": f"{family}.overdue", "subject": f"{family}/{id_}", "raised_at": max(due, since)}
                warnings.append(row | {"cleared_at": None, "cleared_by": ""})
                stands = True
        if stands and done:
            warnings[-1] |= {"cleared_at": done.at, "cleared_by": "done"}
        row = {
            f"{family}_id": id_,
            "status": "done" if done else "overdue" if stands else "open",
            "opened_at": opening.at if opening else None,
            "due_at": dues[-1][1] if dues else None,
            "done_at": done.at if done else None,
        }
        if family == "callback":
            row["reschedulings"] = max(0, len(dues) - 1)
            for name in ("reached", "recorded"):
                said = [event.data[name] for event in timeline if name in event.data]
                row[name] = int(any(said)) if said else None
        rows.append(row)
    # Raised again at the very instant: the same warning, which then stands as it was raised last.
    return rows, list({(row["subject"], row["raised_at"]): row for row in warnings}.values())


def agents(events: Iterable[Event], desk: Desk, as_of: int) -> tuple[list[Row], list[Row]]:
    """The spans of all agents, and the warnings that a state lasts too long."""
    spans: list[Row] = []
    warnings: list[Row] = []
    for id_, of_it in by_subject(events, "agent").items():
        told: list[tuple[int, str, str]] = []
        for event in of_it:
            team = event.data.get("team", told[-1][2] if told else "")
            told.append((event.time, event.data["state"], team))
        changes = [each for n, each in enumerate(told) if n == 0 or each[1:] != told[n - 1][1:]]
        for n, (at, state, team) in enumerate(changes):
            to = changes[n + 1][0] if n + 1 < len(changes) else None
            if to != at:
                spans.append({"agent_id": id_, "state": state, "team": team, "from_at": at, "to_at": to})
        states = [each for n, each in enumerate(told) if n == 0 or each[1] != told[n - 1][1]]
        for n, (at, state, _) in enumerate(states):
            limit = desk.in_force(at).limit_ms(state)
            end = states[n + 1] if n + 1 < len(states) else None
            if limit is not None and at + limit < (end[0] if end else as_of):
                row = {"rule": "agent.overbreak", "subject": f"agent/{id_}", "raised_at": at + limit}
                warnings.append(row | {"cleared_at": end[0] if end else None, "cleared_by": end[1] if end else ""})
    return spans, warnings


def inspections(events: Iterable[Event], tickets: Mapping[str, Any], desk: Desk) -> list[Row]:
    """What the rule about inspections counts: of each ticket the first solving and the first review, under its team."""
    rows = []
    for ticket in tickets.values():
        solved = [fact for fact in ticket.facts if fact[2] == "solved"]
        rows += [{"at": at, "team": dims["team"], "what": "solved"} for at, dims, _, _ in solved[:1]]
    by_ticket: dict[str, list[Event]] = {}
    for event in events:
        if event.type == "review.completed" and event.data.get("ticket_id"):
            by_ticket.setdefault(event.data["ticket_id"], []).append(event)
    for of_it in by_ticket.values():
        for event in sorted(of_it, key=Event.order):
            standing = standing_of(event, tickets, {})
            if not released(event, standing, desk):
                rows.append({"at": event.time, "team": standing.dims["team"] if standing else "", "what": "reviewed"})
                break
    return rows


def reviews(
    events: Iterable[Event], tickets: Mapping[str, Contact], calls: Mapping[str, Contact], desk: Desk
) -> list[Row]:
    """Of each review of a subject the latest, under the team and agent it names, else those of its ticket or call."""
    latest: dict[tuple[str, str], Event] = {}
    for whom, of_it in by_subject(events, "review").items():
        for event in of_it:
            if not released(event, standing_of(event, tickets, calls), desk):
                latest[whom, event.data["review_id"]] = event
    rows = []
    for (whom, review_id), event in sorted(latest.items()):
        standing = standing_of(event, tickets, calls)
        known = standing.dims if standing else {}
        rows.append(
            {
                "subject": whom,
                "review_id": review_id,
                "at": event.time,
                "passed": int(event.data["passed"]),
                "team": event.data.get("team", known.get("team", "")),
                "agent_id": event.data.get("agent_id", known.get("agent_id", "")),
            }
        )
    return rows
