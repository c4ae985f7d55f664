"""What the desks send to role watch: what happened in a minute, and what the business announced."""

from typing import ClassVar

import msgspec

from streams.models.rows import Identity, Row

TALLIES, ANNOUNCEMENTS = "deskwatch.tally_rows", "deskwatch.announcement_rows"
"""CloudEvents types of the messages."""

Combination = tuple[str, str, str, str, str, str]
"""Team, channel, segment, category, queue and agent of a tally."""


class TallyRow(Row):
    """Counts of a minute and one combination of dimensions: what changed since the last checkpoint."""

    table: ClassVar[str] = "tally_rows"
    topic: ClassVar[str] = "watch-rollups"

    minute: int
    team: str
    channel: str
    segment: str
    category: str
    queue: str
    agent_id: str
    counts: dict[str, int]

    def identity(self) -> Identity:
        """A difference has none: it counts once, by the message that it came in."""
        raise NotImplementedError

    def combination(self) -> Combination:
        """The dimensions that the counts stand under."""
        return self.team, self.channel, self.segment, self.category, self.queue, self.agent_id


class LateTallyRow(Row):
    """A tally that came too late to be judged: without these, a recomputation from the log finds the same warnings.

    Identified by the message that it came in (partition and checkpoint of the desk) and its number in it.
    """

    table: ClassVar[str] = "late_tally_rows"
    topic: ClassVar[str] = "risk-warnings"

    partition: int
    checkpoint: int
    number: int
    minute: int
    team: str
    channel: str
    segment: str
    category: str
    queue: str
    agent_id: str
    counts: dict[str, int]
    version: int = 0

    def identity(self) -> Identity:
        """The message, and the number in it."""
        return ("late", self.partition, self.checkpoint, self.number)


class AnnouncementRow(Row):
    """An announcement of a change of the business's own rules; each desk sends the ones that it receives."""

    table: ClassVar[str] = "announcement_rows"
    topic: ClassVar[str] = "watch-rollups"

    source: str
    id: str
    change_id: str
    at: int
    announced_at: int
    effective_at: int
    title: str
    tags: list[str]

    def identity(self) -> Identity:
        """The identity of the event."""
        return ("announcement", self.source, self.id)


class Tallies(msgspec.Struct):
    """The data of a message of tallies: those of one checkpoint of a partition, from number `first` on."""

    partition: int
    version: int
    first: int
    rows: list[TallyRow]
