"""Records that are no events: rejected one by one, until there are too many to be single faults.

A high rejection rate means a broken producer or release; continuing would dead-letter the whole log. It is decided for
each input topic of a partition, over its last records:

    records    ......x..x.xxxxxxxxxxxxxxx      x: no event
               |<------ window ----->|         more than `max_ratio` of them are rejected: stop

Only a rejected record can raise the ratio, so only then is it looked at: events cost nothing. The counts are saved, so
a worker that is started again stops at once, until the limit is another.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from streams.desk.output.dead_letters import DeadLetters
from streams.errors import UserError
from streams.models.records import Record


class DeadLetterLimit(NamedTuple):
    """The limit: more than `max_ratio` of the last `window` records of a topic. With max_ratio 1 there is none."""

    max_ratio: float = 0.5
    window: int = 1000


NO_LIMIT = DeadLetterLimit(max_ratio=1.0)


class TooManyDeadLetters(UserError):
    """A partition stops: one sentence that says what, where, and how a person gets past it."""


class _Topic:
    """The records of one topic: how many were read, and the running numbers (from 1) of the last ones rejected."""

    __slots__ = ("read", "rejected")

    def __init__(self, read: int, rejected: Iterable[int]) -> None:
        self.read, self.rejected = read, deque(rejected)

    def rejected_among_last(self, window: int, number: int) -> int:
        """How many of the last `window` records up to this number were rejected."""
        while self.rejected and self.rejected[0] <= number - window:
            self.rejected.popleft()
        return len(self.rejected)


class DeadLetterMonitor:
    """The dead letters of one partition since the last snapshot, and whether they are too many."""

    def __init__(self, partition: int, topics: Iterable[str], limit: DeadLetterLimit) -> None:
        self.partition, self.limit = partition, limit
        self.letters = DeadLetters()
        self.stop: str | None = None  # the reason to stop, once there are too many,
        self._stop_saved = False  # and whether it is in a checkpoint
        self._topics = {topic: _Topic(0, ()) for topic in topics}

    def reject(self, topic: str, record: Record, reason: str, nth: int) -> None:
        """Write a record as a dead letter: the `nth` (from 1) of those that `count_read` does not have yet."""
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
        """So many more records of the topic were read."""
        self._topics[topic].read += number

    def is_stopping(self) -> bool:
        """Whether there are too many. Raises TooManyDeadLetters once all of them are in a checkpoint."""
        if self.stop is not None and self._stop_saved:
            raise TooManyDeadLetters(self.stop)
        return self.stop is not None

    # Checkpoints

    def saved(self) -> None:
        """All is in a snapshot."""
        self._stop_saved = self.stop is not None

    def dump(self) -> dict[str, tuple[int, list[int]]]:
        """The counts, by topic."""
        return {topic: (found.read, list(found.rejected)) for topic, found in self._topics.items() if found.rejected}

    def load(self, counts: dict[str, tuple[int, list[int]]]) -> None:
        """Count on from a checkpoint; if there were too many, and are by the present limit, stop."""
        for topic, (read, rejected) in counts.items():
            self._topics[topic] = found = _Topic(read, rejected)
            self._stop_saved |= self._judge(found, read, f"{topic}[{self.partition}] are no events")
