"""What a home's checkpoints hold of its customers, and what a checkpoint sends to the other homes.

The changelog holds what was told, one entry each: facts, links, policy changes. A person's rows are their fold, made
again at a restore.
"""

import msgspec

from streams.desk.customers.homes import SINGLE_PARTITION, CustomerPartitioner
from streams.desk.customers.identities import CustomerIdentities
from streams.desk.output.panes import LocalDays, Panes
from streams.desk.partition_state import Snapshot
from streams.desk.policy.restatement import FOLLOWED, NEXT, Following
from streams.desk.policy.versions import Policies
from streams.desk.stage import Stage
from streams.models import customer_facts as models
from streams.models import messages
from streams.models.customer_facts import CustomerFact, CustomerLink, PolicyChange
from streams.models.records import Output
from streams.models.rows import ProgressRow
from streams.models.topics import CUSTOMER_FACTS, FACTS, ROLLUPS, WARNINGS

FACT, LINK, CHANGE = b"f", b"l", b"c"  # first byte of a changelog key
RESTATED = b"r"  # the changelog key of the last person who follows the policy that a restatement leads to
HANDED_ON = f"{CUSTOMER_FACTS}/customers"  # topic_name of the progress of homes among themselves
PANES = 1000  # added to the partition: the number of its panes
PERSON_BYTES = 1200  # about what one takes in a checkpoint

decode_fact = msgspec.msgpack.Decoder(CustomerFact).decode
_link = msgspec.msgpack.Decoder(CustomerLink).decode
_change = msgspec.msgpack.Decoder(PolicyChange).decode
encode = msgspec.msgpack.Encoder().encode


class CustomersCheckpoints(Stage):
    """The part of the stage that outlives a process. Arguments: see :class:`streams.desk.customers.partition.Customers`."""

    name = "customers"
    reports = (FACTS, ROLLUPS, WARNINGS)

    def __init__(
        self, partition: int, policies: Policies, homes: CustomerPartitioner = SINGLE_PARTITION, restate: bool = False
    ) -> None:
        others = [number for number in range(homes.partitions) if number != partition]
        sources = [(CUSTOMER_FACTS, number) for number in range(homes.partitions)]
        sources += [(HANDED_ON, number) for number in others]
        self.policy = Following(partition, policies, restate)
        days = LocalDays(lambda at: self.policy.followed.at(at).timezone)
        super().__init__(partition, sources, Panes(PANES + partition, days))
        self.homes, self.others = homes, others
        self.facts: dict[str, dict[str, bytes]] = {}  # by customer id and subject, encoded: very many, seldom needed
        self.people = CustomerIdentities()
        self.changes: dict[str, PolicyChange] = {}
        self.touched: set[str] = set()  # ids whose person is to be folded
        self._restated: str | None = None  # during a restatement, the last person who follows what it leads to
        self._hand_on: list[CustomerFact] = []
        self._said: tuple[int, dict[str, int]] | None = None  # to the other homes: how far the desk was heard

    def pending_bytes(self) -> int:
        """About the size of the next checkpoint, with the people who are to be folded."""
        return super().pending_bytes() + len(self.touched) * PERSON_BYTES

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """All that changed since the last cut, and the outputs made since."""
        self.entries |= self.policy.entries
        self.policy.entries = {}
        return super().snapshot(version, offsets)

    def own(self, version: int) -> list[Output]:
        """What goes to the other homes: facts that are theirs, and how far the desk was heard."""
        by_home: dict[int, list[CustomerFact]] = {}
        for fact in self._hand_on:
            home = self.homes.of(self.people.person(fact.customer_id))
            if home != self.partition:
                by_home.setdefault(home, []).append(fact)
        self._hand_on = []
        made: list[Output] = []
        for home, facts in by_home.items():
            event_id = f"{self.partition}/{version}/{home}/handed-on"
            source = f"/deskwatch/{self.name}"
            made += messages.batches(CUSTOMER_FACTS, models.FACTS, event_id, facts, source, partition=home)
        as_of, seen = self.sources.clock(CUSTOMER_FACTS), self.sources.seen(CUSTOMER_FACTS)
        if as_of >= 0 and (as_of, seen) != self._said:
            self._said = (as_of, seen)
            row = ProgressRow(HANDED_ON, self.partition, as_of, seen, version)
            made += [messages.progress(CUSTOMER_FACTS, row, home) for home in self.others]
        return made

    def load_entry(self, key: bytes, value: bytes | None) -> None:
        """Take one of its own entries."""
        kind = key[:1]
        if kind == FACT:
            customer_id, _, subject = key[1:].decode().partition("\0")
            if value is not None:
                self.facts.setdefault(customer_id, {})[subject] = value
            elif customer_id in self.facts:
                self.facts[customer_id].pop(subject, None)
        elif kind == LINK and value is not None:
            self.people.link(_link(value))
        elif kind == CHANGE and value is not None:
            self.changes[key[1:].decode()] = _change(value)
        elif kind in (FOLLOWED, NEXT):
            self.policy.load(key, value)
        elif kind == RESTATED:
            self._restated = None if value is None else value.decode()

    def entry(self, key: bytes) -> bytes | None:
        """What the changelog should hold under a key of its own."""
        kind, name = key[:1], key[1:].decode()
        if kind == FACT:
            customer_id, _, subject = name.partition("\0")
            return self.facts.get(customer_id, {}).get(subject)
        if kind == LINK:
            return encode(self.people.links[name]) if name in self.people.links else None
        if kind in (FOLLOWED, NEXT):
            return self.policy.entry(key)
        if kind == RESTATED:
            return None if self._restated is None else self._restated.encode()
        return encode(self.changes[name]) if name in self.changes else None


def fact_key(customer_id: str, subject: str) -> bytes:
    """The changelog key of a customer's fact about a subject."""
    return FACT + f"{customer_id}\0{subject}".encode()
