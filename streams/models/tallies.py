"""What the desks send to the role watch: what happened in a minute, and what the business announced."""

from typing import ClassVar

import msgspec

from streams.models.rows import Identity, Row

TALLIES, ANNOUNCEMENTS = "deskwatch.tally_rows", "deskwatch.announcement_rows"
"""CloudEvents types of the messages."""

Combination = tuple[str, str, str, str, str, str]
"""Team, channel, segment, category, queue and agent of what is counted together."""


class TallyRow(Row):
    """What happened in a minute under one combination of dimensions, since the last checkpoint: a difference."""

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
        """A difference has none: it counts once, by the message it came in."""
        raise NotImplementedError

    def combination(self) -> Combination:
        """What the counts are of."""
        return self.team, self.channel, self.segment, self.category, self.queue, self.agent_id


class LateTallyRow(Row):
    """A tally that came too late to be judged: with what was left out, anybody can judge the same from the log.

    By the message that it came in (the desk's partition and checkpoint) and its place there.
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
        """The message, and the place in it."""
        return ("late", self.partition, self.checkpoint, self.number)


class AnnouncementRow(Row):
    """An announcement of a change of the business's own rules; each desk sends the ones it hears."""

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
