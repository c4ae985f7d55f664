"""The contract between a partition's state, which decides, and its checkpoints, which keep it.

A state is plain Python: no I/O, no clock, no Faust. It folds the records of its input topics, and is asked now and then
for a *snapshot*: what changed since the last one, and the outputs made since. A snapshot becomes one record batch in
the changelog, which is written whole or not at all. So a successor always starts from a snapshot.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from streams.models.records import Output


class Snapshot(NamedTuple):
    """What a checkpoint writes: the entries changed since the last one (None: removed) and the outputs made since."""

    entries: list[tuple[bytes, bytes | None]]
    outputs: list[Output]


class PartitionState(Protocol):
    """The state of one partition. Its methods are called one at a time and never await."""

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one entry of the changelog, while restoring; a later one of the same key replaces it (None: removed)."""

    def restored(self) -> None:
        """All entries are in: build what is derived from them. Called once, before the first ``feed``."""

    def feed(self, topic: str, records: Sequence[Any], start: int) -> int:
        """Fold ``records[start:]`` (each a :class:`Record`) and return the index of the first one *not* folded.

        May stop early when ``pending_bytes()`` is over the limit; the rest comes again after a checkpoint. Folds at
        least one record when nothing is pending.
        """

    def advance(self, now: int | None) -> None:
        """Let time pass: up to ``now``, in ms since the epoch, or up to the state's own watermarks (None).

        May stop early when ``pending_bytes()`` is over the limit: it is called again after a checkpoint.
        """

    def unsaved(self) -> bool:
        """Return True if anything changed, or any output was made, since the last snapshot."""

    def pending_bytes(self) -> int:
        """Return the estimated size of the next snapshot in bytes, outputs included."""

    def urgent(self) -> bool:
        """Return True if an output waits that should leave sooner than at the usual interval."""

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """Return what changed since the last snapshot, and mark it clean.

        Arguments:
            version: of this checkpoint; rises with every one of a partition, across owners too. Below 2**63.
            offsets: next input offset by topic, as they will stand in this checkpoint.
        """

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Write the state's own values of these keys with the next snapshot: a fenced owner wrote them since."""
