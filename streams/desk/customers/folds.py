"""The rows of each customer of a partition: a fold of all facts, repeated when a fact changes or time passes."""

from collections.abc import Callable, Iterable

from streams.desk.customers.facts import FactStore, PolicyChanges
from streams.desk.customers.history import fold
from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.customers.identities import CustomerIdentities
from streams.desk.customers.packed_rows import NO_ROWS, pack, unpack
from streams.desk.customers.timers import Timers
from streams.desk.output.change_set import ChangeSet, apply_diff
from streams.desk.policy.versions import Policies
from streams.models.entities import CustomerRow
from streams.models.instants import DAY, NEVER
from streams.models.rows import FactRow, Identity, Row, WarningRow

TICKET = "t"  # first letter of a ticket's subject


def names_of(row: Row) -> Iterable[str]:
    """The customer whom a row is about."""
    if isinstance(row, FactRow):
        return (row.cause_id,)
    return (row.customer_id,) if isinstance(row, CustomerRow | WarningRow) else ()


class CustomerFolds:
    """The current rows of each customer, by canonical id.

    Arguments:
        partition, homes: decide which customers are folded here.
        facts, identities, changes: the input of the folds.
        policies_of: returns the policies that a customer follows.
        change_set: receives the differences.
    """

    def __init__(
        self,
        partition: int,
        homes: CustomerPartitioner,
        facts: FactStore,
        identities: CustomerIdentities,
        changes: PolicyChanges,
        policies_of: Callable[[str], Policies],
        change_set: ChangeSet,
    ) -> None:
        self.timers = Timers()
        self._partition, self._homes = partition, homes
        self._facts, self._identities, self._changes = facts, identities, changes
        self._policies_of, self._change_set = policies_of, change_set
        self._rows: dict[str, bytes] = {}
        self._tombstones: dict[str, int] = {}  # customers with only deleted facts -> when to forget them

    def customers(self) -> set[str]:
        """The canonical ids of all known customers."""
        return {self._identities.canonical(customer_id) for customer_id in self._facts}

    def refold(self, touched: Iterable[str], as_of: int) -> None:
        """Fold the customers of these ids as of an instant, and write the differences."""
        ids = set(touched)
        # An id now linked to another customer has to withdraw its own rows, so it is folded too.
        for customer in ids | {self._identities.canonical(customer_id) for customer_id in ids}:
            before, rows = self._rows.pop(customer, NO_ROWS), self._fold(customer, as_of)
            after = pack(rows)
            if after != before:
                apply_diff(self._change_set, unpack(before), rows)
            if customer in self.timers:  # else the customer is forgotten: its rows stay written
                self._rows[customer] = after

    def rows(self, customer: str) -> dict[Identity, Row]:
        """The current rows of a customer."""
        return unpack(self._rows.get(customer, NO_ROWS))

    def in_scope(self, customer: str, rows: dict[Identity, Row]) -> dict[Identity, Row]:
        """Of all rows ever written for a customer, those that the facts held now decide.

        A customer that was forgotten, and perhaps came back, keeps the warnings and verdicts of before:

            |== t1, warning ==|     forgotten      |== t7 ==      as it stands, what t7 gave
        """
        facts = [fact for each in self._identities.ids(customer) for fact in self._facts.of(each)]
        tickets = {fact.subject[1:] for fact in facts if fact.subject[0] == TICKET}
        began_at = min((fact.known_at for fact in facts if not fact.is_deleted), default=NEVER)
        return {
            identity: row
            for identity, row in rows.items()
            if isinstance(row, CustomerRow)
            or (isinstance(row, WarningRow) and row.raised_at >= began_at)
            or (isinstance(row, FactRow) and row.subject in tickets)
        }

    def restore(self, as_of: int) -> None:
        """Fold all customers; emits nothing: these rows were emitted before."""
        for customer in self.customers():
            if rows := self._fold(customer, as_of):
                self._rows[customer] = pack(rows)

    def _fold(self, customer: str, as_of: int) -> dict[Identity, Row]:
        """Return the rows of a customer, none if it is not folded here. Forgets a customer whose history is over."""
        former = self.timers.stop(customer)
        if self._identities.canonical(customer) != customer or self._homes.of(customer) != self._partition:
            return {}
        ids = self._identities.ids(customer)
        known = [fact for customer_id in ids for fact in self._facts.of(customer_id)]
        facts = [fact for fact in known if not fact.is_deleted]
        if not facts:
            if known:
                self._keep_tombstone(customer, ids, as_of, former)
            return {}
        self._tombstones.pop(customer, None)
        folded = fold(ids, facts, self._changes.all(), self._policies_of(customer), as_of)
        if folded.over:
            self._forget(ids)
        else:
            self.timers.start(customer, folded.next_at, former)
        return folded.rows

    def _keep_tombstone(self, customer: str, ids: list[str], as_of: int, former: int | None) -> None:
        """No facts remain. Keep a tombstone for a day in case a stale message arrives."""
        until = self._tombstones.setdefault(customer, as_of + DAY)
        if as_of > until:
            del self._tombstones[customer]
            self._forget(ids)
        else:
            self.timers.start(customer, until, former)

    def _forget(self, ids: list[str]) -> None:
        for customer_id in ids:
            self._facts.forget(customer_id)
