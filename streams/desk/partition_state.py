"""The contract between the state of a partition and :mod:`streams.checkpoint`, which saves it.

A state is plain Python: no I/O, no clock, no Faust. It folds the records of its input topics. From time to time it
returns a *snapshot*: the changes and outputs since the last one. A snapshot becomes one record batch in the changelog,
written whole or not at all. So the next owner always starts from a snapshot.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from streams.models.records import Output


class Snapshot(NamedTuple):
    """What a checkpoint writes: the entries changed (None: removed) and the outputs made since the last snapshot."""

    entries: list[tuple[bytes, bytes | None]]
    outputs: list[Output]


class PartitionState(Protocol):
    """The state of one partition. Its methods are called one at a time and never await."""

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry while restoring; a later one of the same key replaces it (value None: removed)."""

    def restored(self) -> None:
        """All entries are loaded: derive the rest of the state. Called once, before the first ``feed``."""

    def feed(self, topic: str, records: Sequence[Any], start: int) -> int:
        """Fold ``records[start:]`` (each a :class:`~streams.models.records.Record`).

        Return the index of the first record *not* folded. May stop early when ``pending_bytes()`` is over the limit;
        the rest is passed again after a checkpoint. Folds at least one record when nothing is pending.
        """

    def advance(self, now: int | None) -> None:
        """Advance business time to ``now``, in ms since the epoch, or (None) to the watermarks of the state.

        May stop early when ``pending_bytes()`` is over the limit: it is called again after a checkpoint.
        """

    def unsaved(self) -> bool:
        """Return True if anything changed, or any output was made, since the last snapshot."""

    def pending_bytes(self) -> int:
        """Return the approximate size of the next snapshot, outputs included."""

    def urgent(self) -> bool:
        """Return True if an output should leave before the usual checkpoint interval."""

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """Return the changes and outputs since the last snapshot, and mark the state clean.

        Arguments:
            version: of this checkpoint; it rises with each checkpoint of a partition, across owners too. Below 2**63.
            offsets: next input offset by topic, as in this checkpoint.
        """

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Emit these keys again in the next snapshot, or their absence: a fenced owner wrote them meanwhile."""


class Said(Protocol):
    """The messages that a partition wrote to its output topics before, as far as its state needs them again."""

    topics: Sequence[str]

    def load(self, value: bytes | None) -> None:
        """Load a message of one of the topics; they come in order, topic by topic."""

    def finish(self, since: int | None) -> None:
        """All is read. `since`: the instant (ms) before which messages are missing; None: none are."""


@runtime_checkable
class ReadsBack(Protocol):
    """A state that may have to read back what its partition said, before it folds anything."""

    def said_rows(self) -> Said | None:
        """Return what to read into, once `restored`; None: nothing has to be read."""
