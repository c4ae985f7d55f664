"""What a worker holds of one partition, and what it counts of all."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from streams.checkpoint.fencing import LogReader
from streams.desk.partition_state import PartitionState


@dataclass
class Statistics:
    """Counts since the start, for metrics."""

    fed: Counter[str] = field(default_factory=Counter)  # records folded, by input topic
    batches: Counter[str] = field(default_factory=Counter)  # lists of them
    checkpoints: int = 0
    checkpoint_seconds: float = 0.0  # from the cut until its outputs are acknowledged
    records: int = 0
    bytes: int = 0
    outputs: int = 0
    outputs_resent: int = 0
    claims: int = 0
    restores: int = 0
    restore_seconds: float = 0.0
    fenced: int = 0
    given_up: int = 0
    zombie_keys: int = 0
    sought_back: int = 0  # times that records were fetched again, since a list of them was lost on the way
    gaps: int = 0  # runs of offsets that hold no records (transactions, compaction, retention)


@dataclass
class Partition:
    """What a worker holds of one partition: the state and its place in the input topics and the changelog."""

    number: int
    state: PartitionState
    reader: LogReader = field(default_factory=LogReader)
    offsets: dict[str, int] = field(default_factory=dict)
    """Next input offset by topic, as folded."""
    events: list[Any] = field(default_factory=list)
    """Faust events folded, and to be acknowledged with the next checkpoint."""
    gaps: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    """By topic, since the last seek back: the offset wanted, the first one that came instead, and when."""
    stalls: dict[str, tuple[int, float, int]] = field(default_factory=dict)
    """By topic: the offset that is wanted, since when, and up to which one it was fetched again."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """SubjectStore while a checkpoint is under way: there is never more than one."""
    ready: bool = False
    lost: bool = False
    saved_at: float = field(default_factory=time.monotonic)

    def unsaved(self) -> bool:
        """Return True if a checkpoint would tell the changelog anything new."""
        return bool(self.events or self.reader.stale or self.reader.zombie or self.state.unsaved())

    def clean(self) -> bool:
        """Return True if the state equals what the changelog says up to the reader's position."""
        return self.ready and not (self.lost or self.lock.locked() or self.unsaved())

    def abandon(self) -> None:
        """Never write or acknowledge anything again: somebody else folds these records once more."""
        self.lost, self.events = True, []
