"""The naive fold of a whole log, and its sums by the minute."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.naive.calls import Call, read_call
from tests.naive.contacts import fcr_facts
from tests.naive.log import Event, by_subject, decode, without_repetitions
from tests.naive.policies import METRICS, Desk
from tests.naive.results import facts, ledger, outcomes
from tests.naive.signals import agents, inspections, promises, reviews
from tests.naive.surveys import survey_facts
from tests.naive.tickets import Fact, Ticket, fold_ticket
from tests.naive.warnings import ticket_warnings

MINUTE_MS = 60_000
Row = dict[str, Any]
Tables = dict[str, list[Row]]

TICKET_DIMENSIONS = ("team", "channel", "priority", "kind", "segment", "category", "product")
TICKET_COUNTERS = (
    *("created", "replied", "solved", "reopened", "closed", "transferred", "reassigned"),
    *("fcr_yes", "fcr_no", "fcr_provisional", "fcr_unknown"),
    *(f"{m}_{counter}" for m in METRICS for counter in ("met", "breached", "late", "cancelled", "exempted")),
    *(f"{m}_elapsed_ms" for m in METRICS),
)
CALL_DIMENSIONS = ("queue", "team", "segment")
CALL_COUNTERS = (
    *("offered", "abandoned_ivr", "answered", "answered_in_target", "abandoned", "abandoned_in_target"),
    *("short_abandoned", "lost", "wait_ms", "talk_ms", "hold_ms", "wrapup_ms", "ended", "transferred"),
)
SURVEY_DIMENSIONS = ("metric", "team", "channel", "segment", "agent_id")
SURVEY_COUNTERS = (
    *("offered", "responses", "very_positive", "positive", "neutral", "negative", "score_sum"),
    *("promoters", "passives", "detractors"),
)


def minutes(facts: Iterable[Fact], dimensions: Sequence[str], counters: Sequence[str]) -> list[Row]:
    """Sums of facts by minute and dimensions; a row of nothing but zeros is none."""
    sums: dict[tuple[Any, ...], Row] = {}
    for at, dims, counter, value in facts:
        key = (at - at % MINUTE_MS, *(dims[name] for name in dimensions))
        sums.setdefault(key, dict.fromkeys(counters, 0))[counter] += value
    rows = [dict(zip(("minute", *dimensions), key, strict=True)) | sums[key] for key in sorted(sums)]
    return [row for row in rows if any(row[counter] for counter in counters)]


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


def fold(events: Iterable[Row], policies: Sequence[Row], as_of: int | None = None) -> dict[str, list[Row]]:
    """What the rules make of a log: ledger, outcomes, callbacks, actions, agent_states, reviews, inspections,
    signal_warnings, ticket_minutes, call_minutes, survey_minutes, warnings.

    Args:
        events: CloudEvents objects, in any order, repeated or not. Those timed after `as_of` are left out.
        policies: versions of the policy as `tomllib` reads them, at least one.
        as_of: the instant up to which time has passed, in milliseconds; absent: the latest time in the log.

    """
    log = [decode(event) for event in events]
    as_of = max(event.time for event in log) if as_of is None else as_of
    log = [event for event in log if event.time <= as_of]
    desk = Desk(policies, without_repetitions(event for event in log if event.type == "desk.closed"))
    tickets = {key: fold_ticket(key, of_it, desk, as_of) for key, of_it in by_subject(log, "ticket").items()}
    calls = {key: read_call(of_it, desk) for key, of_it in by_subject(log, "call").items()}
    surveys = [event for of_it in by_subject(log, "survey").values() for event in of_it]
    ticket_facts = [fact for ticket in tickets.values() for fact in facts(ticket)]
    links = without_repetitions(event for event in log if event.type == "customer.linked")
    ticket_facts += fcr_facts(tickets.values(), calls, links, as_of)
    call_facts = [fact for call in calls.values() for fact in call.facts(as_of)]
    return {
        "ledger": [row for ticket in tickets.values() for row in ledger(ticket)],
        "outcomes": [row for ticket in tickets.values() for row in outcomes(ticket, as_of)],
        **signals(log, tickets, calls, desk, as_of),
        "warnings": [row for ticket in tickets.values() for row in ticket_warnings(ticket, desk, as_of)],
        "ticket_minutes": minutes(ticket_facts, TICKET_DIMENSIONS, TICKET_COUNTERS),
        "call_minutes": minutes(call_facts, CALL_DIMENSIONS, CALL_COUNTERS),
        "survey_minutes": minutes(survey_facts(surveys, desk, tickets, calls), SURVEY_DIMENSIONS, SURVEY_COUNTERS),
    }
