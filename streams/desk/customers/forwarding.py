"""Forwarding of facts: a partition may receive facts of a customer that another partition folds.

    links         b ── a                         one customer: a
    home of b     facts of b ──forwarded──┐
    home of a     facts of a ─────────────┴──> folded as a

After the facts it forwards, a partition sends its own upstream watermark; the other partitions' watermarks wait for it.
"""

from collections.abc import Iterable

from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.customers.identities import CustomerIdentities
from streams.desk.upstream import Sender, UpstreamProgress
from streams.models import customer_facts as models
from streams.models import messages
from streams.models.customer_facts import CustomerFact
from streams.models.records import Output
from streams.models.rows import ProgressRow
from streams.models.topics import CUSTOMER_FACTS, CUSTOMERS

FORWARDED = f"{CUSTOMER_FACTS}/{CUSTOMERS}"  # topic_name of the progress rows between partitions
_SOURCE = f"/deskwatch/{CUSTOMERS}"


class Forwarder:
    """The facts to forward with the next snapshot."""

    def __init__(self, partition: int, homes: CustomerPartitioner, identities: CustomerIdentities) -> None:
        self._partition, self._homes, self._identities = partition, homes, identities
        self._others = [number for number in range(homes.partitions) if number != partition]
        self._facts: list[CustomerFact] = []
        self._sent: tuple[int, dict[str, int]] | None = None  # upstream watermark and versions

    def senders(self) -> list[Sender]:
        """The other partitions: they forward facts to this one."""
        return [(FORWARDED, number) for number in self._others]

    def concerns(self, customer_id: str) -> bool:
        """Whether facts of a customer id arrive here, but another partition folds the customer."""
        if not self._others or self._homes.of(customer_id) != self._partition:
            return False
        return self._homes.of(self._identities.canonical(customer_id)) != self._partition

    def add(self, facts: Iterable[CustomerFact]) -> None:
        """Forward facts with the next snapshot."""
        self._facts += facts

    def outputs(self, version: int, upstream: UpstreamProgress) -> list[Output]:
        """The messages of a snapshot: the facts for each home, and this partition's upstream watermark."""
        by_home: dict[int, list[CustomerFact]] = {}
        for fact in self._facts:
            home = self._homes.of(self._identities.canonical(fact.customer_id))
            if home != self._partition:
                by_home.setdefault(home, []).append(fact)
        self._facts = []
        outputs: list[Output] = []
        for home, facts in by_home.items():
            event_id = f"{self._partition}/{version}/{home}/handed-on"
            outputs += messages.batches(CUSTOMER_FACTS, models.FACTS, event_id, facts, _SOURCE, partition=home)
        as_of, versions = upstream.watermark(CUSTOMER_FACTS), upstream.versions(CUSTOMER_FACTS)
        if as_of >= 0 and (as_of, versions) != self._sent:
            self._sent = (as_of, versions)
            row = ProgressRow(FORWARDED, self._partition, as_of, versions, version)
            outputs += [messages.progress(CUSTOMER_FACTS, row, home) for home in self._others]
        return outputs
