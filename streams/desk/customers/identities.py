"""Who is one person: `customer.linked` joins two ids, and joins of joins; the least id stands for all of them.

    a ── b      c ── d            two people: a (a, b) and c (c, d)
         └───── c                 one more link: one person a (a, b, c, d)

Links hold for all time: whose a ticket was does not depend on when two ids were known to be one person.
"""

from streams.models.customer_facts import CustomerLink


class CustomerIdentities:
    """All links, and the groups that they make."""

    def __init__(self) -> None:
        self.links: dict[str, CustomerLink] = {}  # by key
        self._groups: dict[str, list[str]] = {}  # by id, all ids of the person, in order; ids without a link are absent

    def ids(self, customer_id: str) -> list[str]:
        """All ids of the person, in order."""
        return self._groups.get(customer_id) or [customer_id]

    def person(self, customer_id: str) -> str:
        """The id that stands for the person."""
        return self.ids(customer_id)[0]

    def link(self, link: CustomerLink) -> set[str]:
        """Take a link; returns the ids whose person may have changed, none if it was known."""
        known = self.links.get(link.key)
        if known is not None and known.version >= link.version:
            return set()
        self.links[link.key] = link
        if known is None:
            return set(self._join(link))
        concerned = {*self.ids(known.customer_id), *self.ids(link.customer_id), *self.ids(link.other_id)}
        self._groups = {}  # a link was corrected, which is rare: begin anew
        for other in self.links.values():
            self._join(other)
        return concerned

    def _join(self, link: CustomerLink) -> list[str]:
        group = sorted({*self.ids(link.customer_id), *self.ids(link.other_id)})
        for customer_id in group:
            self._groups[customer_id] = group
        return group
