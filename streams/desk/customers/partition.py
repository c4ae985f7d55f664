"""The stage `customers`: one partition's customers, each with what the whole desk told of them.

    desk 0 ──fact of c9──┐                     ┌─ first-contact resolution, complaint-risk warnings,
    desk 1 ──fact of c9──┼─> home of c9: fold ─┤  the customer as they stand
    desk 2 ──fact of c9──┘                     └─ (amended: only what differs is written)

A customer's facts go to the partition of their id. Links go to all partitions, so that everybody knows who is one
person; a person is folded in one place only, the home of the least id, and the homes of the others hand on:

    links       b ── a                          one person: a
    home of b   facts of b ──handed on──┐
    home of a   facts of a ─────────────┴──> folded as a

A home says behind what it handed on how far it has heard the desk; so everybody's clock and progress wait for that too.
What a person's rows are called by contains the person's id: two homes never write the same row.

A policy that takes effect in the past (`streams.desk.policy.restatement`) is followed by one person after another, in order;
until all follow it, no message is taken and no time passes.
"""

from collections.abc import Sequence
from heapq import heappop, heappush

import msgspec

from streams.desk.customers.history import fold
from streams.desk.customers.homes import SINGLE_PARTITION, CustomerPartitioner
from streams.desk.customers.packed_rows import NOTHING, pack, unpack
from streams.desk.customers.snapshot import CHANGE, LINK, RESTATED, CustomersCheckpoints, decode_fact, encode, fact_key
from streams.desk.output.change_set import apply_diff
from streams.desk.policy.versions import Policies
from streams.models import customer_facts as models
from streams.models.customer_facts import CustomerFact, CustomerLink, PolicyChange
from streams.models.instants import DAY
from streams.models.records import Record
from streams.models.rows import Identity, Row

TOGETHER = 2000  # people that time changes between two looks at the checkpoint's size


class _Facts(msgspec.Struct):
    rows: list[CustomerFact]


class _Links(msgspec.Struct):
    rows: list[CustomerLink]


class _Changes(msgspec.Struct):
    rows: list[PolicyChange]


_facts = msgspec.json.Decoder(_Facts).decode
_links = msgspec.json.Decoder(_Links).decode
_changes = msgspec.json.Decoder(_Changes).decode


class Customers(CustomersCheckpoints):
    """The state of one partition of the stage. `homes`, `restate`: as the desk has them."""

    def __init__(
        self, partition: int, policies: Policies, homes: CustomerPartitioner = SINGLE_PARTITION, restate: bool = False
    ) -> None:
        super().__init__(partition, policies, homes, restate)
        self.rows: dict[str, bytes] = {}  # by person, what stands, encoded
        self._queue: list[tuple[int, str]] = []  # a heap of when time changes a person
        self._next: dict[str, int] = {}
        self._gone: dict[str, int] = {}  # by person of whom only withdrawn facts are left, until when
        self._unchanged: list[str] = []  # during a restatement, those who do not follow what it leads to yet

    # Policy

    def _go_on_restating(self) -> bool:
        """If the given policy is not the one that is followed, fold everybody by it, or more of them; whether all are.

        Raises PolicyRefused.
        """
        policy = self.policy
        if policy.next is None:
            if policy.given is policy.followed:
                return True
            policy.differs(self.clock)
            policy.begin()
            self._restate_to("")
            self._unchanged = sorted(self._known())
        while self._unchanged:
            if self.full():
                return False
            together, self._unchanged = self._unchanged[:TOGETHER], self._unchanged[TOGETHER:]
            self.touched.update(together)
            self._restate_to(together[-1])
            self._fold_touched()
        policy.finish()
        self._restate_to(None)
        return policy.given is policy.followed

    def _restate_to(self, person: str | None) -> None:
        self._restated = person
        self.keep(RESTATED, self.entry(RESTATED))

    def _policies(self, person: str) -> Policies:
        """The policies that a person follows."""
        policy = self.policy
        if policy.next is None or self._restated is None or person > self._restated:
            return policy.followed
        return policy.next

    def _known(self) -> set[str]:
        """Everybody of whom anything is known."""
        return {self.people.person(customer_id) for customer_id in self.facts}

    # Messages

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Take records, once everybody follows the given policy. Raises PolicyRefused."""
        return super().feed(topic, records, start) if self._go_on_restating() else start

    def take(self, kind: str, data: msgspec.Raw) -> None:
        """Facts, links or policy changes."""
        if kind == models.FACTS:
            for fact in _facts(data).rows:
                self._takedecode_fact(fact)
        elif kind == models.LINKS:
            for link in _links(data).rows:
                self._take_link(link)
        elif kind == models.CHANGES:
            for change in _changes(data).rows:
                self._take_change(change)
        else:
            raise ValueError(f"the stage customers does not know the type {kind[:100]}")

    def _takedecode_fact(self, fact: CustomerFact) -> None:
        customer_id = fact.customer_id
        known = self.facts.setdefault(customer_id, {})
        stands = known.get(fact.subject)
        if stands is not None and decode_fact(stands).version >= fact.version:
            return
        known[fact.subject] = encoded = encode(fact)
        self.keep(fact_key(customer_id, fact.subject), encoded)
        self.touched.add(customer_id)
        if self.others and self.homes.of(customer_id) == self.partition and not self._is_home(customer_id):
            self._hand_on.append(fact)

    def _take_link(self, link: CustomerLink) -> None:
        concerned = self.people.link(link)
        if not concerned:
            return
        self.keep(LINK + link.key.encode(), encode(link))
        self.touched |= concerned
        for customer_id in concerned:
            if self.homes.of(customer_id) == self.partition and not self._is_home(customer_id):
                self._hand_on += self._facts_of(customer_id)

    def _take_change(self, change: PolicyChange) -> None:
        known = self.changes.get(change.key)
        if known is not None and known.version >= change.version:
            return
        self.changes[change.key] = change
        self.keep(CHANGE + change.key.encode(), encode(change))
        tags = {*change.tags, *(known.tags if known is not None else ())}
        for customer_id in self.facts:  # announced late, it may explain contacts that were
            if any(not tags.isdisjoint((fact.category, *fact.tags)) for fact in self._facts_of(customer_id)):
                self.touched.add(customer_id)

    def _facts_of(self, customer_id: str) -> list[CustomerFact]:
        return [decode_fact(encoded) for encoded in self.facts.get(customer_id, {}).values()]

    def _is_home(self, customer_id: str) -> bool:
        return self.homes.of(self.people.person(customer_id)) == self.partition

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass, once everybody follows the given policy. Raises PolicyRefused."""
        if self._go_on_restating():
            super().advance(now)

    def pass_time(self, to: int) -> None:
        """Fold everybody who was touched or whom time changes, step by step of time."""
        while True:
            last = -1
            while (
                self._queue and self._queue[0][0] < to and (len(self.touched) < TOGETHER or self._queue[0][0] == last)
            ):
                last, person = heappop(self._queue)
                if self._next.get(person) == last:
                    self.touched.add(person)
            self.clock = max(self.clock, min(to, self._queue[0][0]) if self._queue else to)
            self._fold_touched()
            if self.clock >= to or self.full():
                return

    def _fold_touched(self) -> None:
        # An id that was joined to another person takes its own rows back, so its former self is folded too.
        for person in self.touched | {self.people.person(customer_id) for customer_id in self.touched}:
            before, rows = self.rows.pop(person, NOTHING), self._fold(person)
            after = pack(rows)
            if after != before:
                apply_diff(self.change_set, unpack(before), rows)
            if person in self._next:  # else they are forgotten: what was written stands
                self.rows[person] = after
        self.touched.clear()

    def _fold(self, person: str) -> dict[Identity, Row]:
        """The rows of a person, none where they are not at home; whoever is long over is forgotten."""
        queued_at = self._next.pop(person, None)
        if self.people.person(person) != person or self.homes.of(person) != self.partition:
            return {}
        ids = self.people.ids(person)
        known = [fact for customer_id in ids for fact in self._facts_of(customer_id)]
        facts = [fact for fact in known if not fact.is_deleted]
        if not facts:
            if known:
                self._remember_nothing(person, ids, queued_at)
            return {}
        self._gone.pop(person, None)
        folded = fold(ids, facts, self.changes.values(), self._policies(person), self.clock)
        if folded.over:
            self._forget(ids)
        else:
            self._come_up(person, folded.next_at, queued_at)
        return folded.rows

    def _remember_nothing(self, person: str, ids: list[str], queued_at: int | None) -> None:
        """Nothing is theirs any more: that is remembered for a day, for an old message may come late."""
        until = self._gone.setdefault(person, self.clock + DAY)
        if self.clock > until:
            del self._gone[person]
            self._forget(ids)
        else:
            self._come_up(person, until, queued_at)

    def _come_up(self, person: str, at: int, queued_at: int | None) -> None:
        self._next[person] = at
        if at != queued_at:  # else it is in the heap still: those that came up are before the clock
            heappush(self._queue, (at, person))

    def _forget(self, ids: list[str]) -> None:
        for customer_id in ids:
            for subject in self.facts.pop(customer_id, {}):
                self.keep(fact_key(customer_id, subject), None)

    def restored(self) -> None:
        """Fold everybody as of the clock: nothing is written, for it was before. Raises PolicyRefused."""
        self.facts = {customer_id: facts for customer_id, facts in self.facts.items() if facts}
        self.policy.restore(self._restated is not None, self.clock, busy=False)
        for person in self._known():
            if rows := self._fold(person):
                self.rows[person] = pack(rows)
        if self._restated is not None:
            self._unchanged = sorted(person for person in self._known() if person > self._restated)
        self.entries, self.entry_bytes = {}, 0
