"""How far the partitions upstream of a stage have come.

Progress follows all rows of a checkpoint, on each partition that they go to. So a stage knows how far all senders have
come, and its business time is the least of that:

    desk 0    ──rows──|10:05──rows──|10:07
    desk 1    ──rows───────|10:06                    business time of the stage: 10:06
    desk 2    ────|10:04───────────────rows──|10:09
"""

from collections.abc import Iterable

from streams.models.rows import ProgressRow

Sender = tuple[str, int]  # topic_name and partition of progress rows
UNKNOWN = -1


class UpstreamProgress:
    """The last progress of each sender. `expected`: all of them."""

    def __init__(self, expected: Iterable[Sender]) -> None:
        self._rows: dict[Sender, ProgressRow | None] = dict.fromkeys(expected)

    def add(self, row: ProgressRow) -> bool:
        """Take the progress of a sender; False if it is not expected, or no newer than what is known."""
        sender = (row.topic_name, row.partition)
        known = self._rows.get(sender)
        if sender not in self._rows or (known is not None and row.version <= known.version):
            return False
        self._rows[sender] = row
        return True

    def known(self) -> list[ProgressRow]:
        """The last progress of each sender that sent any."""
        return [row for row in self._rows.values() if row is not None]

    def watermark(self, topic_name: str | None = None) -> int:
        """The least instant that all senders (of one name) have come to; UNKNOWN until each of them sent progress."""
        return min(UNKNOWN if row is None else row.as_of for row in self._of(topic_name))

    def versions(self, topic_name: str | None = None) -> dict[str, int]:
        """By partition of the desk, the version of the checkpoint up to which all of it came, from all senders."""
        versions: dict[str, int] = {}
        for row in self._of(topic_name):
            if row is None:
                return {}
            for partition, version in row.offsets.items():
                versions[partition] = min(version, versions.get(partition, version))
        return versions

    def _of(self, topic_name: str | None) -> list[ProgressRow | None]:
        return [row for sender, row in self._rows.items() if topic_name in (None, sender[0])]
