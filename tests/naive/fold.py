"""The naive fold of a whole log, and its sums by the minute, hour and day."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests.naive import call_facts
from tests.naive.calls import Call, read_call
from tests.naive.contacts import contact_facts, fcr_facts
from tests.naive.intervals import by_interval
from tests.naive.log import Event, by_subject, read, without_repetitions
from tests.naive.policies import METRICS, Desk
from tests.naive.results import facts, ledger, outcomes, standing_row
from tests.naive.service import service_levels
from tests.naive.signals import agents, inspections, promises, reviews
from tests.naive.surveys import survey_facts
from tests.naive.tickets import Ticket, fold_ticket
from tests.naive.warnings import ticket_warnings

Row = dict[str, Any]
Tables = dict[str, list[Row]]

TICKET_DIMENSIONS = ("team", "channel", "priority", "kind", "segment", "category", "product", "agent_id")
TICKET_COUNTERS = (
    *("created", "replied", "solved", "reopened", "closed", "transferred", "reassigned"),
    *("fcr_yes", "fcr_no", "fcr_provisional", "fcr_unknown"),
    *(f"{m}_{counter}" for m in METRICS for counter in ("met", "breached", "late", "cancelled", "exempted")),
    *(f"{m}_elapsed_ms" for m in METRICS),
)
CALL_DIMENSIONS = ("queue", "team", "segment")
CALL_COUNTERS = (
    *("offered", "abandoned_ivr", "answered", "answered_in_target", "abandoned", "abandoned_in_target"),
    *("short_abandoned", "lost", "wait_ms", "talk_ms", "hold_ms", "wrapup_ms", "legs", "ended", "transferred"),
)
SURVEY_DIMENSIONS = ("metric", "team", "channel", "segment", "agent_id")
SURVEY_COUNTERS = (
    *("offered", "responses", "very_positive", "positive", "neutral", "negative", "score_sum"),
    *("promoters", "passives", "detractors"),
)


def signals(log: list[Event], tickets: dict[str, Ticket], calls: dict[str, Call], desk: Desk, as_of: int) -> Tables:
    """What is neither ticket, call nor survey."""
    callbacks, late = promises(log, "callback", desk, as_of)
    actions, later = promises(log, "action", desk, as_of)
    spans, breaks = agents(log, desk, as_of)
    return {
        "callbacks": callbacks,
        "actions": actions,
        "agent_states": spans,
        "reviews": reviews(log, tickets, calls, desk),
        "inspections": inspections(log, tickets, desk),
        "signal_warnings": late + later + breaks,
    }


def call_tables(calls: dict[str, Call], as_of: int) -> Tables:
    """The calls and their legs as they stand, and where they waited."""
    return {
        "calls": [{"call_id": key, **call_facts.standing_row(call, as_of)} for key, call in calls.items()],
        "call_legs": [{"call_id": key, **row} for key, call in calls.items() for row in call_facts.leg_rows(call)],
        "call_waits": [
            {"call_id": key, **row} for key, call in calls.items() for row in call_facts.wait_rows(call, as_of)
        ],
    }


def quality(
    counts: dict[str, Counter[str]],
    dead: int,
    unknown: int,
    tickets: dict[str, Ticket],
    calls: dict[str, Call],
    desk: Desk,
) -> list[Row]:
    """What `data_quality` counts, by topic (empty: what may come in any one), as far as arrival does not matter.

    "A ticket whose `ticket.created` was never seen […] is counted (`orphans`)". Reading: a call never offered too.
    """
    rows = [{"topic": topic, "orphans": 0, **counts[topic]} for topic in sorted(counts)]
    for row in rows:
        if row["topic"] == "tickets":
            row["orphans"] = sum(not ticket.created for ticket in tickets.values())
        if row["topic"] == "calls":
            row["orphans"] = sum(call.offered() is None for call in calls.values())
    whole = {"dead_letters": dead, "unknown_types": unknown, "unknown_closures": desk.unknown_closures}
    return [*rows, {"topic": "all", **whole}]


def fold(log: Iterable[Row | bytes], policies: Sequence[Row], as_of: int | None = None) -> dict[str, list[Row]]:
    """What the rules make of a log: each view as a list of rows.

    Args:
        log: CloudEvents lines or objects, in any order, repeated or not. Those timed after `as_of` are left out.
        policies: versions of the policy as `tomllib` reads them, at least one.
        as_of: the instant up to which time has passed, in milliseconds; absent: the latest time of an event.

    """
    come, dead, unknown = read(log)
    as_of = max((event.time for event in come), default=0) if as_of is None else as_of
    events, counts = without_repetitions(event for event in come if event.time <= as_of)
    desk = Desk(policies, events)
    tickets = {key: fold_ticket(key, of_it, desk, as_of) for key, of_it in by_subject(events, "ticket").items()}
    calls = {key: read_call(of_it, desk) for key, of_it in by_subject(events, "call").items()}
    surveys = [event for of_it in by_subject(events, "survey").values() for event in of_it]
    ticket_facts = [fact for ticket in tickets.values() for fact in facts(ticket)]
    ticket_facts += fcr_facts(tickets.values(), calls, events, as_of)
    of_calls = [fact for call in calls.values() for fact in call_facts.call_facts(call, as_of)]
    contacts = contact_facts(tickets.values(), calls)
    return {
        "ledger": [row for ticket in tickets.values() for row in ledger(ticket)],
        "outcomes": [row for ticket in tickets.values() for row in outcomes(ticket, as_of)],
        "tickets": [standing_row(ticket) for ticket in tickets.values()],
        **call_tables(calls, as_of),
        **signals(events, tickets, calls, desk, as_of),
        "warnings": [row for ticket in tickets.values() for row in ticket_warnings(ticket, desk, as_of)],
        "ticket_minutes": by_interval(ticket_facts, "minute", desk, TICKET_DIMENSIONS, TICKET_COUNTERS),
        "ticket_days": by_interval(ticket_facts, "day", desk, ("team",), TICKET_COUNTERS),
        "call_minutes": by_interval(of_calls, "minute", desk, CALL_DIMENSIONS, CALL_COUNTERS),
        "service_levels": service_levels(of_calls, desk),
        "contact_reasons": by_interval(contacts, "day", desk, ("category",), ("contacts", "complaints")),
        "survey_minutes": by_interval(
            survey_facts(surveys, desk, tickets, calls), "minute", desk, SURVEY_DIMENSIONS, SURVEY_COUNTERS
        ),
        "data_quality": quality(counts, dead, unknown, tickets, calls, desk),
    }
