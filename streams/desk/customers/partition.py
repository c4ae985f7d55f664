"""The stage `customers`: one partition's customers, each with the facts from all partitions of track.

    desk 0 ──fact of c9──┐                     ┌─ first-contact resolution, complaint-risk warnings,
    desk 1 ──fact of c9──┼─> home of c9: fold ─┤  the customer's row
    desk 2 ──fact of c9──┘                     └─ (only differences are written)

The facts of a customer id go to the partition of that id, its home. Links go to all partitions, so that each knows
which ids are one customer. Only the home of the canonical id folds the customer; the homes of the other ids forward
their facts (`streams.desk.customers.forwarding`). The identities of a customer's rows contain the canonical id: two
partitions never write the same row.

A policy that takes effect in the past (`streams.desk.policy.restatement`) is applied to one customer after another, in
order of their ids. Until that is done, no message is folded and no time passes.
"""

from collections.abc import Callable, Sequence

import msgspec

from streams.desk.customers.facts import FactStore, PolicyChanges
from streams.desk.customers.folds import CustomerFolds, names_of
from streams.desk.customers.forwarding import Forwarder
from streams.desk.customers.homes import SINGLE_PARTITION, CustomerPartitioner
from streams.desk.customers.identities import CustomerIdentities
from streams.desk.output.change_set import ChangeSet
from streams.desk.output.panes import Panes
from streams.desk.output.release import ReleaseRestatement, silently
from streams.desk.output.said_rows import SaidRows
from streams.desk.output.saved_panes import SavedPanes
from streams.desk.partition_state import Snapshot
from streams.desk.policy.restatement import Following, Restatement, SavedRestatement
from streams.desk.policy.versions import Policies
from streams.desk.saved import FULL
from streams.desk.stage import Stage, source_of
from streams.models import customer_facts as models
from streams.models.customer_facts import CustomerFact, CustomerLink, PolicyChange
from streams.models.instants import DAY
from streams.models.records import Record
from streams.models.topics import CUSTOMER_FACTS, CUSTOMERS, CUSTOMERS_TOPICS, FACTS, WARNINGS

RESTATED = b"r"  # changelog key of a restatement's progress
FIRST_PANES = 1000  # added to the partition number in panes, which keeps them apart from track's
BATCH_SIZE = 2000  # customers folded between two checks of the snapshot's size
CUSTOMER_BYTES = 1200  # estimated size in a snapshot of a customer yet to be folded


class _Facts(msgspec.Struct):
    rows: list[CustomerFact]


class _Links(msgspec.Struct):
    rows: list[CustomerLink]


class _Changes(msgspec.Struct):
    rows: list[PolicyChange]


_facts = msgspec.json.Decoder(_Facts).decode
_links = msgspec.json.Decoder(_Links).decode
_changes = msgspec.json.Decoder(_Changes).decode


class Customers:
    """The state of one partition of the stage (`streams.desk.partition_state.PartitionState`).

    `homes`, `restate`, `say`: see :class:`streams.desk.track.partition.Desk`.
    """

    def __init__(
        self,
        partition: int,
        policies: Policies,
        homes: CustomerPartitioner = SINGLE_PARTITION,
        restate: bool = False,
        say: Callable[[str], None] = silently,
    ) -> None:
        self.policy = Following(partition, policies, restate)
        self.restatement = Restatement()
        self.facts, self.changes, self.identities = FactStore(), PolicyChanges(), CustomerIdentities()
        self.touched: set[str] = set()  # ids whose customer has to be folded
        self._saved_restatement = SavedRestatement(RESTATED, self.restatement)
        self._counted = (
            self.facts,
            self.identities,
            self.changes,
            self._saved_restatement,
        )
        self._forwarder = Forwarder(partition, homes, self.identities)
        panes = Panes(FIRST_PANES + partition, lambda at: self.policy.followed.local_time.begin(at, DAY))
        # A separate key: track's pane of the same minute is in the same partition of the compacted topic.
        saved_panes = SavedPanes(panes, b"%d/" % panes.partition)
        change_set = ChangeSet(panes)
        said = SaidRows((FACTS, WARNINGS), source_of(CUSTOMERS), names_of, lambda name: self.release.is_pending(name))
        self.release = ReleaseRestatement(CUSTOMERS, partition, said, change_set, say)
        self.stage = Stage(
            CUSTOMERS,
            partition,
            CUSTOMERS_TOPICS,
            [*((CUSTOMER_FACTS, number) for number in range(homes.partitions)), *self._forwarder.senders()],
            change_set,
            [*self._counted, self.policy],
            saved_panes,
            self.release,
        )
        self.totals = self.stage.totals
        self.folds = CustomerFolds(
            partition, homes, self.facts, self.identities, self.changes, self._policies_of, self.stage.change_set
        )

    @property
    def business_time(self) -> int:
        """The instant (ms) up to which all due rows were written; -1 before any."""
        return self.stage.business_time

    # Policy

    def _is_restated(self) -> bool:
        """Whether all customers follow this release's rules and the given policy; if not, begin or continue restating.

        Raises PolicyRefused.
        """
        if self.release.progress is not None:
            self.stage.folded = True
            if not self.release.go_on(self._restate_by_rules, self.full, self.business_time):
                return False
        return self.policy.go_on_restating(self.business_time, self._begin_restating, self._go_on_restating)

    def _begin_restating(self, _policies: Policies) -> None:
        self.restatement.begin(self.folds.customers())
        self._saved_restatement.put()

    def _go_on_restating(self) -> bool:
        if not self.restatement.go_on(self._restate, self.full, BATCH_SIZE):
            return False
        self._saved_restatement.put()
        return True

    def _restate(self, customers: list[str]) -> None:
        self.touched.update(customers)
        self._saved_restatement.put()
        self._fold_touched()

    def _restate_by_rules(self, customer: str) -> None:
        folds = self.folds
        before, after = self.release.said.take(customer), folds.rows(customer)
        self.release.write(folds.in_scope(customer, before), folds.in_scope(customer, after))

    def _policies_of(self, customer: str) -> Policies:
        """The policies that a customer follows."""
        policy = self.policy
        return policy.followed if policy.next is None or self.restatement.is_pending(customer) else policy.next

    # Messages

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Fold records[start:], once all customers follow the given policy; returns the next index.

        Raises PolicyRefused."""
        if not self._is_restated():
            return start
        return self.stage.feed(topic, records, start, self._fold_message, self.full)

    def _fold_message(self, kind: str, data: msgspec.Raw) -> None:
        if kind == models.FACTS:
            for fact in _facts(data).rows:
                self._store_fact(fact)
        elif kind == models.LINKS:
            for link in _links(data).rows:
                self._store_link(link)
        elif kind == models.CHANGES:
            for change in _changes(data).rows:
                self._store_change(change)
        else:
            raise ValueError(f"the stage customers does not know the type {kind[:100]}")

    def _store_fact(self, fact: CustomerFact) -> None:
        if not self.facts.put(fact):
            return
        self.touched.add(fact.customer_id)
        if self._forwarder.concerns(fact.customer_id):
            self._forwarder.add([fact])

    def _store_link(self, link: CustomerLink) -> None:
        concerned = self.identities.link(link)
        self.touched |= concerned
        for customer_id in concerned:
            if self._forwarder.concerns(customer_id):
                self._forwarder.add(self.facts.of(customer_id))

    def _store_change(self, change: PolicyChange) -> None:
        tags = self.changes.put(change)
        if tags is None:
            return
        for customer_id in self.facts:  # a late announcement may explain earlier contacts
            if any(not tags.isdisjoint((fact.category, *fact.tags)) for fact in self.facts.of(customer_id)):
                self.touched.add(customer_id)

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass, once all customers follow the given policy. Raises PolicyRefused."""
        if self._is_restated():
            self.stage.advance(self._pass_time)

    def _pass_time(self, until: int) -> None:
        """Fold all customers that were touched or have a timer due, in batches of timers."""
        while True:
            reached = self.folds.timers.collect(until, self.touched, BATCH_SIZE)
            self.stage.business_time = max(self.business_time, reached)
            self._fold_touched()
            if self.business_time >= until or self.full():
                return

    def _fold_touched(self) -> None:
        self.folds.refold(self.touched, self.business_time)
        self.touched.clear()

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed."""
        return self.stage.unsaved() or any(part.pending.entries for part in self._counted)

    def pending_bytes(self) -> int:
        """The approximate size of the next snapshot, bytes, including the customers yet to be folded."""
        entries = sum(part.pending.bytes for part in self._counted)
        return self.stage.pending_bytes() + entries + len(self.touched) * CUSTOMER_BYTES

    def full(self) -> bool:
        """Whether a checkpoint has to be written before anything else."""
        return self.pending_bytes() > FULL

    def urgent(self) -> bool:
        """Whether a warning waits to be sent."""
        return self.stage.change_set.urgent

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """All changes and outputs since the last snapshot."""
        return self.stage.snapshot(version, self._forwarder.outputs(version, self.stage.upstream))

    def said_rows(self) -> SaidRows | None:
        """The rows to be read back before anything is folded, if the checkpoint is of other rules."""
        return self.release.to_read()

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog."""
        self.stage.load(key, value)

    def restored(self) -> None:
        """All entries are loaded: fold all customers. Raises PolicyRefused."""
        self.policy.restore(self.restatement.under_way, self.business_time, busy=False)
        self.release.begin(self.folds.customers())  # before those are forgotten whose history is over
        self.folds.restore(self.business_time)
        if self.restatement.under_way:
            self.restatement.begin(self.folds.customers(), self.restatement.done)
        for part in self._counted:  # customers forgotten during a restore are forgotten at every restore
            part.pending.take()

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Write this partition's own values of these keys with the next snapshot."""
        self.stage.rewrite_keys(keys)
