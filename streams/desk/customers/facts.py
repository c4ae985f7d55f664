"""The facts of a partition's customers, and the policy changes that apply to them, as track sent them."""

from collections.abc import Iterable, Iterator

import msgspec

from streams.desk.saved import Entry, PendingEntries
from streams.models.customer_facts import CustomerFact, PolicyChange

FACT, CHANGE = b"f", b"c"  # first byte of a changelog key

_encode = msgspec.msgpack.Encoder().encode
_fact = msgspec.msgpack.Decoder(CustomerFact).decode
_change = msgspec.msgpack.Decoder(PolicyChange).decode


class FactStore:
    """Facts by customer id and subject; a saved part. They stay encoded: they are many, and seldom needed."""

    prefix = FACT

    def __init__(self) -> None:
        self.pending = PendingEntries()
        self._facts: dict[str, dict[str, bytes]] = {}

    def __len__(self) -> int:
        """The number of customers."""
        return len(self._facts)

    def __iter__(self) -> Iterator[str]:
        """All customer ids."""
        return iter(self._facts)

    def put(self, fact: CustomerFact) -> bool:
        """Store a fact; False if the stored one of this identity is as new or newer."""
        facts = self._facts.setdefault(fact.customer_id, {})
        stored = facts.get(fact.subject)
        if stored is not None and _fact(stored).version >= fact.version:
            return False
        facts[fact.subject] = encoded = _encode(fact)
        self.pending.put(_fact_key(fact.customer_id, fact.subject), encoded)
        return True

    def of(self, customer_id: str) -> list[CustomerFact]:
        """The facts of one customer id, including deleted ones."""
        return [_fact(encoded) for encoded in self._facts.get(customer_id, {}).values()]

    def forget(self, customer_id: str) -> None:
        """Remove the facts of a customer id."""
        for subject in self._facts.pop(customer_id, {}):
            self.pending.put(_fact_key(customer_id, subject), None)

    # Checkpoints

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`."""
        customer_id, subject = _parse_fact_key(key)
        facts = self._facts.setdefault(customer_id, {})
        if value is not None:
            facts[subject] = value
            return
        facts.pop(subject, None)
        if not facts:
            del self._facts[customer_id]

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        customer_id, subject = _parse_fact_key(key)
        return self._facts.get(customer_id, {}).get(subject)

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`."""
        return self.pending.take()


class PolicyChanges:
    """The announced policy changes, by key. A saved part."""

    prefix = CHANGE

    def __init__(self) -> None:
        self.pending = PendingEntries()
        self._changes: dict[str, PolicyChange] = {}

    def all(self) -> Iterable[PolicyChange]:
        """All changes."""
        return self._changes.values()

    def put(self, change: PolicyChange) -> set[str] | None:
        """Store a change; returns the tags it concerns, or None if the stored one is as new or newer."""
        known = self._changes.get(change.key)
        if known is not None and known.version >= change.version:
            return None
        self._changes[change.key] = change
        self.pending.put(CHANGE + change.key.encode(), _encode(change))
        return {*change.tags, *(() if known is None else known.tags)}

    # Checkpoints

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`. A change is never removed."""
        if value is not None:
            self._changes[key[1:].decode()] = _change(value)

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        change = self._changes.get(key[1:].decode())
        return None if change is None else _encode(change)

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`."""
        return self.pending.take()


def _fact_key(customer_id: str, subject: str) -> bytes:
    return FACT + f"{customer_id}\0{subject}".encode()


def _parse_fact_key(key: bytes) -> tuple[str, str]:
    customer_id, _, subject = key[1:].decode().partition("\0")
    return customer_id, subject
