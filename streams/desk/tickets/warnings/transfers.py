"""Transfers of a ticket from team to team, and the warning when an open ticket is passed on too often.

team    A -> B -> C -> D          3 transfers: raised; cleared when the ticket is done
"""

from typing import Final

from streams.desk.policy.rules import TRANSFERS
from streams.desk.tickets.ledger import TicketLedger

LOOP: Final = "transfer.loop"


class Transfers:
    """How often the team changed, from one team to another."""

    __slots__ = ("count", "ledger")

    def __init__(self, ledger: TicketLedger) -> None:
        self.ledger = ledger
        self.count = 0

    def add(self, at: int) -> None:
        """The ticket went to another team."""
        self.count += 1
        self.ledger.signal("transfer", at)

    def warn_if_many(self, at: int) -> None:
        """Warn when an open ticket was passed on too often; say it again at each further transfer."""
        rule = self.ledger.policies.at(at).rule(LOOP)
        limit = TRANSFERS if rule is None or rule.raise_at is None else rule.raise_at
        if self.count >= limit:
            self.ledger.warn(LOOP, at, measures={"value": float(self.count), "raise_at": float(limit)})

    def stop(self, at: int, by: str) -> None:
        """The ticket is done."""
        self.ledger.clear(LOOP, at, by)
