"""The quality of each rule's warnings over a log: against breaches, and against complaints of the same customer. PURE.

warning of        measured against            candidates of the random predictor
a clock           the breach of that clock    each clock, when it started
a ticket          a breach of that ticket     each ticket, when it was created
a customer        a complaint of theirs       each contact of each known customer
                  within 7 days
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from streams.bench.warning_score import FOREVER, Moment, Score, score
from streams.models.entities import CallRow, TicketRow
from streams.models.instants import WEEK
from streams.models.rows import LedgerRow, Row, WarningRow

ANSWERS = {"warning.acknowledge": "acknowledged", "warning.disagree": "disagreed"}


class RuleQuality(NamedTuple):
    """One rule against one kind of outcome: `breach` or `complaint`."""

    rule: str
    outcome: str
    score: Score
    acknowledged: int
    disagreed: int


class _Data(msgspec.Struct):
    warning_id: str


class _Answer(msgspec.Struct):
    type: str
    data: _Data


_answer = msgspec.json.Decoder(_Answer).decode


def answers(lines: Iterable[bytes]) -> dict[str, set[str]]:
    """The ids of the warnings that people "acknowledged", and that they "disagreed" with."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if b"warning." in line:
            try:
                said = _answer(line)
            except msgspec.DecodeError:
                continue
            if said.type in ANSWERS:
                found[ANSWERS[said.type]].add(said.data.warning_id)
    return found


def qualities(rows: Iterable[Row], answered: Mapping[str, set[str]]) -> list[RuleQuality]:
    """The quality of every rule that warned of clocks, tickets or customers, by rule."""
    history = _History(rows)
    found = []
    for rule, warnings in sorted(history.warnings.items()):
        said = Counter(what for what, ids in answered.items() for warning in warnings if warning.warning_id in ids)
        for outcome, result in history.scores(rule, warnings):
            found.append(RuleQuality(rule, outcome, result, said["acknowledged"], said["disagreed"]))
    return found


class _History:
    def __init__(self, rows: Iterable[Row]) -> None:
        self.warnings: defaultdict[str, list[WarningRow]] = defaultdict(list)
        self.customers: dict[str, str] = {}  # by ticket
        self.contacts: list[Moment] = []
        self.complaints: list[Moment] = []
        self.tickets: list[Moment] = []
        self.clocks: dict[str, int] = {}
        self.breaches: list[tuple[str, str, int]] = []  # clock, ticket, instant
        for row in rows:
            self._take(row)

    def _take(self, row: Row) -> None:
        if isinstance(row, WarningRow):
            self.warnings[row.rule].append(row)
        elif isinstance(row, LedgerRow):
            clock = f"{row.ticket_id}/{row.metric}/{row.cycle}"
            self.clocks[clock] = row.started_at
            if row.transition == "breached":
                self.breaches.append((clock, row.ticket_id, row.at))
        elif isinstance(row, TicketRow) and row.created_at is not None:
            self.tickets.append((row.ticket_id, row.created_at))
            if row.customer_id:
                self.customers[row.ticket_id] = row.customer_id
                self.contacts.append((row.customer_id, row.created_at))
                if row.kind == "complaint":
                    self.complaints.append((row.customer_id, row.created_at))
        elif isinstance(row, CallRow) and row.customer_id:
            self.contacts.append((row.customer_id, row.offered_at))

    def scores(self, rule: str, warnings: list[WarningRow]) -> Iterable[tuple[str, Score]]:
        """The scores that apply to a rule."""
        of_tickets = [(w.ticket_id, w.raised_at) for w in warnings if w.ticket_id]
        if rule != "sla.breached" and all(warning.metric for warning in warnings):
            of_clocks = [(warning.subject, warning.raised_at) for warning in warnings]
            breaches = [(clock, at) for clock, _, at in self.breaches]
            yield "breach", score(of_clocks, breaches, list(self.clocks.items()), FOREVER)
        elif rule != "sla.breached" and of_tickets:
            breaches = [(ticket_id, at) for _, ticket_id, at in self.breaches]
            yield "breach", score(of_tickets, breaches, self.tickets, FOREVER)
        of_customers = [(self._customer(warning), warning.raised_at) for warning in warnings]
        if known := [(who, at) for who, at in of_customers if who]:
            yield "complaint", score(known, self.complaints, self.contacts, WEEK)

    def _customer(self, warning: WarningRow) -> str:
        return warning.customer_id or self.customers.get(warning.ticket_id, "")
