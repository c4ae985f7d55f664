"""A ticket's place in the backlog: spans of time without a change of team, risk or breach while it is open.

events    created    team B     at risk    breached      solved
spans     |--- A ----|--- B ----|- at risk |- breached --|
"""

import msgspec

from streams.desk.tickets.ledger import TicketLedger
from streams.models.rows import SpanRow


class Backlog:
    """The span that lasts now, and how many there were."""

    __slots__ = ("_count", "_span", "ledger")

    def __init__(self, ledger: TicketLedger) -> None:
        self.ledger = ledger
        self._span: SpanRow | None = None
        self._count = 0

    def update(self, created_at: int, at: int, at_risk: bool, breached: bool) -> None:
        """The open ticket stands like this from `at` on: begin a span if that is a change."""
        span, team = self._span, self.ledger.dims[0]
        if span is not None and span.team == team and span.at_risk == at_risk and span.breached == breached:
            return
        self.close(at)
        self._count += 1
        self._span = SpanRow(
            "ticket", self.ledger.id, self._count, team, created_at, at, None, int(at_risk), int(breached)
        )
        self.ledger.change_set.put(self._span)

    def close(self, at: int) -> None:
        """End the span; one that began at this very instant never was."""
        span, self._span = self._span, None
        if span is None:
            return
        if span.from_at == at:
            self._count -= 1
            self.ledger.change_set.withdraw(span)
        else:
            self.ledger.change_set.put(msgspec.structs.replace(span, to_at=at, version=0))
