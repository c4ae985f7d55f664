"""The rule of the changelog: which of its batches count, and whose they are. Pure: no Kafka, no clock.

A *checkpoint* is one record batch, appended whole or not at all:

    head (epoch, owner, sequence, number of records, next input offsets) | changed entries | outbox

A batch **counts** if its epoch is higher than any before it in the log, or if it is of the same epoch and owner with a
higher sequence. All else was written by a *zombie*, a former owner that does not know it yet, and is skipped.

A new owner reads the log, appends a *claim* (a batch of one record with a higher epoch and no offsets), and reads what
came in between. The claim's base offset is the true end of the log, so no watermark of the broker is trusted:

    owner A   ──c1──c2──────────────c3(zombie: epoch 1 after epoch 2)──>   skipped by every reader
    owner B   ───────────claim(epoch 2)──────c1──c2──>                     B sees that its c1 did not follow its claim,
                                                                           reads c3 and writes c3's keys once more

Compaction keeps the *last* record of a key, so a zombie's must not stay the last one: whoever sees skipped keys writes
them again at once, and the changelog's ``min.compaction.lag.ms`` leaves an hour for that.

A claim that carried offsets, or shared the head's key, would be wrong: compaction would then let it hide a checkpoint.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from streams.desk.partition_state import Snapshot
from streams.models.records import Output

HEAD, CLAIM, ENTRY, OUTBOX = b"#", b"!", b"=", b">"
"""First byte of a changelog record's key: what the record is."""

Entry = tuple[bytes, bytes | None]
"""Key and value of a changelog record."""


class LogRecord(Protocol):
    """A record of the changelog, as read."""

    @property
    def offset(self) -> int:
        """Its place in the changelog."""

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

PACK = 256 << 10
"""About how many bytes of outputs one record of the outbox holds: a record for each would cost more than the output."""


def version(epoch: int, sequence: int) -> int:
    """Return a checkpoint's version, which rises along a partition's counting batches. Below 2**63: epoch < 2**31."""
    return epoch << 32 | sequence


def _slot(number: int) -> bytes:
    return OUTBOX + number.to_bytes(4, "big")


def _packed(outputs: Iterable[Output]) -> Iterator[bytes]:
    pack: list[Output] = []
    size = 0
    for output in outputs:
        pack.append(output)
        size += len(output.value)
        if size > PACK:
            yield _encode(pack)
            pack, size = [], 0
    if pack:
        yield _encode(pack)


@dataclass
class LogReader:
    """Where one partition's changelog stands, after the records given to :meth:`apply` and the batches written."""

    position: int = 0
    """Changelog offset expected next."""
    epoch: int = -1
    owner: str = ""
    sequence: int = 0
    offsets: dict[str, int] = field(default_factory=dict)
    """Next input offset by topic, of the last counting checkpoint."""
    outbox: list[Output] = field(default_factory=list)
    """Outputs of the last counting checkpoint: to be sent again, since nobody knows whether they were."""
    slots: int = 0
    """Outbox keys 0..slots-1 may hold a value; the next checkpoint overwrites or tombstones each."""
    stale: set[bytes] = field(default_factory=set)
    """Entry keys whose last record is a zombie's."""
    zombie: bool = False
    """A skipped batch follows the last counting checkpoint: a new checkpoint must follow, even an empty one."""
    checkpoints: int = 0
    """Counting checkpoints read."""
    _skip_to: int = 0
    _packs: int = 0  # slots of the last checkpoint made here

    def apply(self, records: Iterable[LogRecord], load: Callable[[bytes, bytes | None], None]) -> None:
        """Take in records in log order, but none before ``position``; ``load`` gets the entries that count."""
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
        """Return a reader that goes on from here, to look at what others appended without taking it in."""
        return LogReader(self.position, self.epoch, self.owner, self.sequence)

    # --- as the owner -------------------------------------------------------------------------------------------------

    def claim(self, generation: int, owner: str) -> tuple[int, list[Entry]]:
        """Return a claim's epoch and its batch. The group's generation may start again at 1, hence the maximum."""
        epoch = max(generation, self.epoch + 1)
        return epoch, [(CLAIM, _encode(Header(epoch, owner, 0, 0, {})))]

    def claimed(self, base: int, epoch: int, owner: str) -> bool:
        """The claim stands at ``base``, and all before it was applied: return False if a higher claim came first."""
        self.position = base + 1
        if epoch <= self.epoch:
            return False
        self.epoch, self.owner, self.sequence = epoch, owner, 0
        return True

    def checkpoint(self, cut: Snapshot, offsets: dict[str, int]) -> list[Entry]:
        """Return the batch of the owner's next checkpoint (sequence + 1), the last outbox's left-over slots cleared."""
        records: list[Entry] = [(ENTRY + key, value) for key, value in cut.entries]
        packs = list(_packed(cut.outputs))
        records += [(_slot(number), pack) for number, pack in enumerate(packs)]
        records += [(_slot(number), None) for number in range(len(packs), self.slots)]
        self._packs = len(packs)
        header = Header(self.epoch, self.owner, self.sequence + 1, len(records), offsets)
        return [(HEAD, _encode(header)), *records]

    def wrote(self, base: int, records: int, between: Iterable[LogRecord]) -> bool:
        """The last checkpoint, of ``records`` records, stands at ``base``; ``between`` is what others put before it.

        Returns False if one of them is a higher claim: the partition is somebody else's, and nothing may be sent.
        """
        probe = self.probe()
        probe.apply(between, lambda _key, _value: None)
        if probe.epoch > self.epoch:
            return False
        self.stale |= probe.stale
        self.slots = max(self._packs, probe.slots)  # a zombie's slots below ours have just been overwritten
        self.zombie = False  # ours is the last head now
        self.sequence += 1
        self.position = base + records
        return True
