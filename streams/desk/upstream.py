"""The progress of the partitions upstream of a stage.

A progress row follows all rows of a checkpoint, on each partition that receives them. So a stage knows the progress of
all senders; its business time is the least of them:

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
        """Store the progress of a sender; False if the sender is not expected, or the row is not newer."""
        sender = (row.topic_name, row.partition)
        known = self._rows.get(sender)
        if sender not in self._rows or (known is not None and row.version <= known.version):
            return False
        self._rows[sender] = row
        return True

    def known(self) -> list[ProgressRow]:
        """The last progress row of each sender that sent one."""
        return [row for row in self._rows.values() if row is not None]

    def watermark(self, topic_name: str | None = None) -> int:
        """The least progress of all senders (of one name); UNKNOWN until each of them sent progress."""
        return min(UNKNOWN if row is None else row.as_of for row in self._of(topic_name))

    def versions(self, topic_name: str | None = None) -> dict[str, int]:
        """By partition of track, the version of the last checkpoint that arrived in full, from all senders."""
        versions: dict[str, int] = {}
        for row in self._of(topic_name):
            if row is None:
                return {}
            for partition, version in row.offsets.items():
                versions[partition] = min(version, versions.get(partition, version))
        return versions

    def _of(self, topic_name: str | None) -> list[ProgressRow | None]:
        return [row for sender, row in self._rows.items() if topic_name in (None, sender[0])]
