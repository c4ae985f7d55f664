"""Per-partition runtime state, and worker-wide statistics."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from streams.checkpoint.fencing import LogReader
from streams.desk.partition_state import PartitionState


@dataclass
class Statistics:
    """Counts of a table since the start, for metrics."""

    fed: Counter[str] = field(default_factory=Counter)  # records folded, by input topic
    batches: Counter[str] = field(default_factory=Counter)  # fetched batches folded, by input topic
    checkpoints: int = 0
    checkpoint_seconds: float = 0.0  # from the snapshot until its outputs are acknowledged
    records: int = 0  # of checkpoints, in the changelog
    bytes: int = 0
    outputs: int = 0
    outputs_resent: int = 0
    claims: int = 0
    restores: int = 0
    restore_seconds: float = 0.0
    fenced: int = 0  # checkpoints that another owner's claim fenced
    given_up: int = 0  # partitions whose unsaved work was abandoned
    zombie_keys: int = 0  # keys of a zombie that were written again
    sought_back: int = 0  # times that records were fetched again
    gaps: int = 0  # runs of offsets without records (transactions, compaction, retention)


@dataclass
class Partition:
    """One partition that this worker owns: the state, and its position in the input topics and the changelog."""

    number: int
    state: PartitionState
    reader: LogReader = field(default_factory=LogReader)
    offsets: dict[str, int] = field(default_factory=dict)
    """Next input offset by topic, as folded."""
    events: list[Any] = field(default_factory=list)
    """Faust events that are folded; the next checkpoint acknowledges them."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Locked during a checkpoint: there is never more than one."""
    ready: bool = False
    """Taken over: it may fold and write."""
    abandoned: bool = False
    """It must never write or acknowledge again."""
    saved_at: float = field(default_factory=time.monotonic)
    """When the last checkpoint was written, on the monotonic clock."""

    def unsaved(self) -> bool:
        """Return True if a checkpoint would change the changelog."""
        return bool(self.events or self.reader.stale or self.reader.zombie or self.state.unsaved())

    def clean(self) -> bool:
        """Return True if the state equals what the changelog says up to the reader's position."""
        return self.ready and not (self.abandoned or self.lock.locked() or self.unsaved())

    def abandon(self) -> None:
        """Never write or acknowledge again: the next owner folds the unsaved records once more."""
        self.abandoned, self.events = True, []
