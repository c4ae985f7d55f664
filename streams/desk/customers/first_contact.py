"""First-contact resolution: whether a ticket was solved without another contact about the same category.

    solved |─────────── 7 days ───────────|
    ticket      fcr_provisional             fcr_yes           in the minute of solving
                      └ another contact: fcr_no               reopened, transferred: fcr_no at any time

A contact counts if it has the ticket's category at the time of solving, or is a call without a category. The verdict is
about the first solving, and is corrected when a contact or a customer becomes known late.
"""

from bisect import bisect_right
from collections.abc import Iterable

from streams.models.customer_facts import CustomerFact, Solved
from streams.models.instants import NEVER, WEEK
from streams.models.rows import FactRow, fact_of

CALL = "c"  # first letter of a call's subject


class Contacts:
    """The instants of a customer's contacts, by category; None: calls without one."""

    def __init__(self, facts: Iterable[CustomerFact]) -> None:
        self.instants: dict[str | None, list[int]] = {}
        for fact in facts:
            if fact.contact_at is not None:
                category = None if fact.subject[0] == CALL and not fact.category else fact.category
                self.instants.setdefault(category, []).append(fact.contact_at)
        for instants in self.instants.values():
            instants.sort()

    def again(self, solved: Solved) -> bool:
        """Whether another contact followed within 7 days of the solving. (The ticket's own contact precedes it.)"""
        for category in (solved.category, None):
            instants = self.instants.get(category, ())
            after = bisect_right(instants, solved.at)
            if after < len(instants) and instants[after] <= solved.at + WEEK:
                return True
        return False


def verdict(solved: Solved, contacts: Contacts, as_of: int) -> tuple[str, int]:
    """Return fcr_yes, fcr_no or fcr_provisional as of an instant, and when time alone changes it."""
    if solved.again or contacts.again(solved):
        return "fcr_no", NEVER
    final_at = solved.at + WEEK
    return ("fcr_yes", NEVER) if as_of > final_at else ("fcr_provisional", final_at)


def fact_row(customer_id: str, ticket_id: str, solved: Solved, found: str) -> FactRow:
    """The verdict as a fact with the dimensions of the ticket. Its cause is the customer, so customers differ by it."""
    cause = ("customer", customer_id)
    return fact_of("ticket", ticket_id, cause, "fcr", solved.at, solved.dims(), solved.agent_id, {found: 1})
