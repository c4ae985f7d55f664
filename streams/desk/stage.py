"""The base of the later stages: a state that folds what the partitions of the desk decided, not events.

    desk 0 ──rows, progress──┐
    desk 1 ──rows, progress──┼──> a stage's topic ──> a stage's state ──> facts, rollups, warnings, progress
    desk 2 ──rows, progress──┘

Progress comes behind all rows of a checkpoint, in each partition they went to. So a stage knows how far everything has
come, and its clock is the least of that:

    desk 0    ──rows──|10:05──rows──|10:07
    desk 1    ──rows───────|10:06                    the stage's clock: 10:06
    desk 2    ────|10:04───────────────rows──|10:09

A message may come twice: an outbox that is sent again, or an old one from a former owner that wakes up late. Of an
identity the highest version stands. What comes for the past is folded into the past: a stage's rows are a function of
what it was told and of its clock, and `apply_diff` writes what differs.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.output.panes import KEPT, Panes
from streams.desk.partition_state import Snapshot
from streams.models import messages
from streams.models.dead_letters import dead_letter
from streams.models.records import Output, Record
from streams.models.rows import ProgressRow

Source = tuple[str, int]  # topic_name and partition of progress rows

HEAD, PANE = b"h", b"p"  # first byte of a changelog key; a stage's own entries have others
FULL = 4 << 20  # bytes of a checkpoint above which it is to be written
ROW_BYTES, PANE_BYTES = 400, 600  # about what one takes in a checkpoint
UNKNOWN = -1


class _Message(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Progress(msgspec.Struct):
    rows: list[ProgressRow]


class Head(msgspec.Struct, array_like=True):
    """What a stage knows besides its own entries and its panes."""

    clock: int
    opened: int
    sources: list[ProgressRow]
    reported: tuple[int, dict[str, int]]


_message = msgspec.json.Decoder(_Message).decode
_progress = msgspec.json.Decoder(_Progress).decode
_head = msgspec.msgpack.Decoder(Head).decode


class Sources:
    """How far each of those has come whose messages a stage reads. `expected`: all of them."""

    def __init__(self, expected: Iterable[Source]) -> None:
        self.rows: dict[Source, ProgressRow | None] = dict.fromkeys(expected)

    def see(self, row: ProgressRow) -> bool:
        """Take a source's progress; False if it is not expected, or no newer than what is known."""
        source = (row.topic_name, row.partition)
        known = self.rows.get(source)
        if source not in self.rows or (known is not None and row.version <= known.version):
            return False
        self.rows[source] = row
        return True

    def clock(self, topic_name: str | None = None) -> int:
        """The least instant that all sources (of one name) have come to; UNKNOWN as long as one was never heard."""
        return min(UNKNOWN if row is None else row.as_of for row in self._of(topic_name))

    def seen(self, topic_name: str | None = None) -> dict[str, int]:
        """By partition of the desk, the version of the checkpoint up to which all of it is here, from all sources."""
        seen: dict[str, int] = {}
        for row in self._of(topic_name):
            if row is None:
                return {}
            for partition, version in row.offsets.items():
                seen[partition] = min(version, seen.get(partition, version))
        return seen

    def _of(self, topic_name: str | None) -> list[ProgressRow | None]:
        return [row for source, row in self.rows.items() if topic_name in (None, source[0])]


class Stage(ABC):
    """A `streams.desk.partition_state.PartitionState`. What it is about, its subclass says: `take`, `pass_time`, `own`."""

    name: ClassVar[str]  # customers, watch
    reports: ClassVar[tuple[str, ...]]  # the topics that its rows go to

    def __init__(self, partition: int, sources: Iterable[Source], panes: Panes | None = None) -> None:
        self.partition, self.sources, self.panes = partition, Sources(sources), panes
        self.change_set = ChangeSet(panes)
        self.entries: dict[bytes, bytes | None] = {}  # to be written at the next checkpoint
        self.entry_bytes = 0
        self.clock = UNKNOWN  # business time up to which everything that fell due was written
        self.reported: tuple[int, dict[str, int]] = (UNKNOWN, {})  # as_of and offsets of its progress
        self.totals: Counter[str] = Counter()  # since the start of this process, for the metrics
        self._letters: list[Output] = []
        self._folded = False  # anything since the last cut

    # For the subclass

    @abstractmethod
    def take(self, kind: str, data: msgspec.Raw) -> None:
        """Take a message that is no progress: its CloudEvents type and data. ValueError: it is a dead letter."""

    @abstractmethod
    def pass_time(self, to: int) -> None:
        """Set `self.clock` to `to` and write on `self.change_set` all that follows from that and from what was taken.

        `to` is not before `self.clock`; UNKNOWN: no time has come yet. May stop at an earlier instant when
        `self.full()`: it is called again after a checkpoint.
        """

    def own(self, version: int) -> list[Output]:
        """Outputs of its own, besides the rows on the change_set."""
        return []

    def keep(self, key: bytes, value: bytes | None) -> None:
        """Keep an entry (None: remove it) in the changelog."""
        self.entries[key] = value
        self.entry_bytes += len(key) + (0 if value is None else len(value)) + 40

    @abstractmethod
    def load_entry(self, key: bytes, value: bytes | None) -> None:
        """Take one of its own entries from the changelog."""

    @abstractmethod
    def entry(self, key: bytes) -> bytes | None:
        """What the changelog should hold under the key of one of its own entries."""

    @abstractmethod
    def restored(self) -> None:
        """All entries are in: build what follows from them; nothing is written, for it was before."""

    # Messages

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Take records[start:], or as many of them as fit in a checkpoint; returns the index of the next one."""
        for i in range(start, len(records)):
            record = records[i]
            try:
                message = _message(record.value or b"")
                if message.type == messages.PROGRESS:
                    for row in _progress(message.data).rows:
                        self._folded |= self.sources.see(row)
                else:
                    self.take(message.type, message.data)
                    self._folded = True
            except ValueError as error:  # msgspec's errors are
                self._refuse(topic, record, str(error))
            if self.full():
                return i + 1
        return len(records)

    def _refuse(self, topic: str, record: Record, reason: str) -> None:
        self.totals["dead_letters"] += 1
        self._letters.append(dead_letter(topic, record, reason))
        self._folded = True

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass to where all sources have come; a stage has no other clock (`now` is not looked at)."""
        target = max(self.clock, self.sources.clock())
        self.pass_time(target)
        if self.clock == target >= 0:
            self.reported = (self.clock, self.sources.seen())

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed."""
        return bool(self._folded or self.change_set.rows or self.entries)

    def pending_bytes(self) -> int:
        """About the size of the next checkpoint."""
        panes = 0 if self.panes is None else len(self.panes.changed)
        letters = sum(len(letter.value) + 500 for letter in self._letters)
        return len(self.change_set.rows) * ROW_BYTES + panes * PANE_BYTES * 2 + self.entry_bytes + letters

    def full(self) -> bool:
        """Whether a checkpoint is to be written before anything else."""
        return self.pending_bytes() > FULL

    def urgent(self) -> bool:
        """Whether a warning waits."""
        return self.change_set.urgent

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """All that changed since the last cut, and the outputs made since."""
        rows = list(self.change_set.rows.values())
        outputs = self._letters + messages.messages(self.partition, version, rows, f"/deskwatch/{self.name}")
        entries = list(self.entries.items())
        if self.panes is not None:
            self._cut_panes(self.panes, version, entries, outputs)
        outputs += self.own(version)
        as_of, seen = self.reported
        for topic in self.reports:
            row = ProgressRow(f"{topic}/{self.name}", self.partition, as_of, seen, version)
            outputs.append(messages.progress(topic, row))
        sources = [row for row in self.sources.rows.values() if row is not None]
        head = Head(self.clock, 0 if self.panes is None else self.panes.opened, sources, self.reported)
        entries.append((HEAD, msgspec.msgpack.encode(head)))
        self.change_set.clear()
        self.entries, self.entry_bytes = {}, 0
        self._letters, self._folded = [], False
        return Snapshot(entries, outputs)

    def _cut_panes(
        self, panes: Panes, version: int, entries: list[tuple[bytes, bytes | None]], outputs: list[Output]
    ) -> None:
        panes.put_away(self.clock - KEPT)
        entries += [(_pane_key(minute), None) for minute in panes.closed]
        for minute in panes.changed:
            key, row = panes.dump(minute, version)
            entries.append((_pane_key(minute), row))
            # A key of its own: the desk's pane of this minute is in the same partition of the compacted topic.
            outputs.append(messages.pane(panes.partition, version, b"%d/%b" % (panes.partition, key), row))
        panes.clean()

    # Restore

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one entry of the changelog."""
        kind = key[:1]
        if kind == HEAD:
            if value is not None:
                self._load_head(_head(value))
        elif kind == PANE:
            assert self.panes is not None
            if value is None:
                self.panes.panes.pop(int(key[1:]), None)
            else:
                self.panes.load(value)
        else:
            self.load_entry(key, value)

    def _load_head(self, head: Head) -> None:
        self.clock, self.reported = head.clock, head.reported
        if self.panes is not None:
            self.panes.opened = head.opened
        for row in head.sources:
            self.sources.see(row)

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Write our own values of these keys at the next cut."""
        for key in keys:
            if key[:1] == PANE and self.panes is not None:
                minute = int(key[1:])
                if minute in self.panes.panes:
                    self.panes.changed.add(minute)
                else:
                    self.entries[key] = None
            elif key[:1] != HEAD:
                self.entries[key] = self.entry(key)
        self._folded = True


def _pane_key(minute: int) -> bytes:
    return PANE + str(minute).encode()
