"""Records that are not valid events: rejected one by one, until there are too many for isolated faults.

A high rejection rate means a broken producer or release; continuing would dead-letter the whole log. Each input topic
of a partition is judged by its last records:

    records    ......x..x.xxxxxxxxxxxxxxx      x: rejected
               |<------ window ----->|         more than `max_ratio` of them are rejected: stop

Only a rejected record can raise the ratio, so it is checked only then: valid events cost nothing. The counts are saved,
so a restarted worker stops at once, unless the limit was changed.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from streams.desk.output.dead_letters import DeadLetters
from streams.errors import UserError
from streams.models.records import Record


class DeadLetterLimit(NamedTuple):
    """The limit: more than `max_ratio` of the last `window` records of a topic. A max_ratio of 1 disables it."""

    max_ratio: float = 0.5
    window: int = 1000


NO_LIMIT = DeadLetterLimit(max_ratio=1.0)


class TooManyDeadLetters(UserError):
    """A partition stops. The message says what happened, where, and how to continue."""


class _Topic:
    """The records of one topic: the number read, and the running numbers (from 1) of the last ones rejected."""

    __slots__ = ("read", "rejected")

    def __init__(self, read: int, rejected: Iterable[int]) -> None:
        self.read, self.rejected = read, deque(rejected)

    def rejected_among_last(self, window: int, number: int) -> int:
        """The number of rejected records among the last `window` up to this number."""
        while self.rejected and self.rejected[0] <= number - window:
            self.rejected.popleft()
        return len(self.rejected)


class DeadLetterMonitor:
    """The dead letters of one partition since the last snapshot, checked against the limit."""

    def __init__(self, partition: int, topics: Iterable[str], limit: DeadLetterLimit) -> None:
        self.partition, self.limit = partition, limit
        self.letters = DeadLetters()
        self.stop: str | None = None  # the reason to stop, once there are too many dead letters
        self._stop_saved = False  # whether those dead letters are in a checkpoint
        self._topics = {topic: _Topic(0, ()) for topic in topics}

    def reject(self, topic: str, record: Record, reason: str, nth: int) -> None:
        """Write a record as a dead letter: the `nth` (from 1) of those not yet passed to `count_read`."""
        self.letters.add(topic, record, reason)
        counts = self._topics[topic]
        number = counts.read + nth
        counts.rejected.append(number)
        where = f"{topic}[{self.partition}] up to offset {record.offset} are no events (the last: {reason})"
        self._judge(counts, number, where)

    def _judge(self, counts: _Topic, number: int, where: str) -> bool:
        ratio, window = self.limit
        rejected = counts.rejected_among_last(window, number)
        if number < window or rejected <= ratio * window:
            return False
        self.stop = (
            f"{rejected:,} of the last {window:,} records of {where}: the worker stops before they bury the log. None "
            "is lost: see `deskwatch dead-letters list`. Mend the producer, or go on with "
            f"DESKWATCH_DEAD_LETTER_RATIO=1 (it is {ratio:g})."
        )
        return True

    def count_read(self, topic: str, number: int) -> None:
        """Count `number` more records of the topic as read."""
        self._topics[topic].read += number

    def is_stopping(self) -> bool:
        """Whether the limit is exceeded. Raises TooManyDeadLetters once all dead letters are in a checkpoint."""
        if self.stop is not None and self._stop_saved:
            raise TooManyDeadLetters(self.stop)
        return self.stop is not None

    # Checkpoints

    def saved(self) -> None:
        """All dead letters so far are in a snapshot."""
        self._stop_saved = self.stop is not None

    def dump(self) -> dict[str, tuple[int, list[int]]]:
        """The counts, by topic."""
        return {topic: (found.read, list(found.rejected)) for topic, found in self._topics.items() if found.rejected}

    def load(self, counts: dict[str, tuple[int, list[int]]]) -> None:
        """Restore the counts from a checkpoint; stop if they exceed the present limit."""
        for topic, (read, rejected) in counts.items():
            self._topics[topic] = found = _Topic(read, rejected)
            self._stop_saved |= self._judge(found, read, f"{topic}[{self.partition}] are no events")
