"""The next deadline of each subject, and the progress of time.

time passes        by instant, then by subject:     09:00 t1 │ 09:00 t7   09:02 t1
                                                             ^ (business_time, passed_for): may stop in between
"""

from heapq import heappush

Deadline = tuple[int, str]
"""An instant (ms), and the name of the subject to process when it has passed."""


class Deadlines:
    """A heap of deadlines, popped in order. An entry that is no longer its subject's deadline is ignored."""

    def __init__(self) -> None:
        self.heap: list[Deadline] = []
        self.business_time = -1  # time has passed up to this instant
        self.passed_for = ""  # subjects with names up to this one are done with that instant

    def put(self, at: int, name: str) -> None:
        """Add a deadline."""
        heappush(self.heap, (at, name))

    def passed_all(self, until: int) -> None:
        """Record that time has passed up to `until`, for all subjects."""
        self.business_time, self.passed_for = until, ""

    def time_of(self, name: str) -> int:
        """The instant up to which time has passed for a subject."""
        return self.business_time + (bool(self.passed_for) and name <= self.passed_for)
