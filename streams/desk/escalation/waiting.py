"""The warnings whose next move has to wait its turn, in the order in which these happen at the desk. Pure.

    messages     t2 joins 10:05 ─ t1 leaves 10:04 ─ t1 joins 10:02
    folded       t1 joins 10:02 ─ t1 leaves 10:04 ─ t2 joins 10:05        up to the instant that all desks have told

At an instant warnings leave before others join, and those join first that take precedence.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

import msgspec

from streams.desk.escalation.chain import StoredWarning
from streams.desk.escalation.incidents import precedence
from streams.desk.escalation.stays import Move

WAITING_BYTES = 700
"""Approximate size of a waiting warning in a checkpoint, bytes."""

Turn = tuple[int, bool, int, int, str, str]
"""The order of moves: instant, whether it joins, precedence in the incident (ends with the warning's id), parent."""

Name = tuple[str, str]
"""Of a warning: its id, and the parent whose incident it concerns."""


class WaitingWarnings:
    """The last message of each waiting warning, by its id and parent."""

    prefix = b"w"

    def __init__(self) -> None:
        self._warnings: dict[Name, StoredWarning] = {}
        self._turns: dict[Name, Turn] = {}  # other entries of the heap are void
        self._heap: list[Turn] = []
        self._changed: set[Name] = set()
        self._saved: set[Name] = set()  # in the changelog: most are folded before the next checkpoint

    def get(self, warning_id: str, parent_id: str) -> StoredWarning | None:
        """Return the warning that waits."""
        return self._warnings.get((warning_id, parent_id))

    def put(self, warning: StoredWarning, move: Move | None) -> None:
        """Let the warning wait for its next move; None: it has none."""
        if move is not None:
            name = (warning.warning_id, warning.parent_id)
            self._warnings[name] = warning
            self._changed.add(name)
        self.queue(warning, move)

    def queue(self, warning: StoredWarning, move: Move | None) -> None:
        """Queue the next move of a warning that waits; None: it waits no longer."""
        if move is None:
            self._discard(warning)
            return
        turn = (move.at, move.joins, *precedence(warning), warning.parent_id)
        self._turns[warning.warning_id, warning.parent_id] = turn
        heappush(self._heap, turn)

    def _discard(self, warning: StoredWarning) -> None:
        """The warning does not wait any more, if it did."""
        name = (warning.warning_id, warning.parent_id)
        if self._warnings.pop(name, None) is not None:
            self._turns.pop(name, None)
            if name in self._saved:
                self._changed.add(name)
            else:
                self._changed.discard(name)

    def next(self, before: int) -> StoredWarning | None:
        """Return the warning with the next move before an instant (ms)."""
        heap = self._heap
        while heap and heap[0][0] < before:
            turn = heap[0]
            name = turn[4:]
            if self._turns.get(name) == turn:
                return self._warnings[name]
            heappop(heap)
        return None

    def all(self) -> list[StoredWarning]:
        """All that wait."""
        return list(self._warnings.values())

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed since the last checkpoint."""
        return bool(self._changed)

    def pending_bytes(self) -> int:
        """The approximate size of what changed, bytes."""
        return len(self._changed) * WAITING_BYTES

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog; `queue` follows when all are loaded."""
        name = _name_of(key)
        if value is None:
            self._warnings.pop(name, None)
            self._saved.discard(name)
        else:
            self._warnings[name] = msgspec.msgpack.decode(value, type=StoredWarning)
            self._saved.add(name)

    def value(self, key: bytes) -> bytes | None:
        """Return a warning, encoded; None: it does not wait."""
        warning = self._warnings.get(_name_of(key))
        return None if warning is None else msgspec.msgpack.encode(warning)

    def changed(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the entries that changed since the last checkpoint."""
        changed, self._changed = self._changed, set()
        for name in changed:
            key = self.prefix + "\n".join(name).encode()
            value = self.value(key)
            if value is None:
                self._saved.discard(name)
            else:
                self._saved.add(name)
            yield key, value


def _name_of(key: bytes) -> Name:
    """The id and the parent in a key of the changelog."""
    warning_id, _, parent_id = key[1:].decode().partition("\n")
    return warning_id, parent_id
