"""Counts of the records received and of their outcomes: data quality, which depends on the order of arrival."""

from collections import Counter

from streams.desk.output.panes import Panes
from streams.models.instants import QUARTER

EVENTS = "events"
"""The counter of all events. The other names count subsets: late, duplicates, conflicts, orphans, released ..."""


class Arrivals:
    """Counts by input topic, quarter of an hour and name. `totals`: by name, since this process started (metrics)."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self.by_quarter: Counter[tuple[str, int, str]] = Counter()  # since the last snapshot

    def count(self, topic: str, at: int, name: str, number: int) -> None:
        """Count records of a topic at the instant `at` (ms)."""
        self.by_quarter[topic, at - at % QUARTER, name] += number
        self.totals[name] += number

    def write(self, panes: Panes) -> None:
        """Move the counts to the panes. The hot path adds EVENTS to `by_quarter` only; this adds them to `totals`."""
        for (topic, quarter, name), number in self.by_quarter.items():
            panes.add_arrivals(topic, quarter, name, number)
            if name == EVENTS:
                self.totals[name] += number
        self.by_quarter.clear()
