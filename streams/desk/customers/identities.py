"""Linked customer ids: `customer.linked` joins two ids, transitively; the least id is the canonical one.

    a ── b      c ── d            two customers: a (a, b) and c (c, d)
         └───── c                 one more link: one customer a (a, b, c, d)

A link holds for all time: a ticket's customer does not depend on when two ids were linked.
"""

from collections.abc import Iterable

import msgspec

from streams.desk.saved import Entry, PendingEntries
from streams.models.customer_facts import CustomerLink

LINK = b"l"  # first byte of a changelog key

_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(CustomerLink).decode


class CustomerIdentities:
    """All links, and the groups that they form. A saved part."""

    prefix = LINK

    def __init__(self) -> None:
        self.pending = PendingEntries()
        self._links: dict[str, CustomerLink] = {}  # by key
        self._groups: dict[
            str, list[str]
        ] = {}  # id -> all ids of the customer, in order; ids without a link are absent

    def ids(self, customer_id: str) -> list[str]:
        """All ids of the customer with this id, in order."""
        return self._groups.get(customer_id) or [customer_id]

    def canonical(self, customer_id: str) -> str:
        """The canonical id of the customer with this id."""
        return self.ids(customer_id)[0]

    def link(self, link: CustomerLink) -> set[str]:
        """Add a link; returns the ids whose canonical id may have changed, none for a known link."""
        concerned = self._add(link)
        if concerned:
            self.pending.put(LINK + link.key.encode(), _encode(link))
        return concerned

    def _add(self, link: CustomerLink) -> set[str]:
        known = self._links.get(link.key)
        if known is not None and known.version >= link.version:
            return set()
        self._links[link.key] = link
        if known is None:
            return set(self._join(link))
        concerned = {*self.ids(known.customer_id), *self.ids(link.customer_id), *self.ids(link.other_id)}
        self._groups = {}  # a link was corrected, which is rare: rebuild
        for other in self._links.values():
            self._join(other)
        return concerned

    def _join(self, link: CustomerLink) -> list[str]:
        group = sorted({*self.ids(link.customer_id), *self.ids(link.other_id)})
        for customer_id in group:
            self._groups[customer_id] = group
        return group

    # Checkpoints

    def load(self, _key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`. A link is never removed."""
        if value is not None:
            self._add(_decode(value))

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        link = self._links.get(key[1:].decode())
        return None if link is None else _encode(link)

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`."""
        return self.pending.take()
