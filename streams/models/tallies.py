"""The messages from track to role watch: tallies by minute, and announced policy changes."""

from typing import ClassVar

import msgspec

from streams.models.rows import Identity, Row

TALLIES, ANNOUNCEMENTS = "deskwatch.tally_rows", "deskwatch.announcement_rows"
"""CloudEvents types of the messages."""

Combination = tuple[str, str, str, str, str, str]
"""Team, channel, segment, category, queue and agent of a tally."""


class TallyRow(Row):
    """The counts of a minute under one combination of dimensions since the last checkpoint: a difference."""

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
        """A difference has no identity: it counts once, by its message."""
        raise NotImplementedError

    def combination(self) -> Combination:
        """The dimensions of the counts."""
        return self.team, self.channel, self.segment, self.category, self.queue, self.agent_id


class LateTallyRow(Row):
    """A tally that was too late to be judged: with it, a recomputation of the log can exclude the same tallies.

    It is identified by its message (partition and checkpoint) and its number within it.
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
        """The message, and the number within it."""
        return ("late", self.partition, self.checkpoint, self.number)


class AnnouncementRow(Row):
    """An announced policy change; each partition sends the ones that it receives."""

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
        """The event."""
        return ("announcement", self.source, self.id)


class Tallies(msgspec.Struct):
    """The data of a message of tallies: those of a partition's checkpoint from the `first` on."""

    partition: int
    version: int
    first: int
    rows: list[TallyRow]
