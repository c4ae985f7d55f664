"""A small state whose every event crosses keys and depends on the order within its topic, and the events for it."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from streams.desk.partition_state import Snapshot
from streams.models.records import Output

PARTITIONS = 4
TICKETS, CALLS, LEDGER, PANES = "tickets", "calls", "ledger", "panes"

_pack, _unpack = msgspec.msgpack.encode, msgspec.msgpack.decode


class ToyEvent(msgspec.Struct):
    """A ticket moves to a status, or a call for it comes in."""

    id: int
    ticket: int
    status: int


decode = msgspec.json.Decoder(ToyEvent).decode


class ToyState:
    """Counts of each ticket, and panes over them. Topics may interleave in any way: the entries come out the same."""

    def __init__(self, partition: int, prefix: str = "", limit_bytes: int = 4 << 20) -> None:
        self.partition, self.prefix, self.limit_bytes = partition, prefix, limit_bytes
        self.entries: dict[str, list[int]] = {}
        self.dirty: set[str] = set()
        self.rows: list[Output] = []
        self.advanced = 0

    def load(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.entries.pop(key.decode(), None)
        else:
            self.entries[key.decode()] = _unpack(value)

    def restored(self) -> None:
        assert not self.dirty

    def feed(self, topic: str, records: Sequence[Any], start: int) -> int:
        apply = self.ticket if topic.endswith(TICKETS) else self.call
        for index in range(start, len(records)):
            if self.pending_bytes() >= self.limit_bytes:
                return index
            apply(decode(records[index].value))
        return len(records)

    def advance(self, now: int | None) -> None:
        self.advanced += 1

    def unsaved(self) -> bool:
        return bool(self.dirty or self.rows)

    def pending_bytes(self) -> int:
        return 40 * len(self.dirty) + 100 * len(self.rows)

    def urgent(self) -> bool:
        return False

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        dirty, self.dirty = sorted(self.dirty), set()
        outputs, self.rows = self.rows, []
        stamp = (("version", str(version).encode()),)
        entries: list[tuple[bytes, bytes | None]] = []
        for key in dirty:
            entry = self.entries.get(key)
            value = None if entry is None else _pack(entry)
            entries.append((key.encode(), value))
            if key.startswith("pane") and value is not None:
                outputs.append(Output(self.prefix + PANES, f"{self.partition}{key}".encode(), value, stamp))
        return Snapshot(entries, outputs)

    def rewrite_keys(self, keys: set[bytes]) -> None:
        self.dirty |= {key.decode() for key in keys}

    def pane(self, key: str, amount: int) -> None:
        pane = self.entries.setdefault(f"pane|{key}", [0, 0])
        pane[0] += 1
        pane[1] += amount
        self.dirty.add(f"pane|{key}")

    def ticket(self, event: ToyEvent) -> None:
        key = f"t{event.ticket}"
        ticket = self.entries.setdefault(key, [0, 0, 0])
        before, ticket[0] = ticket[0], event.status
        ticket[1] += 1
        self.dirty.add(key)
        self.pane(f"move|{event.ticket % 20}|{before}>{event.status}", event.id)
        row = b"%d>%d|%d" % (before, event.status, event.id)
        self.rows.append(Output(self.prefix + LEDGER, b"%d|%d" % (event.ticket, ticket[1]), row))

    def call(self, event: ToyEvent) -> None:
        key = f"t{event.ticket}"
        ticket = self.entries.setdefault(key, [0, 0, 0])
        ticket[2] += 1
        self.dirty.add(key)
        if ticket[2] % 3 == 0:
            self.pane(f"repeat|{event.ticket % 20}", event.id)
            self.entries.pop(f"flag{event.ticket}", None)  # entries disappear, too
        else:
            self.entries[f"flag{event.ticket}"] = [ticket[2] % 3]
        self.dirty.add(f"flag{event.ticket}")


def toy_events(seed: int, tickets: int = 2000) -> Iterator[tuple[str, ToyEvent]]:
    """Yield (topic, event) for ever."""
    rng, number = random.Random(seed), 0
    while True:
        topic = TICKETS if rng.random() < 0.6 else CALLS
        yield topic, ToyEvent(number, rng.randrange(tickets), rng.randrange(6))
        number += 1


def offline(events: Sequence[tuple[str, ToyEvent]]) -> tuple[list[dict[str, list[int]]], dict[bytes, bytes | None]]:
    """Fold the events with no broker: return each partition's entries and the ledger's rows."""
    states = [ToyState(number) for number in range(PARTITIONS)]
    for topic, event in events:
        state = states[event.ticket % PARTITIONS]
        (state.ticket if topic == TICKETS else state.call)(event)
    rows = {row.key: row.value for state in states for row in state.rows if row.key is not None}
    return [state.entries for state in states], dict(rows)
