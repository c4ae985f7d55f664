"""The fencing rule of the changelog under random schedules of owners and zombies, without any lease.

    owner 1   claim ── c1 ── c2 ── (frozen) ───────────── c3 ── ...
    owner 2                     claim ── c1 ── c2 ── ...

After every append a new reader must see exactly the fold of the events in the last counting checkpoint.
"""

import random
from collections.abc import Generator
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.checkpoint import fencing
from streams.checkpoint.fencing import HEAD, LogReader, version
from streams.desk.partition_state import Snapshot
from streams.models.records import Output

Entries = dict[bytes, bytes]
Event = tuple[bytes, int]


class Appended(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None


class Log:
    """A changelog partition in memory. Compacted, it keeps each key's last record, and all of the newest ``kept``."""

    def __init__(self) -> None:
        self.records: list[Appended] = []
        self.batches: list[list[Appended]] = []
        self.end = 0

    def append(self, batch: list[tuple[bytes, bytes | None]]) -> int:
        base = self.end
        self.batches.append([Appended(base + number, key, value) for number, (key, value) in enumerate(batch)])
        self.records += self.batches[-1]
        self.end += len(batch)
        return base

    def between(self, start: int, end: int) -> list[Appended]:
        return [record for record in self.records if start <= record.offset < end]

    def compact(self, kept: int) -> None:
        last = {record.key: record.offset for record in self.records}
        self.records = [
            record for record in self.records if record.offset >= self.end - kept or last[record.key] == record.offset
        ]


class Reading:
    """A reader, and the entries that counted."""

    def __init__(self, log: Log, end: int | None = None) -> None:
        self.reader, self.entries = LogReader(), dict[bytes, bytes]()
        self.reader.apply(log.between(0, log.end if end is None else end), self.load)

    def load(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.entries.pop(key, None)
        else:
            self.entries[key] = value


def fold(entries: Entries, event: Event) -> set[bytes]:
    """Change two keys, depending on the former value, and sometimes remove one. Return the keys changed."""
    key, amount = event
    before = int(entries.get(key, b"0"))
    pane = b"pane%d" % (before % 3)
    entries[key] = b"%d" % (before + amount)
    if before % 4 == 3:
        entries.pop(pane, None)
    else:
        entries[pane] = b"%d" % (int(entries.get(pane, b"0")) + amount)
    return {key, pane}


def folded(events: list[Event]) -> Entries:
    entries: Entries = {}
    for event in events:
        fold(entries, event)
    return entries


class Owner:
    """A worker on one partition; it yields wherever it may be frozen."""

    def __init__(self, name: str, generation: int, log: Log, events: list[Event], rng: random.Random) -> None:
        self.name, self.generation, self.log, self.events, self.rng = name, generation, log, events, rng
        self.sent: list[list[Output]] = []

    def run(self) -> Generator[None]:
        held = Reading(self.log)
        reader = held.reader
        yield
        while True:
            epoch, batch = reader.claim(self.generation, self.name)
            yield
            base = self.log.append(batch)
            yield
            reader.apply(self.log.between(reader.position, base), held.load)
            if reader.claimed(base, epoch, self.name):
                break
        yield
        self.sent += [reader.outbox] if reader.outbox else []
        count, dirty = reader.offsets.get("in", 0), set(reader.stale)
        reader.stale.clear()
        while count < len(self.events):
            for event in self.events[count : (count := count + self.rng.randrange(1, 8))]:
                dirty |= fold(held.entries, event)
            count = min(count, len(self.events))
            stamp = (("version", b"%d" % version(reader.epoch, reader.sequence + 1)),)
            outputs = [Output("out", None, b"%d" % slot, stamp) for slot in range(self.rng.randrange(1, 4))]
            snapshot = Snapshot([(key, held.entries.get(key)) for key in sorted(dirty)], outputs)
            batch = reader.checkpoint(snapshot, {"in": count})
            dirty = set()
            yield  # frozen between the check of its lease and the append
            start, base = reader.position, self.log.append(batch)
            yield
            if not reader.wrote(base, len(batch), self.log.between(start, base)):
                return
            self.sent.append(outputs)
            dirty |= reader.stale
            reader.stale.clear()
            yield


def schedule(seed: int, compact: int | None = None) -> int:
    """Run one random schedule; return how many zombies' batches were skipped."""
    rng = random.Random(seed)
    events = [(b"t%d" % rng.randrange(6), rng.randrange(5)) for _ in range(400)]
    log, owners, running, generation = Log(), list[Owner](), list[Generator[None]](), 0
    for _step in range(600):
        if not running or rng.random() < 0.03:
            generation += 1
            owners.append(Owner(f"w{generation}", generation if rng.random() < 0.9 else 1, log, events, rng))
            running.append(owners[-1].run())
        actor = running[-1] if rng.random() < 0.7 else rng.choice(running)
        end = log.end
        if next(actor, "over") == "over":
            running.remove(actor)
        if log.end != end:
            seen = Reading(log)
            assert seen.entries == folded(events[: seen.reader.offsets.get("in", 0)])
        if compact is not None and rng.random() < 0.05:
            log.compact(compact)
    check_outputs(log, owners)
    counted = Reading(log).reader.checkpoints
    return sum(record.key == HEAD for record in log.records) - counted


def check_outputs(log: Log, owners: list[Owner]) -> None:
    """Every output sent is in a counting checkpoint; the outputs of each of these were sent, or are yet to be."""
    reader, counted = LogReader(), dict[int, list[Output]]()
    for batch in log.batches:
        checkpoints = reader.checkpoints
        reader.apply(batch, lambda _key, _value: None)
        if reader.checkpoints > checkpoints:
            counted[version(reader.epoch, reader.sequence)] = reader.outbox
    sent = {int(outputs[0].headers[0][1]): outputs for owner in owners for outputs in owner.sent}
    for owner in owners:
        assert all(counted[int(outputs[0].headers[0][1])] == outputs for outputs in owner.sent)
    assert not {number for number in counted if number < max(sent)} - set(sent)


@pytest.mark.parametrize("compact", [None, 300], ids=["whole", "compacted"])
def test_a_reader_sees_exactly_the_counting_checkpoints(compact: int | None) -> None:
    skipped = sum(schedule(seed, compact) for seed in range(12))
    assert skipped > 5  # else the schedules show nothing


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=6), st.integers(0, 5), st.sampled_from([0, 4])
)
def test_the_outbox_of_the_last_checkpoint_is_read_back_byte_for_byte(
    checkpoints: list[tuple[int, int]], zombie_outputs: int, pack: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fencing, "OUTBOX_RECORD_BYTES", pack)  # bytes: one output a record, or some
        log, owner = Log(), LogReader()
        epoch, claim = owner.claim(1, "a")
        assert owner.claimed(log.append(claim), epoch, "a")
        zombie = Reading(log).reader
        outputs: list[Output] = []
        for number, (count, entries) in enumerate(checkpoints):
            headers = (("n", b"%d" % number),)
            outputs = [Output("out", None if slot % 2 else b"k", b"v%d" % slot, headers) for slot in range(count)]
            snapshot = Snapshot([(b"e%d" % entry, b"%d" % number) for entry in range(entries)], outputs)
            batch = owner.checkpoint(snapshot, {"in": number})
            base = log.append(batch)
            assert owner.wrote(base, len(batch), [])
        zombie.epoch = -1  # as it was before the claim
        log.append(zombie.checkpoint(Snapshot([], [Output("out", b"z", b"z")] * zombie_outputs), {"in": 99}))
        reader = Reading(log).reader
        assert reader.outbox == outputs
        assert reader.zombie
        assert pack or reader.slots >= max(len(outputs), zombie_outputs)
        log.append(reader.checkpoint(Snapshot([], []), {"in": 7}))
        after = Reading(log).reader
        assert (after.outbox, after.slots, after.zombie, after.offsets) == ([], 0, False, {"in": 7})


def test_a_zombies_keys_are_written_again_before_compaction_keeps_them() -> None:
    """
    old    c1(k=1) ────────────────── zombie(k=9)
    new             claim ── c1(k=2) ───────────── c2 ── c3(k=2 again)   ── compacted ──> k=2
    """
    log, old, new = Log(), LogReader(), LogReader()
    epoch, claim = old.claim(1, "old")
    assert old.claimed(log.append(claim), epoch, "old")
    first = old.checkpoint(Snapshot([(b"k", b"1")], []), {"in": 1})
    assert old.wrote(log.append(first), len(first), [])
    new.apply(log.records, lambda _key, _value: None)
    epoch, claim = new.claim(2, "new")
    assert new.claimed(log.append(claim), epoch, "new")
    second = new.checkpoint(Snapshot([(b"k", b"2")], []), {"in": 2})
    assert new.wrote(log.append(second), len(second), [])
    log.append(old.checkpoint(Snapshot([(b"k", b"9")], []), {"in": 9}))
    empty = new.checkpoint(Snapshot([], []), {"in": 3})
    start, base = new.position, log.append(empty)
    assert new.wrote(base, len(empty), log.between(start, base))
    assert new.stale == {b"k"}
    again = new.checkpoint(Snapshot([(b"k", b"2")], []), {"in": 3})
    assert new.wrote(log.append(again), len(again), [])
    log.compact(0)
    seen = Reading(log)
    assert (seen.entries, seen.reader.offsets) == ({b"k": b"2"}, {"in": 3})


def test_a_batch_that_was_sent_twice_counts_once() -> None:
    """A produce request that timed out may still arrive: before its second copy, or long after it.

    claim ── c1 ── c1' ── c2 ── c1''
    """
    log, owner = Log(), LogReader()
    epoch, claim = owner.claim(1, "a")
    assert owner.claimed(log.append(claim), epoch, "a")
    first = owner.checkpoint(Snapshot([(b"k", b"1")], []), {"in": 1})
    start, _base = owner.position, log.append(first)
    again = log.append(first)
    assert owner.wrote(again, len(first), log.between(start, again))
    second = owner.checkpoint(Snapshot([(b"k", b"2")], []), {"in": 2})
    assert owner.wrote(log.append(second), len(second), [])
    log.append(first)
    seen = Reading(log)
    assert (seen.entries, seen.reader.offsets) == ({b"k": b"2"}, {"in": 2})
    assert seen.reader.stale == {b"k"}


def test_a_version_rises_across_owners_and_fits_in_63_bits() -> None:
    assert version(1, 2**32 - 1) < version(2, 0) < version(2, 1)
    assert version(2**31 - 1, 2**32 - 1) < 2**63
