"""First contact resolution: whether a solved ticket was the customer's only contact about it."""

from collections.abc import Iterable
from typing import NamedTuple

from tests.naive.calendars import DAY_MS
from tests.naive.calls import Call
from tests.naive.log import Event
from tests.naive.tickets import Fact, Ticket

WEEK_MS = 7 * DAY_MS


class Contact(NamedTuple):
    """A customer turning to the desk: a ticket created or a call offered."""

    at: int
    category: str
    by_call: bool
    subject: str

    def repeats(self, ticket_id: str, category: str, solved_at: int) -> bool:
        """Another contact with the same category, or a call without one, within 7 days after.

        solved |-------- 7 days --------|
                    contact: no
        """
        other = self.by_call or self.subject != ticket_id
        same = self.category == category or (self.by_call and not self.category)
        return other and same and solved_at < self.at <= solved_at + WEEK_MS


def persons(events: Iterable[Event]) -> dict[str, str]:
    """`customer.linked` says that two ids are one person: each linked id, and one that stands for all of its group."""
    groups: list[set[str]] = []
    for event in events:
        if event.type == "customer.linked":
            pair = {event.data["customer_id"], event.data["other_id"]}
            touched = [group for group in groups if group & pair]
            groups = [group for group in groups if not group & pair] + [pair.union(*touched)]
    return {customer: min(group) for group in groups for customer in group}


def contacts_by_person(
    tickets: Iterable[Ticket], calls: dict[str, Call], person: dict[str, str], as_of: int
) -> dict[str, list[Contact]]:
    """All contacts of each person: whose they were may have become known later."""
    contacts: dict[str, list[Contact]] = {}
    for ticket in tickets:
        if ticket.created:
            first = ticket.history[0]
            contact = Contact(first.at, ticket.dims["category"], False, ticket.ticket_id)
            contacts.setdefault(person.get(ticket.customer_id, ticket.customer_id), []).append(contact)
    for call_id, call in calls.items():
        offered = call.offered()
        if offered:
            customer = call.customer(as_of)
            contact = Contact(offered.at, offered.data.get("category", ""), True, call_id)
            contacts.setdefault(person.get(customer, customer), []).append(contact)
    return contacts


def fcr_facts(tickets: Iterable[Ticket], calls: dict[str, Call], events: Iterable[Event], as_of: int) -> list[Fact]:
    """One figure for each ticket that was solved, in the minute of its first solving, for the assignee.

    "FCR of a solved ticket with a known customer: no reopening within 7 days, no team transfer before it was solved, no
    other contact of that customer with the same category (or a call without one) within 7 days after".
    """
    tickets, person = list(tickets), persons(events)
    contacts = contacts_by_person(tickets, calls, person, as_of)
    facts: list[Fact] = []
    for ticket in tickets:
        if not ticket.solvings:
            continue
        at, dims, _, hops = ticket.solvings[0]
        customer = ticket.customer_id
        reopened = any(fact[2] == "reopened" and fact[0] <= at + WEEK_MS for fact in ticket.facts)
        others = contacts.get(person.get(customer, customer), [])
        if not customer:
            verdict = "fcr_unknown"
        elif hops or reopened or any(contact.repeats(ticket.ticket_id, dims["category"], at) for contact in others):
            verdict = "fcr_no"
        else:
            verdict = "fcr_yes" if as_of > at + WEEK_MS else "fcr_provisional"
        facts.append((at, dims, verdict, 1))
    return facts


def contact_facts(tickets: Iterable[Ticket], calls: dict[str, Call]) -> list[Fact]:
    """Every contact when it began, by its category of now; complaints among them.

    "The call names its ticket when it is answered or ended": it is the same contact then. Reading: a call that names a
    ticket in any of its events is no contact of its own here; for FCR each call is one.
    """
    facts: list[Fact] = []
    for ticket in tickets:
        if ticket.created:
            at, category = ticket.history[0].at, {"category": ticket.dims["category"]}
            facts.append((at, category, "contacts", 1))
            facts += [(at, category, "complaints", 1)] * (ticket.dims["kind"] == "complaint")
    for call in calls.values():
        offered = call.offered()
        if offered and not any(event.data.get("ticket_id") for event in call.events):
            facts.append((offered.at, {"category": offered.data.get("category", "")}, "contacts", 1))
    return facts
