"""The risk signals that a ticket's properties are: each given once, at the instant it became true.

created ─────────────── tagged "lawyer" ──── severity: major ──── severity: critical
   └ complaint, vip         └ keyword           └ 0.5                └ 0.5 more

Transfers, reopenings, breaches and silence give theirs where they happen; all are in `TicketLedger.signals`.
"""

from streams.desk.tickets.ledger import TicketLedger

SEVERITY_WEIGHTS = {"major": 0.5, "critical": 1.0}


class ComplaintSignals:
    """The signals given so far. `severity`: the ticket's, as it stands."""

    __slots__ = ("_given", "_severity_weight", "ledger", "severity")

    def __init__(self, ledger: TicketLedger) -> None:
        self.ledger = ledger
        self.severity = ""
        self._given: tuple[str, ...] = ()
        self._severity_weight = 0.0  # the highest so far

    def record_properties(self, at: int) -> None:
        """Properties were set: give the signals that they are."""
        dims, tags = self.ledger.dims, self.ledger.tags
        if dims.kind == "complaint":
            self._give("complaint", at)
        if dims.segment == "vip":
            self._give("vip", at)
        weight = SEVERITY_WEIGHTS.get(self.severity, 0.0)
        if weight > self._severity_weight:
            self.ledger.signal("severity", at, weight - self._severity_weight)
            self._severity_weight = weight
        if tags:
            keywords = self.ledger.policies.at(at).risk_index.keywords
            if any(word in tag for tag in tags for word in keywords):
                self._give("keyword", at)

    def _give(self, name: str, at: int) -> None:
        if name not in self._given:
            self._given = (*self._given, name)
            self.ledger.signal(name, at)
