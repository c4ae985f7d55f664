"""The current customer fact of a ticket or call, and the signals of low survey answers."""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from streams.desk.calls.call import Call
from streams.desk.tickets.ticket import Ticket
from streams.desk.track.subject import SURVEY, State
from streams.models.customer_facts import CustomerFact, Signal, solved_of
from streams.models.entities import CallOutcome, CallRow, SurveyRow, TicketRow
from streams.models.rows import FactRow, Identity, Row


class NamedSignal(NamedTuple):
    """A signal of a survey answer or a score: its name, and the customer that it names."""

    subject: str
    customer_id: str | None
    signal: Signal


def customer_fact_of(name: str, state: State | None, signals: Sequence[Signal]) -> CustomerFact | None:
    """The fact of a ticket or call; None if it has no customer, or no content yet.

    `signals`: those of surveys and scores about it that name no customer.
    """
    if not isinstance(state, Ticket | Call) or not state.customer_id:
        return None
    fact = _of_ticket(name, state) if isinstance(state, Ticket) else _of_call(name, state)
    known_at, released_at = state.known_at, state.released_at
    fact.signals += [(signal, max(at, known_at), weight) for signal, at, weight in signals if at <= released_at]
    instants = _instants(fact)
    if not instants:
        return None
    fact.known_at, fact.held_until = max(known_at, min(instants)), released_at
    return fact


def _of_ticket(name: str, ticket: Ticket) -> CustomerFact:
    ledger, life = ticket.ledger, ticket.life
    known_at, solved = ticket.known_at, life.solved_fact
    signals: list[Signal] = [(signal, max(at, known_at), weight) for signal, at, weight in ledger.signals or ()]
    if (silent_at := ticket.silence.signal_at()) is not None:
        signals.append(("silence", max(silent_at, known_at), 1.0))
    return CustomerFact(
        ledger.customer_id,
        name,
        life.created_at,
        ledger.dims.category,
        "",
        life.is_open(),
        ledger.dims.team,
        ledger.url,
        list(ledger.tags),
        signals,
        None if solved is None else solved_of(solved, life.needed_more_than_one_contact()),
    )


def _of_call(name: str, call: Call) -> CustomerFact:
    at = call.created_at
    signals: list[Signal] = []
    if call.segment == "vip" and at is not None:
        signals.append(("vip", max(at, call.known_at), 1.0))
    if call.outcome == CallOutcome.ABANDONED and call.ended_at is not None:
        signals.append(("abandoned_call", max(call.ended_at, call.known_at), 1.0))
    return CustomerFact(call.customer_id, name, at, call.category, call.ticket_id, False, call.team, "", [], signals)


def _instants(fact: CustomerFact) -> list[int]:
    """The instants of everything in the fact; none: the fact has no content yet."""
    contact = [] if fact.contact_at is None else [fact.contact_at]
    solved = [] if fact.solved is None else [fact.solved.at]
    return contact + [at for _, at, _ in fact.signals] + solved


def named_subject(kind: str, name: str, source: str, event_id: str) -> str:
    """The subject of a fact of a score or answer of its own: its event's identity within the ticket or call `name`."""
    return f"{kind}{name}\0{source}\0{event_id}"


def low_surveys(name: str, rows: dict[Identity, Row] | None) -> list[NamedSignal]:
    """The signals of low survey answers; `rows`: of the surveys about the ticket or call `name`."""
    low = []
    for fact, row in pairwise((rows or {}).values()):  # the fact of an answer is followed by the row of its survey
        if not isinstance(fact, FactRow) or not isinstance(row, SurveyRow):
            continue
        if _is_low(fact):
            signal = ("low_survey", fact.at, 1.0)
            subject = named_subject(SURVEY, name, fact.cause_source, fact.cause_id)
            low.append(NamedSignal(subject, row.customer_id, signal))
    return sorted(low)


def _is_low(answer: FactRow) -> bool:
    return bool(answer.counts.get("negative") or answer.counts.get("detractors"))


def former_facts(name: str, rows: Collection[Row]) -> Iterator[tuple[str, str]]:
    """The customers and subjects of the facts that may have been published for these rows of a subject.

    By the rules 1, an answer that names its customer was told from others by its event's identity alone.
    """
    answers: dict[tuple[int | None, str], tuple[str, str]] = {}
    for row in rows:
        if isinstance(row, TicketRow | CallRow) and row.customer_id:
            yield row.customer_id, name
        elif isinstance(row, FactRow) and row.family == "survey" and _is_low(row):
            answers[row.at, row.metric] = row.cause_source, row.cause_id
    for row in rows:
        if isinstance(row, SurveyRow) and row.customer_id and (row.responded_at, row.metric) in answers:
            source, event_id = answers[row.responded_at, row.metric]
            yield row.customer_id, f"{SURVEY}{source}\0{event_id}"
            yield row.customer_id, named_subject(SURVEY, name, source, event_id)
