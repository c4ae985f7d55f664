"""What a partition of the desk tells the stage `customers`: per ticket or call a snapshot, when it has changed.

    ticket t17 ──────────────────┐
    its surveys, its scores ─────┼──> fact (customer c9, t17) ──> customer-facts, the partition of c9
    a score that names c9 itself ┴──> fact (customer c9, n…)

A snapshot that is as the last one is not told again. The customer may become known late, or turn out to be another one:
then the subject is taken from the one and given to the other. What happened before the customer was known counts as a
signal from that instant on; contacts keep their own instant.
"""

from collections.abc import Callable
from itertools import pairwise

import msgspec

from streams.desk.calls import Call
from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.tickets.ticket import Ticket
from streams.desk.track.reference_events import ReferenceEvents
from streams.desk.track.subject import SURVEY, TICKET, Subject
from streams.desk.track.subjects import Subjects
from streams.models import customer_facts as models
from streams.models import messages
from streams.models.customer_facts import CustomerFact, CustomerLink, PolicyChange, Signal, Solved
from streams.models.entities import SurveyRow
from streams.models.records import Output
from streams.models.rows import FactRow, Identity, ProgressRow, Row
from streams.models.topics import CUSTOMER_FACTS

SCORE = "n"  # first letter of the subject of a score that stands alone
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[CustomerFact]).decode
NOTHING = _encode([])


class CustomerFacts:
    """What was told of each subject, and what is to be told at the next checkpoint."""

    def __init__(self, subjects: Subjects, notes: ReferenceEvents, homes: CustomerPartitioner) -> None:
        self.subjects, self.notes, self.homes = subjects, notes, homes
        self.told: dict[str, bytes] = {}  # of whom no subject is held (else: `Subject.told`), by name, encoded
        self.waiting: dict[tuple[str, str], CustomerFact] = {}

    def gather(self) -> None:
        """Look at all subjects that were touched since the last time."""
        for name in {_name(subject) for subject in self.subjects.touched} | self.notes.touched:
            self._look(name)
        self.notes.touched.clear()

    def release(self, subject: Subject) -> None:
        """The subject is about to be released: what is told of it now stands for good."""
        self._let_go(_name(subject), lambda fact: fact.subject[0] == SCORE)

    def release_scores(self, name: str) -> None:
        """The scores about a subject are about to be forgotten: what is told of them now stands for good."""
        self._let_go(name, lambda fact: fact.subject[0] != SCORE)

    def _let_go(self, name: str, stays: Callable[[CustomerFact], bool]) -> None:
        self._look(name)
        left = [fact for fact in _decode(self._told(name)) if stays(fact)]
        if (subject := self._subject(name)) is not None:
            subject.told = NOTHING
        self.told.pop(name, None)
        if left:
            self.told[name] = _encode(left)

    def restored(self) -> None:
        """All is as the last checkpoint left it, so what is to be told was told."""
        for name in {_name(subject) for subject in self.subjects.held.all()} | self.notes.sentiment_scores.keys():
            if facts := self._facts(name):
                self._tell(name, _encode(list(facts.values())))

    def _subject(self, name: str) -> Subject | None:
        """The subject of that name, which keeps what was told of it: most tickets and calls, and nobody else."""
        return None if name[0] == SURVEY else self.subjects.held.get(name)

    def _told(self, name: str) -> bytes:
        subject = self._subject(name)
        if subject is None:
            return self.told.get(name, NOTHING)
        if not subject.told:  # it is held since a moment ago
            subject.told = self.told.pop(name, NOTHING)
        return subject.told

    def _tell(self, name: str, told: bytes) -> None:
        subject = self._subject(name)
        if subject is None:
            self.told[name] = told
        else:
            subject.told = told

    def _look(self, name: str) -> None:
        before, facts = self._told(name), self._facts(name)
        after = _encode(list(facts.values()))
        if after == before:
            return
        told = {fact.subject: fact for fact in _decode(before)}
        for subject, fact in told.items():
            if subject not in facts or facts[subject].customer_id != fact.customer_id:
                self.waiting[fact.customer_id, subject] = CustomerFact(fact.customer_id, subject, is_deleted=1)
        for subject, fact in facts.items():
            if told.get(subject) != fact:
                self.waiting[fact.customer_id, subject] = fact
        self._tell(name, after)

    def outputs(self, partition: int, version: int, as_of: int) -> list[Output]:
        """The messages of one checkpoint: to each partition what is for it, and behind it how far this one is."""
        made: list[Output] = []
        by_home: dict[int, list[CustomerFact]] = {}
        for fact in self.waiting.values():
            to = by_home.setdefault(self.homes.of(fact.customer_id), [])
            to.append(msgspec.structs.replace(fact, version=version))  # told has none, to equal what is told next
        event_id = f"{partition}/{version}"
        for home, rows in by_home.items():
            made += messages.batches(CUSTOMER_FACTS, models.FACTS, f"{event_id}/{home}/facts", rows, partition=home)
        links = [row for row in self.notes.fresh if isinstance(row, CustomerLink)]
        changes = [row for row in self.notes.fresh if isinstance(row, PolicyChange)]
        for fresh in self.notes.fresh:
            fresh.version = version
        if changes:  # every partition of the desk hears of them, so each tells its own
            made += messages.batches(
                CUSTOMER_FACTS, models.CHANGES, f"{event_id}/changes", changes, partition=partition
            )
        row = ProgressRow(CUSTOMER_FACTS, partition, as_of, {str(partition): version}, version)
        for home in range(self.homes.partitions):
            if links:  # links are few: everybody hears of all of them, and knows who is one person
                made += messages.batches(
                    CUSTOMER_FACTS, models.LINKS, f"{event_id}/{home}/links", links, partition=home
                )
            made.append(messages.progress(CUSTOMER_FACTS, row, home))
        self.waiting, self.notes.fresh = {}, []
        return made

    def _facts(self, name: str) -> dict[str, CustomerFact]:
        """What there is to tell now about a ticket, a call, or who is neither, by subject."""
        subject = self.subjects.held.get(name)
        state = None if subject is None else subject.state
        surveys = self.subjects.surveys.rows.get(name)
        facts: dict[str, CustomerFact] = {}
        given: list[Signal] = []  # by who names no customer
        if surveys or name in self.notes.sentiment_scores:
            given = self._alone(name, surveys, facts)
        if isinstance(state, Ticket | Call) and state.customer_id:
            fact = _of_ticket(name, state) if isinstance(state, Ticket) else _of_call(name, state)
            known_at, released_at = state.known_at, state.released_at
            fact.signals += [(signal, max(at, known_at), weight) for signal, at, weight in given if at <= released_at]
            if instants := _instants(fact):
                fact.known_at, fact.held_until = max(known_at, min(instants)), released_at
                facts[name] = fact
        return facts

    def _alone(self, name: str, surveys: dict[Identity, Row] | None, facts: dict[str, CustomerFact]) -> list[Signal]:
        """Add the scores and answers about `name` that name their customer; returns the signals of the others.

        They are facts of their own: whose they are does not depend on when the ticket's customer becomes known.
        """
        ticket_id, others = name[1:] if name[0] == TICKET else "", []
        found = [
            (f"{SCORE}{mood.source}\0{mood.id}", mood.data.customer_id, signal)
            for mood, signal in self.notes.signals(name)
        ]
        for subject, customer_id, signal in found + _low_surveys(surveys):
            if customer_id:
                facts[subject] = CustomerFact(
                    customer_id, subject, about=ticket_id, signals=[signal], known_at=signal[1]
                )
            else:
                others.append(signal)
        return others


def _name(subject: Subject) -> str:
    """A ticket or call by kind and id; surveys go by whom they are about."""
    return subject.id if subject.kind == SURVEY else subject.name


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
        None if solved is None else _solved(solved, bool(ticket.transfers.count or life.reopenings)),
    )


def _solved(fact: FactRow, again: bool) -> Solved:
    return Solved(
        fact.at, again, fact.team, fact.channel, fact.priority, fact.kind, fact.segment, fact.category, fact.product,
        fact.agent_id,
    )  # fmt: skip


def _of_call(name: str, call: Call) -> CustomerFact:
    at = call.created_at
    signals: list[Signal] = []
    if call.segment == "vip" and at is not None:
        signals.append(("vip", max(at, call.known_at), 1.0))
    if call.outcome == "abandoned" and call.ended_at is not None:
        signals.append(("abandoned_call", max(call.ended_at, call.known_at), 1.0))
    return CustomerFact(call.customer_id, name, at, call.category, call.ticket_id, False, call.team, "", [], signals)


def _instants(fact: CustomerFact) -> list[int]:
    """When anything of a fact happened; nothing: there is nothing to tell yet."""
    own = [] if fact.contact_at is None else [fact.contact_at]
    return own + [at for _, at, _ in fact.signals] + ([] if fact.solved is None else [fact.solved.at])


def _low_surveys(rows: dict[Identity, Row] | None) -> list[tuple[str, str | None, Signal]]:
    """The low answers: what each is called, the customer that it names, and the signal."""
    low = []
    for fact, row in pairwise((rows or {}).values()):  # behind each answer's fact how the survey stands
        if not isinstance(fact, FactRow) or not isinstance(row, SurveyRow):
            continue
        if fact.counts.get("negative") or fact.counts.get("detractors"):
            signal = ("low_survey", fact.at, 1.0)
            low.append((f"{SURVEY}{fact.cause_source}\0{fact.cause_id}", row.customer_id, signal))
    return sorted(low)
