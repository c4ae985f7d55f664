"""What is no event: put aside as dead letters, until there are too many to be single faults.

Then the producer is wrong, or this release, and going on would bury a log. Decided for each input topic of a partition
over its last records:

    records    ......x..x.xxxxxxxxxxxxxxx      x: no event
               |<------- run ------->|         more than `ratio` of the last `run` are none: stop

Only a refused record can push the share up, so only then is it looked at: events cost nothing. What is counted stands
in the checkpoints, so a worker that is started again stops at once, until the limit is another.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from streams.errors import UserError
from streams.models.dead_letters import dead_letter
from streams.models.records import Output, Record


class DeadLetterLimit(NamedTuple):
    """How many dead letters are too many: more than `ratio` of the last `run` records; with ratio 1 never."""

    ratio: float = 0.5
    run: int = 1000


NEVER = DeadLetterLimit(ratio=1.0)


class TooManyDeadLetters(UserError):
    """A partition stops: one sentence that says what, where, and how a person gets past it."""


class _Topic:
    """The records of one topic: how many were read, and the running numbers (from 1) of the last ones refused."""

    __slots__ = ("read", "refused")

    def __init__(self, read: int, refused: Iterable[int]) -> None:
        self.read, self.refused = read, deque(refused)

    def among_last(self, run: int, number: int) -> int:
        """How many of the last `run` records up to this number were refused."""
        while self.refused and self.refused[0] <= number - run:
            self.refused.popleft()
        return len(self.refused)


class DeadLetterMonitor:
    """The dead letters of one partition since the last cut, and whether they are too many."""

    def __init__(self, partition: int, topics: Iterable[str], limit: DeadLetterLimit) -> None:
        self.partition, self.limit = partition, limit
        self.letters: list[Output] = []
        self.bytes = 0
        self.stop: str | None = None  # why, once they are too many;
        self._stop_saved = False  # and stand in a checkpoint
        self._topics = {topic: _Topic(0, ()) for topic in topics}

    def refuse(self, topic: str, record: Record, reason: str, nth: int) -> None:
        """Put a record aside, the `nth` (from 1) of those that are not counted by `read` yet."""
        letter = dead_letter(topic, record, reason)
        self.letters.append(letter)
        self.bytes += len(letter.value) + 500
        counted = self._topics[topic]
        number = counted.read + nth
        counted.refused.append(number)
        where = f"{topic}[{self.partition}] up to offset {record.offset} are no events (the last: {reason})"
        self._judge(counted, number, where)

    def _judge(self, counted: _Topic, number: int, where: str) -> bool:
        ratio, run = self.limit
        refused = counted.among_last(run, number)
        if number < run or refused <= ratio * run:
            return False
        self.stop = (
            f"{refused:,} of the last {run:,} records of {where}: the worker stops before they bury the log. None is "
            "lost: see `deskwatch dead-letters list`. Mend the producer, or go on with DESKWATCH_DEAD_LETTER_RATIO=1 "
            f"(it is {ratio:g})."
        )
        return True

    def read(self, topic: str, number: int) -> None:
        """So many more records of the topic were read."""
        self._topics[topic].read += number

    def stopping(self) -> bool:
        """Whether they are too many. Raises TooManyDeadLetters once all of them are in a checkpoint."""
        if self.stop is not None and self._stop_saved:
            raise TooManyDeadLetters(self.stop)
        return self.stop is not None

    # Checkpoints

    def clean(self) -> None:
        """All is in a checkpoint."""
        self.letters, self.bytes = [], 0
        self._stop_saved = self.stop is not None

    def dump(self) -> dict[str, tuple[int, list[int]]]:
        """What is counted, by topic."""
        return {topic: (found.read, list(found.refused)) for topic, found in self._topics.items() if found.refused}

    def load(self, counts: dict[str, tuple[int, list[int]]]) -> None:
        """Count on from a checkpoint; if they were too many and are, by the limit of now, stop."""
        for topic, (read, refused) in counts.items():
            self._topics[topic] = counted = _Topic(read, refused)
            self._stop_saved |= self._judge(counted, read, f"{topic}[{self.partition}] are no events")
