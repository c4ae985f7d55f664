"""The next deadline of each subject, and how far time has passed.

time passes        by instant, then by subject:     09:00 t1 │ 09:00 t7   09:02 t1
                                                             ^ (business_time, passed_for): it may stop between two
"""

from heapq import heappush
from typing import NamedTuple


class Deadline(NamedTuple):
    """An instant (ms), and the subject that is to be looked at when it has passed."""

    at: int
    name: str


class Deadlines:
    """A heap of deadlines, to be popped in order. One that its subject does not have any more stays in it as void."""

    def __init__(self) -> None:
        self.heap: list[Deadline] = []
        self.business_time = -1  # time has passed up to this instant,
        self.passed_for = ""  # and, for the subjects with names up to this one, to the end of it

    def put(self, at: int, name: str) -> None:
        """Add a deadline."""
        heappush(self.heap, Deadline(at, name))

    def passed(self, at: int, name: str) -> None:
        """Time has passed up to a deadline; one that was added late does not turn time back."""
        self.business_time, self.passed_for = max((at, name), (self.business_time, self.passed_for))

    def passed_all(self, until: int) -> None:
        """Time has passed up to `until`, for all subjects."""
        self.business_time, self.passed_for = until, ""

    def time_of(self, name: str) -> int:
        """The instant up to which time has passed for a subject."""
        return self.business_time + (bool(self.passed_for) and name <= self.passed_for)
