"""What a partition of the desk tells the stage `customers`: per ticket or call a snapshot, when it has changed.

    ticket t17 ─┐
    its surveys ─┼──> fact (customer c9, t17) ──> customer-facts, the partition of c9
    its scores ──┘

A snapshot that is as the last one is not told again. The customer may become known late, or turn out to be another one:
then the subject is taken from the one and given to the other. What happened before the customer was known counts as a
signal from that instant on; contacts keep their own instant.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from streams.desk import messages
from streams.desk.call import Call
from streams.desk.notes import Notes
from streams.desk.subject import SURVEY, Subject
from streams.desk.subjects import Subjects
from streams.desk.ticket import Ticket
from streams.models import customer_facts as models
from streams.models.customer_facts import CustomerFact, CustomerLink, PolicyChange, Signal, Solved
from streams.models.rows import FactRow, Identity, ProgressRow, Row, SurveyRow
from streams.partition_state import Output


class Homes(NamedTuple):
    """Where customers are at home: the number of partitions of `customer-facts`, and the partition `of` a customer."""

    partitions: int = 1
    of: Callable[[str], int] = lambda customer_id: 0


HERE = Homes()  # of a desk that is one partition


class CustomerFacts:
    """What was told of each subject, and what is to be told at the next checkpoint."""

    def __init__(self, subjects: Subjects, notes: Notes, homes: Homes) -> None:
        self.subjects, self.notes, self.homes = subjects, notes, homes
        self.told: dict[str, CustomerFact] = {}
        self.waiting: dict[tuple[str, str], CustomerFact] = {}

    def gather(self) -> None:
        """Look at all subjects that were touched since the last time."""
        for name in {_name(subject) for subject in self.subjects.touched} | self.notes.touched:
            self._look(name)
        self.notes.touched.clear()

    def release(self, subject: Subject) -> None:
        """The subject is about to be released: what is told of it now stands for good."""
        self._look(_name(subject))
        self.told.pop(_name(subject), None)

    def restored(self) -> None:
        """All is as the last checkpoint left it, so what is to be told was told."""
        for name in {_name(subject) for subject in self.subjects.held.values()} | self.notes.moods.keys():
            if (fact := self._fact(name)) is not None:
                self.told[name] = fact

    def _look(self, name: str) -> None:
        if (name[0], name[1:]) in self.subjects.released:
            return
        told, fact = self.told.get(name), self._fact(name)
        if fact == told:
            return
        if told is not None and (fact is None or fact.customer_id != told.customer_id):
            self.waiting[told.customer_id, name] = CustomerFact(told.customer_id, name, is_deleted=1)
            del self.told[name]
        if fact is not None:
            self.told[name] = self.waiting[fact.customer_id, name] = fact

    def outputs(self, partition: int, version: int, as_of: int) -> list[Output]:
        """The messages of one checkpoint: to each partition what is for it, and behind it how far this one is."""
        made: list[Output] = []
        by_home: dict[int, list[CustomerFact]] = {}
        for fact in self.waiting.values():
            to = by_home.setdefault(self.homes.of(fact.customer_id), [])
            to.append(msgspec.structs.replace(fact, version=version))  # told has none, to equal what is told next
        event_id = f"{partition}/{version}"
        for home, rows in by_home.items():
            made += messages.batches(
                messages.CUSTOMER_FACTS, models.FACTS, f"{event_id}/{home}/facts", rows, partition=home
            )
        links = [row for row in self.notes.fresh if isinstance(row, CustomerLink)]
        changes = [row for row in self.notes.fresh if isinstance(row, PolicyChange)]
        for fresh in self.notes.fresh:
            fresh.version = version
        if changes:  # every partition of the desk hears of them, so each tells its own
            made += messages.batches(
                messages.CUSTOMER_FACTS, models.CHANGES, f"{event_id}/changes", changes, partition=partition
            )
        row = ProgressRow(messages.CUSTOMER_FACTS, partition, as_of, {str(partition): version}, version)
        for home in range(self.homes.partitions):
            if links:  # links are few: everybody hears of all of them, and knows who is one person
                made += messages.batches(
                    messages.CUSTOMER_FACTS, models.LINKS, f"{event_id}/{home}/links", links, partition=home
                )
            made.append(messages.progress(messages.CUSTOMER_FACTS, row, home))
        self.waiting, self.notes.fresh = {}, []
        return made

    def _fact(self, name: str) -> CustomerFact | None:
        """What there is to tell of a subject now; None if its customer is not known, or nothing happened yet."""
        subject = self.subjects.held.get((name[0], name[1:]))
        state = None if subject is None else subject.state
        surveys = self.subjects.surveys.rows.get(name)
        if not isinstance(state, Ticket | Call) or not state.customer_id:
            return self._without_subject(name)
        fact = _of_ticket(name, state) if isinstance(state, Ticket) else _of_call(name, state)
        if surveys or name in self.notes.moods:
            given = _low_surveys(surveys) + self.notes.signals(name)
            fact.signals += [(signal, max(at, state.known_at), weight) for signal, at, weight in given]
        return fact if fact.contact_at is not None or fact.signals or fact.solved else None

    def _without_subject(self, name: str) -> CustomerFact | None:
        """Surveys and scores about what has no customer of its own, if they name one."""
        surveys = self.subjects.surveys.rows.get(name)
        customer_id = self.notes.customer(name) or _named_by_surveys(surveys)
        given = self.notes.signals(name) + _low_surveys(surveys)
        return CustomerFact(customer_id, name, signals=given) if customer_id and given else None


def _name(subject: Subject) -> str:
    """A ticket or call by kind and id; surveys go by whom they are about."""
    return subject.id if subject.kind == SURVEY else subject.kind + subject.id


def _of_ticket(name: str, ticket: Ticket) -> CustomerFact:
    team, _, _, _, _, category, _ = ticket.dims
    known_at, solved = ticket.known_at, ticket.solved_fact
    signals: list[Signal] = [(signal, max(at, known_at), weight) for signal, at, weight in ticket.signals or ()]
    if (silent_at := ticket.silent_at()) is not None:
        signals.append(("silence", max(silent_at, known_at), 1.0))
    return CustomerFact(
        ticket.customer_id,
        name,
        ticket.created_at,
        category,
        "",
        ticket.is_open(),
        team,
        ticket.url,
        list(ticket.tags),
        signals,
        None if solved is None else _solved(solved, bool(ticket.hops or ticket.reopenings)),
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


def _low_surveys(rows: dict[Identity, Row] | None) -> list[Signal]:
    facts = [row for row in (rows or {}).values() if isinstance(row, FactRow)]
    low = [fact.at for fact in facts if fact.counts.get("negative") or fact.counts.get("detractors")]
    return [("low_survey", at, 1.0) for at in sorted(low)]


def _named_by_surveys(rows: dict[Identity, Row] | None) -> str:
    """The customer that the surveys themselves name, the latest of them; '' if none does."""
    surveys = [row for row in (rows or {}).values() if isinstance(row, SurveyRow) and row.customer_id]
    named = [(max(row.responded_at or 0, row.offered_at or 0), row.customer_id) for row in surveys]
    return max(named)[1] if named else ""
