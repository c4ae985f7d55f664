"""The fencing rule of the changelog: which batches count, and their writers. PURE: no Kafka, no clock.

A *checkpoint* is one record batch, appended whole or not at all:

    header (epoch, owner, sequence, number of records, next input offsets) | changed entries | outbox

A batch **counts** if its epoch is higher than any before it in the log, or if it has the same epoch and owner with a
higher sequence. All other batches were written by a *zombie*, a former owner that does not know it was replaced;
readers skip them.

A new owner reads the log, appends a *claim* (a batch of one record with a higher epoch and no offsets), and reads the
batches in between. The base offset of the claim is the true end of the log, so no watermark of the broker is trusted:

    owner A   ──c1──c2──────────────c3(zombie: epoch 1 after epoch 2)──>   skipped by every reader
    owner B   ───────────claim(epoch 2)──────c1──c2──>                     B sees that its c1 did not follow its claim,
                                                                           reads c3 and writes c3's keys again

Compaction keeps the *last* record of a key, so a zombie's record must not stay the last one: an owner that sees skipped
keys writes them again at once, and the changelog's ``min.compaction.lag.ms`` leaves an hour for that.

A claim must not carry offsets or share the header's key: compaction would then let it hide a checkpoint.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from streams.desk.partition_state import Snapshot
from streams.models.records import Output

HEAD, CLAIM, ENTRY, OUTBOX = b"#", b"!", b"=", b">"
"""First byte of the key of a changelog record: its kind. HEAD is the header of a checkpoint."""

Entry = tuple[bytes, bytes | None]
"""Key and value of a changelog record."""


class LogRecord(Protocol):
    """A record of the changelog, as read."""

    @property
    def offset(self) -> int:
        """Its offset in the changelog."""

    @property
    def key(self) -> bytes | None:
        """Its kind and key."""

    @property
    def value(self) -> bytes | None:
        """None is a tombstone."""


class Header(msgspec.Struct, array_like=True, frozen=True):
    """First record of a checkpoint, and the only one of a claim (sequence 0, no records, no offsets)."""

    epoch: int
    owner: str
    sequence: int
    records: int
    offsets: dict[str, int]


_encode = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(Header).decode
_decode_outputs = msgspec.msgpack.Decoder(
    list[tuple[str, bytes | None, bytes, tuple[tuple[str, bytes], ...], int | None]]
).decode

OUTBOX_RECORD_BYTES = 256 << 10
"""Approximate size of an outbox record, bytes: one record per output would cost more than the output itself."""


def version(epoch: int, sequence: int) -> int:
    """Return the version of a checkpoint; it rises with each counting one. Below 2**63: epoch < 2**31."""
    return epoch << 32 | sequence


def _slot(number: int) -> bytes:
    return OUTBOX + number.to_bytes(4, "big")


def outbox_records(outputs: Iterable[Output]) -> Iterator[bytes]:
    """Yield the values of the outbox records that hold these outputs."""
    pack: list[Output] = []
    size = 0
    for output in outputs:
        pack.append(output)
        size += len(output.value)
        if size > OUTBOX_RECORD_BYTES:
            yield _encode(pack)
            pack, size = [], 0
    if pack:
        yield _encode(pack)


@dataclass
class LogReader:
    """The position in one partition's changelog, after the records given to :meth:`apply` and the batches written."""

    position: int = 0
    """Changelog offset expected next."""
    epoch: int = -1
    owner: str = ""
    sequence: int = 0
    offsets: dict[str, int] = field(default_factory=dict)
    """Next input offset by topic, of the last counting checkpoint."""
    outbox: list[Output] = field(default_factory=list)
    """Outputs of the last counting checkpoint. They are sent again, since it is unknown whether they were sent."""
    slots: int = 0
    """Outbox keys 0..slots-1 may hold a value; the next checkpoint overwrites each or writes a tombstone."""
    stale: set[bytes] = field(default_factory=set)
    """Entry keys whose last record is a zombie's."""
    zombie: bool = False
    """A skipped batch follows the last counting checkpoint: the owner must write another one, even an empty one."""
    checkpoints: int = 0
    """Number of counting checkpoints read."""
    _skip_to: int = 0
    _packs: int = 0  # outbox records of the last checkpoint made here

    def apply(self, records: Iterable[LogRecord], load: Callable[[bytes, bytes | None], None]) -> None:
        """Apply records in log order, ignoring those before ``position``; ``load`` gets the entries that count."""
        for record in records:
            if record.offset < self.position:
                continue
            self.position = record.offset + 1
            key, value = record.key or b"", record.value
            kind = key[:1]
            if kind == ENTRY:
                if record.offset < self._skip_to:
                    self.stale.add(key[1:])
                else:
                    load(key[1:], value)
                    self.stale.discard(key[1:])
            elif kind == OUTBOX:
                self._apply_outbox(record.offset, int.from_bytes(key[1:], "big"), value)
            elif kind in (HEAD, CLAIM) and value is not None:
                self._apply_header(record.offset, kind, _decode_header(value))

    def _apply_header(self, offset: int, kind: bytes, header: Header) -> None:
        newer = (header.epoch, header.owner) == (self.epoch, self.owner) and header.sequence > self.sequence
        if not newer and header.epoch <= self.epoch:
            self._skip_to = offset + 1 + header.records
            self.zombie = self.zombie or kind == HEAD
            return
        self.epoch, self.owner, self.sequence, self._skip_to = header.epoch, header.owner, header.sequence, 0
        if kind == HEAD:
            self.offsets, self.outbox, self.zombie = header.offsets, [], False
            self.checkpoints += 1

    def _apply_outbox(self, offset: int, slot: int, value: bytes | None) -> None:
        if value is None:
            self.slots = min(self.slots, slot)
            return
        self.slots = max(self.slots, slot + 1)
        if offset >= self._skip_to:
            self.outbox += [Output(*output) for output in _decode_outputs(value)]

    def probe(self) -> "LogReader":
        """Return a reader that continues from here, to inspect records of others without applying them here."""
        return LogReader(self.position, self.epoch, self.owner, self.sequence)

    # --- as the owner -------------------------------------------------------------------------------------------------

    def claim(self, generation: int, owner: str) -> tuple[int, list[Entry]]:
        """Return the epoch of a claim and its batch. The group's generation may start again at 1, hence the maximum."""
        epoch = max(generation, self.epoch + 1)
        return epoch, [(CLAIM, _encode(Header(epoch, owner, 0, 0, {})))]

    def claimed(self, base: int, epoch: int, owner: str) -> bool:
        """The claim is at ``base``; all records before it are applied. Return False if a higher claim came first."""
        self.position = base + 1
        if epoch <= self.epoch:
            return False
        self.epoch, self.owner, self.sequence = epoch, owner, 0
        return True

    def checkpoint(self, snapshot: Snapshot, offsets: dict[str, int]) -> list[Entry]:
        """Return the batch of the owner's next checkpoint (sequence + 1), with tombstones for unused outbox slots."""
        records: list[Entry] = [(ENTRY + key, value) for key, value in snapshot.entries]
        packs = list(outbox_records(snapshot.outputs))
        records += [(_slot(number), pack) for number, pack in enumerate(packs)]
        records += [(_slot(number), None) for number in range(len(packs), self.slots)]
        self._packs = len(packs)
        header = Header(self.epoch, self.owner, self.sequence + 1, len(records), offsets)
        return [(HEAD, _encode(header)), *records]

    def wrote(self, base: int, records: int, between: Iterable[LogRecord]) -> bool:
        """The last checkpoint, of ``records`` records, is at ``base``; others appended ``between`` before it.

        Return False if ``between`` holds a higher claim: another worker owns the partition, and nothing may be sent.
        """
        probe = self.probe()
        probe.apply(between, lambda _key, _value: None)
        if probe.epoch > self.epoch:
            return False
        self.stale |= probe.stale
        self.slots = max(self._packs, probe.slots)  # a zombie's slots below ours are overwritten by now
        self.zombie = False  # the last header is ours now
        self.sequence += 1
        self.position = base + records
        return True
