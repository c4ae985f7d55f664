"""Log time: the watermark of each input topic, and the business time that follows for the partition.

tickets   ────────────●            watermarks: the latest business time seen
calls     ───────●                 business time is the least of them
advanced  ──────────|              `clock.advanced` moves a topic's watermark; no other event moves it
                    |──1 h──|      over an hour past the last one, so one bad timestamp cannot advance the watermark
ended     ──────────────────||     advanced to one instant twice: nothing more comes of it
"""

from collections.abc import Sequence

from streams.models.instants import HOUR

UNKNOWN = -1
MAX_LEAD = HOUR  # of a watermark over the last `clock.advanced`


class Watermarks:
    """The watermarks of one partition's input topics, ms."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.seen: dict[str, int] = dict.fromkeys(topics, UNKNOWN)
        self.advanced: dict[str, int] = {}
        self.latest = UNKNOWN  # the latest instant of any event
        self.ended: dict[str, int] = {}  # by topic, the instant to which `clock.advanced` came twice

    def see(self, topic: str, at: int) -> None:
        """Record an event of `topic` with the time `at`."""
        if at > self.latest:
            self.latest = at
        limit = self.advanced.get(topic)
        if limit is not None and at > limit + MAX_LEAD:
            at = limit + MAX_LEAD
        if at > self.seen[topic]:
            self.seen[topic] = at

    def advance(self, topic: str, to: int) -> None:
        """Record a `clock.advanced` of the log: its time is `to`."""
        if to == self.advanced.get(topic):
            self.ended[topic] = to
        self.advanced[topic] = max(to, self.advanced.get(topic, UNKNOWN))
        self.seen[topic] = max(to, self.seen[topic])

    def least(self) -> int:
        """The least watermark, up to which the log is complete; UNKNOWN while a topic has none."""
        return min(self.seen.values())

    def ended_at(self) -> int:
        """The instant at which the log ends on all topics; UNKNOWN while it goes on."""
        ends = {self.ended.get(topic, UNKNOWN) for topic in self.seen}
        return ends.pop() if len(ends) == 1 else UNKNOWN
