"""The chains of one partition, and the next instant at which time changes each. Pure.

touch ──> next looks (a heap) ──pop_due──> Sender
    └───> changed, forgotten ──> the next checkpoint, under the keys c<rule>\\n<subject> (with a parent: i<all three>)
"""

from collections.abc import Iterator, ValuesView
from heapq import heappop, heappush

import msgspec

from streams.desk.escalation.chain import Chain, Key, StoredWarning
from streams.desk.escalation.incidents import IncidentGroups
from streams.desk.escalation.plan import cooldown_ms
from streams.desk.policy.versions import Policies
from streams.models.instants import DAY

CHAIN_BYTES = 700
"""Approximate size of a chain in a checkpoint, bytes."""


class ChainStore:
    """The chains by (rule, subject, parent), and their incidents.

    Call `touch` after each change of a chain.
    """

    prefix = b"ci"

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._chains: dict[Key, Chain] = {}
        self._by_warning: dict[str, Key] = {}
        self.incidents = IncidentGroups(self._chains)
        self._heap: list[tuple[int, Key]] = []
        self._next_look: dict[Key, int] = {}  # each chain's next instant; other heap entries are void
        self._changed: set[Key] = set()
        self._forgotten: set[Key] = set()
        self._former_keys: dict[bytes, Key] = {}  # of release 0.1.0, which left out the parent

    def __len__(self) -> int:
        return len(self._chains)

    def get(self, key: Key) -> Chain | None:
        """Return the chain of a rule, a subject and a parent."""
        return self._chains.get(key)

    def of_warning(self, warning_id: str) -> Chain | None:
        """Return the chain of a warning, of several the one that it joined last."""
        key = self._by_warning.get(warning_id)
        return None if key is None else self._chains[key]

    def values(self) -> ValuesView[Chain]:
        """All chains."""
        return self._chains.values()

    def holds(self, chain: Chain) -> bool:
        """Whether this object is still the chain of its rule and subject, not replaced or forgotten."""
        return self._chains.get(chain.key) is chain

    def put(self, chain: Chain) -> None:
        """Store a chain, in place of a former one of the same rule and subject."""
        key = chain.key
        self._chains[key] = chain
        self._by_warning[chain.warning.warning_id] = key
        self._forgotten.discard(key)

    def drop_warning(self, warning_id: str) -> None:
        """Forget a replaced warning: actions on it find no chain."""
        self._by_warning.pop(warning_id, None)

    def touch(self, chain: Chain) -> None:
        """Save a changed chain with the next checkpoint, and queue its next instant."""
        key = chain.key
        if self._chains.get(key) is chain:
            self._changed.add(key)
            self._look(key, chain)

    def mark_changed(self, chain: Chain) -> None:
        """Save the chain with the next checkpoint."""
        self._changed.add(chain.key)

    def look(self, chain: Chain) -> None:
        """Queue the next instant of the chain."""
        key = chain.key
        if self._chains.get(key) is chain:
            self._look(key, chain)

    def _look(self, key: Key, chain: Chain) -> None:
        at = chain.next_at() if chain.cleared_at is None else self.forget_at(chain)
        if at is None:
            self._next_look.pop(key, None)
        elif self._next_look.get(key) != at:
            self._next_look[key] = at
            heappush(self._heap, (at, key))

    def pop_due(self, until: int) -> Chain | None:
        """Return the next chain due by the instant `until`; None: there is no more."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            at, key = heappop(heap)
            if self._next_look.get(key) != at:
                continue  # superseded
            del self._next_look[key]
            chain = self._chains.get(key)
            if chain is not None:
                return chain
        return None

    def forget_at(self, chain: Chain) -> int:
        """When a cleared chain can be forgotten."""
        assert chain.cleared_at is not None
        return chain.cleared_at + self.kept_ms(chain.warning)

    def kept_ms(self, warning: StoredWarning) -> int:
        """For how long a cleared chain is kept: for the cool-down, and a day for repeated messages."""
        return max(DAY, cooldown_ms(self._policies.at(warning.raised_at), warning))

    def forget(self, chain: Chain) -> None:
        """Remove a cleared chain."""
        key = chain.key
        del self._chains[key]
        self.incidents.forget(chain)
        if self._by_warning.get(chain.warning.warning_id) == key:
            del self._by_warning[chain.warning.warning_id]
        self._changed.discard(key)
        self._forgotten.add(key)

    def restored(self) -> None:
        """All chains are loaded: index them."""
        for key, chain in sorted(self._chains.items(), key=lambda entry: entry[1].joined_at):
            self._by_warning[chain.warning.warning_id] = key
            self.look(chain)
        self.incidents.restored()
        self._changed.update(self._former_keys.values())

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether a chain changed since the last checkpoint."""
        return bool(self._changed or self._forgotten)

    def pending_bytes(self) -> int:
        """The approximate size of the changed chains, bytes."""
        return len(self._changed) * CHAIN_BYTES

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog."""
        if value is None:
            self._chains.pop(self._former_keys.pop(key, _key_of(key)), None)
            return
        chain = msgspec.msgpack.decode(value, type=Chain)
        self._chains[chain.key] = chain
        if _key_of(key) != chain.key:
            self._former_keys[key] = chain.key

    def value(self, key: bytes) -> bytes | None:
        """Return a chain, encoded; None: there is none."""
        chain = self._chains.get(_key_of(key))
        return None if chain is None else msgspec.msgpack.encode(chain)

    def changed(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the entries that changed since the last checkpoint."""
        changed, self._changed = self._changed, set()
        forgotten, self._forgotten = self._forgotten, set()
        former, self._former_keys = self._former_keys, {}
        for entry in former:
            yield entry, None
        for key in forgotten:
            yield _entry_of(key), None
        for key in changed:
            yield _entry_of(key), msgspec.msgpack.encode(self._chains[key])


def _entry_of(key: Key) -> bytes:
    """The changelog's key of a chain."""
    rule, subject, parent_id = key
    return b"i" + msgspec.msgpack.encode(key) if parent_id else f"c{rule}\n{subject}".encode()


def _key_of(entry: bytes) -> Key:
    """The key of the chain under a key of the changelog."""
    if entry.startswith(b"i"):
        return msgspec.msgpack.decode(entry[1:], type=Key)
    rule, _, subject = entry[1:].decode().partition("\n")
    return rule, subject, ""
