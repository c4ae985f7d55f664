"""The next deadline of each subject, and the progress of time.

time passes        by instant, then by subject:     09:00 t1 │ 09:00 t7   09:02 t1
                                                             ^ (business_time, passed_for): may stop in between
"""

Deadline = tuple[int, str]
"""An instant (ms), and the name of the subject to process when it has passed."""


class Deadlines:
    """The deadlines of a partition.

    Attributes:
        heap: a heap. A deadline that its subject does not have any more stays in it, and is void.
        business_time: the instant up to which time has passed,
        passed_for: and, for the subjects with names up to this one, to the end of it.
    """

    def __init__(self) -> None:
        self.heap: list[Deadline] = []
        self.business_time, self.passed_for = -1, ""

    def time_of(self, name: str) -> int:
        """The instant up to which time has passed for a subject."""
        return self.business_time + (bool(self.passed_for) and name <= self.passed_for)
