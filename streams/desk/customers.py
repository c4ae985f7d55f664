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

A policy that takes effect in the past (`streams.desk.policy_change`) is followed by one person after another, in order;
until all follow it, no message is taken and no time passes.
"""

from collections.abc import Sequence
from heapq import heappop, heappush

import msgspec

from streams.desk import messages
from streams.desk.customer import fold
from streams.desk.customer_facts import HERE, Homes
from streams.desk.panes import LocalDays, Panes
from streams.desk.people import People
from streams.desk.policy import Policies
from streams.desk.policy_change import FOLLOWED, NEXT, Following
from streams.desk.sheet import amend
from streams.desk.stage import Stage
from streams.models import customer_facts as models
from streams.models.customer_facts import CustomerFact, CustomerLink, PolicyChange
from streams.models.instants import DAY
from streams.models.rows import FactRow, Identity, ProgressRow, Row, WarningRow
from streams.models.standings import CustomerRow
from streams.partition_state import Cut, Output, Record

FACT, LINK, CHANGE = b"f", b"l", b"c"  # first byte of a changelog key
RESTATED = b"r"  # the changelog key of the last person who follows the policy that a restatement leads to
HANDED_ON = f"{messages.CUSTOMER_FACTS}/customers"  # topic_name of the progress of homes among themselves
PANES = 1000  # added to the partition: the number of its panes
PERSON_BYTES = 1200  # about what one takes in a checkpoint
TOGETHER = 2000  # people that time changes between two looks at the checkpoint's size


class _Facts(msgspec.Struct):
    rows: list[CustomerFact]


class _Links(msgspec.Struct):
    rows: list[CustomerLink]


class _Changes(msgspec.Struct):
    rows: list[PolicyChange]


class _Rows(msgspec.Struct, array_like=True):
    """All rows of a person, by kind."""

    facts: list[FactRow]
    warnings: list[WarningRow]
    customers: list[CustomerRow]


_facts = msgspec.json.Decoder(_Facts).decode
_links = msgspec.json.Decoder(_Links).decode
_changes = msgspec.json.Decoder(_Changes).decode
_fact = msgspec.msgpack.Decoder(CustomerFact).decode
_link = msgspec.msgpack.Decoder(CustomerLink).decode
_change = msgspec.msgpack.Decoder(PolicyChange).decode
_rows = msgspec.msgpack.Decoder(_Rows).decode
_encode = msgspec.msgpack.Encoder().encode


class Customers(Stage):
    """The state of one partition of the stage. `homes`, `restate`: as the desk has them."""

    name = "customers"
    reports = (messages.FACTS, messages.ROLLUPS, messages.WARNINGS)

    def __init__(self, partition: int, policies: Policies, homes: Homes = HERE, restate: bool = False) -> None:
        others = [number for number in range(homes.partitions) if number != partition]
        sources = [(messages.CUSTOMER_FACTS, number) for number in range(homes.partitions)]
        sources += [(HANDED_ON, number) for number in others]
        self.policy = Following(partition, policies, restate)
        days = LocalDays(lambda at: self.policy.followed.at(at).timezone)
        super().__init__(partition, sources, Panes(PANES + partition, days))
        self.homes, self.others = homes, others
        self.facts: dict[str, dict[str, bytes]] = {}  # by customer id and subject, encoded: very many, seldom needed
        self.people = People()
        self.changes: dict[str, PolicyChange] = {}
        self.rows: dict[str, bytes] = {}  # by person, what stands, encoded
        self.touched: set[str] = set()  # ids whose person is to be folded
        self._queue: list[tuple[int, str]] = []  # a heap of when time changes a person
        self._next: dict[str, int] = {}
        self._gone: dict[str, int] = {}  # by person of whom only withdrawn facts are left, until when
        self._restated: str | None = None  # during a restatement, the last person who follows what it leads to
        self._unchanged: list[str] = []  # those who do not yet
        self._hand_on: list[CustomerFact] = []
        self._said: tuple[int, dict[str, int]] | None = None  # to the other homes: how far the desk was heard

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
                self._take_fact(fact)
        elif kind == models.LINKS:
            for link in _links(data).rows:
                self._take_link(link)
        elif kind == models.CHANGES:
            for change in _changes(data).rows:
                self._take_change(change)
        else:
            raise ValueError(f"the stage customers does not know the type {kind[:100]}")

    def _take_fact(self, fact: CustomerFact) -> None:
        customer_id = fact.customer_id
        known = self.facts.setdefault(customer_id, {})
        stands = known.get(fact.subject)
        if stands is not None and _fact(stands).version >= fact.version:
            return
        known[fact.subject] = encoded = _encode(fact)
        self.keep(_fact_key(customer_id, fact.subject), encoded)
        self.touched.add(customer_id)
        if self.others and self.homes.of(customer_id) == self.partition and not self._is_home(customer_id):
            self._hand_on.append(fact)

    def _take_link(self, link: CustomerLink) -> None:
        concerned = self.people.link(link)
        if not concerned:
            return
        self.keep(LINK + link.key.encode(), _encode(link))
        self.touched |= concerned
        for customer_id in concerned:
            if self.homes.of(customer_id) == self.partition and not self._is_home(customer_id):
                self._hand_on += self._facts_of(customer_id)

    def _take_change(self, change: PolicyChange) -> None:
        known = self.changes.get(change.key)
        if known is not None and known.version >= change.version:
            return
        self.changes[change.key] = change
        self.keep(CHANGE + change.key.encode(), _encode(change))
        tags = {*change.tags, *(known.tags if known is not None else ())}
        for customer_id in self.facts:  # announced late, it may explain contacts that were
            if any(not tags.isdisjoint((fact.category, *fact.tags)) for fact in self._facts_of(customer_id)):
                self.touched.add(customer_id)

    def _facts_of(self, customer_id: str) -> list[CustomerFact]:
        return [_fact(encoded) for encoded in self.facts.get(customer_id, {}).values()]

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
            before, rows = self.rows.pop(person, _NOTHING), self._fold(person)
            after = _pack(rows)
            if after != before:
                amend(self.sheet, _unpack(before), rows)
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
                self.keep(_fact_key(customer_id, subject), None)

    # Checkpoints

    def pending_bytes(self) -> int:
        """About the size of the next checkpoint, with the people who are to be folded."""
        return super().pending_bytes() + len(self.touched) * PERSON_BYTES

    def cut(self, version: int, offsets: dict[str, int]) -> Cut:
        """All that changed since the last cut, and the outputs made since."""
        self.entries |= self.policy.entries
        self.policy.entries = {}
        return super().cut(version, offsets)

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
            made += messages.batches(messages.CUSTOMER_FACTS, models.FACTS, event_id, facts, source, partition=home)
        as_of, seen = self.sources.clock(messages.CUSTOMER_FACTS), self.sources.seen(messages.CUSTOMER_FACTS)
        if as_of >= 0 and (as_of, seen) != self._said:
            self._said = (as_of, seen)
            row = ProgressRow(HANDED_ON, self.partition, as_of, seen, version)
            made += [messages.progress(messages.CUSTOMER_FACTS, row, home) for home in self.others]
        return made

    # Restore

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

    def restored(self) -> None:
        """Fold everybody as of the clock: nothing is written, for it was before. Raises PolicyRefused."""
        self.facts = {customer_id: facts for customer_id, facts in self.facts.items() if facts}
        self.policy.restore(self._restated is not None, self.clock, busy=False)
        for person in self._known():
            if rows := self._fold(person):
                self.rows[person] = _pack(rows)
        if self._restated is not None:
            self._unchanged = sorted(person for person in self._known() if person > self._restated)
        self.entries, self.entry_bytes = {}, 0

    def entry(self, key: bytes) -> bytes | None:
        """What the changelog should hold under a key of its own."""
        kind, name = key[:1], key[1:].decode()
        if kind == FACT:
            customer_id, _, subject = name.partition("\0")
            return self.facts.get(customer_id, {}).get(subject)
        if kind == LINK:
            return _encode(self.people.links[name]) if name in self.people.links else None
        if kind in (FOLLOWED, NEXT):
            return self.policy.entry(key)
        if kind == RESTATED:
            return None if self._restated is None else self._restated.encode()
        return _encode(self.changes[name]) if name in self.changes else None


def _fact_key(customer_id: str, subject: str) -> bytes:
    return FACT + f"{customer_id}\0{subject}".encode()


def _pack(rows: dict[Identity, Row]) -> bytes:
    """A person's rows, before a checkpoint sets their version."""
    packed = _Rows([], [], [])
    for row in rows.values():
        if isinstance(row, FactRow):
            packed.facts.append(row)
        elif isinstance(row, WarningRow):
            packed.warnings.append(row)
        else:
            assert isinstance(row, CustomerRow)
            packed.customers.append(row)
    return _encode(packed)


def _unpack(packed: bytes) -> dict[Identity, Row]:
    found = _rows(packed)
    rows: list[Row] = [*found.facts, *found.warnings, *found.customers]
    return {row.identity(): row for row in rows}


_NOTHING = _pack({})
