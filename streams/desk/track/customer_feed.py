"""The output of track for the stage `customers`: facts about each ticket or call, sent when they change.

    ticket t17 ──────────────────┐
    its surveys, its scores ─────┼──> fact (customer c9, t17) ──> customer-facts, the partition of c9
    a score that names c9 itself ┴──> fact (customer c9, n…)

A fact is a full snapshot; one that equals the last is not sent again. A ticket's customer may become known late, or
change; then the former customer's fact is deleted. A signal from before the customer was known counts from the instant
at which the customer became known; contacts keep their own instant.
"""

from collections.abc import Callable, Collection

import msgspec

from streams.desk.calls.call import Call
from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.tickets.ticket import Ticket
from streams.desk.track.reference_events import ReferenceEvents
from streams.desk.track.subject import SURVEY, TICKET, Subject
from streams.desk.track.subject_facts import NamedSignal, customer_fact_of, former_facts, low_surveys, named_subject
from streams.desk.track.subject_store import SubjectStore
from streams.models import customer_facts as models
from streams.models import messages
from streams.models.customer_facts import CustomerFact, CustomerLink, PolicyChange, Signal
from streams.models.records import Output
from streams.models.rows import Identity, ProgressRow, Row
from streams.models.topics import CUSTOMER_FACTS

SCORE = "n"  # first letter of a fact's subject, for a score that names its customer
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[CustomerFact]).decode
NO_FACTS = _encode([])


class CustomerFeed:
    """The last published facts of each subject, and the facts to send with the next snapshot.

    Facts are keyed by the name of their ticket or call; see `ReferenceEvents` for scores about neither.
    """

    def __init__(self, subjects: SubjectStore, references: ReferenceEvents, homes: CustomerPartitioner) -> None:
        self._subjects, self._references, self._homes = subjects, references, homes
        self.pending: dict[tuple[str, str], CustomerFact] = {}  # by customer and subject
        self._last_published: dict[str, bytes] = {}  # by name, if no subject holds it (`Subject.last_published`)

    # What changed

    def gather(self) -> None:
        """Compute the facts of all subjects touched since the last snapshot."""
        names = {name for subject in self._subjects.touched if self._concerns(subject, name := _name(subject))}
        for name in names | self._references.touched:
            self._compare(name)
        self._references.touched.clear()

    def _concerns(self, subject: Subject, name: str) -> bool:
        """Whether a subject has or had facts: most subjects have no known customer."""
        state = subject.state
        return (
            subject.kind == SURVEY
            or subject.last_published not in (b"", NO_FACTS)
            or (isinstance(state, Ticket | Call) and bool(state.customer_id))
            or name in self._subjects.surveys.rows
            or name in self._references.sentiment_scores
            or name in self._last_published
        )

    def release(self, subject: Subject) -> None:
        """The subject is about to be released: its facts are final, and are not published again."""
        self._let_go(_name(subject), lambda fact: fact.subject[0] == SCORE)

    def release_scores(self, name: str) -> None:
        """The scores about a subject are about to be forgotten: their facts are final, and are not published again."""
        self._let_go(name, lambda fact: fact.subject[0] != SCORE)

    def publish_again(self, name: str, former: Collection[Row]) -> None:
        """Publish all facts of a subject, whatever was published; `former`: its rows by the rules of another release.

        Facts about customers that only those rows name are deleted.
        """
        self._set_published(name, NO_FACTS)
        self._compare(name)
        current = {(fact.customer_id, fact.subject) for fact in self._facts(name).values()}
        scores = [
            (score.data.customer_id, f"{SCORE}{score.source}\0{score.id}")  # by the rules 1
            for score, _ in self._references.signals(name)
            if score.data.customer_id
        ]
        for customer_id, subject in (*former_facts(name, former), *scores):
            if (customer_id, subject) not in current:
                self.pending[customer_id, subject] = CustomerFact(customer_id, subject, is_deleted=1)

    def restored(self) -> None:
        """State equals the last checkpoint, so nothing is pending."""
        names = {_name(subject) for subject in self._subjects.cache.all()}
        for name in names | self._references.sentiment_scores.keys():
            if facts := self._facts(name):
                self._set_published(name, _encode(list(facts.values())))

    def _let_go(self, name: str, stays: Callable[[CustomerFact], bool]) -> None:
        self._compare(name)
        left = [fact for fact in _decode(self._published(name)) if stays(fact)]
        if (subject := self._subject(name)) is not None:
            subject.last_published = NO_FACTS
        self._last_published.pop(name, None)
        if left:
            self._last_published[name] = _encode(left)

    def _compare(self, name: str) -> None:
        """Compare the facts of a subject with those last published; the difference becomes pending."""
        before, facts = self._published(name), self._facts(name)
        after = _encode(list(facts.values()))
        if after == before:
            return
        published = {fact.subject: fact for fact in _decode(before)}
        for subject, fact in published.items():
            if subject not in facts or facts[subject].customer_id != fact.customer_id:
                self.pending[fact.customer_id, subject] = CustomerFact(fact.customer_id, subject, is_deleted=1)
        for subject, fact in facts.items():
            if published.get(subject) != fact:
                self.pending[fact.customer_id, subject] = fact
        self._set_published(name, after)

    def _subject(self, name: str) -> Subject | None:
        """The ticket or call of that name, if held: it stores its own last published facts."""
        return None if name[0] == SURVEY else self._subjects.cache.get(name)

    def _published(self, name: str) -> bytes:
        subject = self._subject(name)
        if subject is None:
            return self._last_published.get(name, NO_FACTS)
        if not subject.last_published:  # the subject was just created
            subject.last_published = self._last_published.pop(name, NO_FACTS)
        return subject.last_published

    def _set_published(self, name: str, facts: bytes) -> None:
        subject = self._subject(name)
        if subject is None:
            self._last_published[name] = facts
        else:
            subject.last_published = facts

    # Facts

    def _facts(self, name: str) -> dict[str, CustomerFact]:
        """The facts about a ticket, a call, or the survey or score itself, by subject."""
        subject = self._subjects.cache.get(name)
        surveys = self._subjects.surveys.rows.get(name)
        facts: dict[str, CustomerFact] = {}
        signals: list[Signal] = []  # those that name no customer
        if surveys or name in self._references.sentiment_scores:
            signals = self._add_named(name, surveys, facts)
        fact = None if subject is None else customer_fact_of(name, subject.state, signals)
        if fact is not None:
            facts[name] = fact
        return facts

    def _add_named(
        self, name: str, surveys: dict[Identity, Row] | None, facts: dict[str, CustomerFact]
    ) -> list[Signal]:
        """Add the scores and answers that name their customer; returns the signals of the others.

        Each is a separate fact: its customer does not depend on when the ticket's customer becomes known.
        """
        ticket_id, others = name[1:] if name[0] == TICKET else "", []
        scores = [
            NamedSignal(named_subject(SCORE, name, score.source, score.id), score.data.customer_id, signal)
            for score, signal in self._references.signals(name)
        ]
        for subject, customer_id, signal in scores + low_surveys(name, surveys):
            if customer_id:
                facts[subject] = CustomerFact(
                    customer_id, subject, about=ticket_id, signals=[signal], known_at=signal[1]
                )
            else:
                others.append(signal)
        return others

    # Messages

    def outputs(self, partition: int, version: int, as_of: int) -> list[Output]:
        """The messages of one snapshot: the facts for each partition, then this partition's progress."""
        outputs: list[Output] = []
        by_home: dict[int, list[CustomerFact]] = {}
        for fact in self.pending.values():
            facts = by_home.setdefault(self._homes.of(fact.customer_id), [])
            facts.append(msgspec.structs.replace(fact, version=version))  # published facts compare without it
        event_id = f"{partition}/{version}"
        for home, rows in by_home.items():
            outputs += messages.batches(CUSTOMER_FACTS, models.FACTS, f"{event_id}/{home}/facts", rows, partition=home)
        fresh = self._references.fresh
        links = [row for row in fresh if isinstance(row, CustomerLink)]
        changes = [row for row in fresh if isinstance(row, PolicyChange)]
        for row in fresh:
            row.version = version
        if changes:  # every partition receives them, so each sends them to its own number only
            outputs += messages.batches(
                CUSTOMER_FACTS, models.CHANGES, f"{event_id}/changes", changes, partition=partition
            )
        progress = ProgressRow(CUSTOMER_FACTS, partition, as_of, {str(partition): version}, version)
        for home in range(self._homes.partitions):
            if links:  # links are few: all partitions receive all of them
                outputs += messages.batches(
                    CUSTOMER_FACTS, models.LINKS, f"{event_id}/{home}/links", links, partition=home
                )
            outputs.append(messages.progress(CUSTOMER_FACTS, progress, home))
        self.pending, self._references.fresh = {}, []
        return outputs


def _name(subject: Subject) -> str:
    """The name that facts are keyed by; for surveys, that of their ticket or call."""
    return subject.id if subject.kind == SURVEY else subject.name
