"""Counts of the records received and of their outcomes: data quality, which depends on the order of arrival."""

from collections import Counter

from streams.desk.output.panes import Panes
from streams.models.instants import HOUR

EVENTS = "events"
"""The counter of all events. The other names count subsets: late, duplicates, conflicts, orphans, released ..."""


class Arrivals:
    """Counts by input topic, business hour and name. `totals`: by name, since the start of this process (metrics)."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self.by_hour: Counter[tuple[str, int, str]] = Counter()  # since the last snapshot

    def count(self, topic: str, at: int, name: str, number: int) -> None:
        """Count records of a topic at the instant `at` (ms)."""
        self.by_hour[topic, at - at % HOUR, name] += number
        self.totals[name] += number

    def write(self, panes: Panes) -> None:
        """Move the counts to the panes. The hot path adds EVENTS to `by_hour` only; this adds them to `totals`."""
        for (topic, hour, name), number in self.by_hour.items():
            panes.add_arrivals(topic, hour, name, number)
            if name == EVENTS:
                self.totals[name] += number
        self.by_hour.clear()
