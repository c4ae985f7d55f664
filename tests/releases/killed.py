"""The role track, killed by itself in the middle of a restatement: `faust -A tests.releases.killed:app worker`.

restated   t1 ... t5 │ checkpoint acknowledged │ killed: the corrections in its outbox are not sent
"""

import os
import signal
from typing import Any

import msgspec

from streams.app import new_track
from streams.checkpoint.changelog import Changelog
from streams.checkpoint.fencing import ENTRY, Entry
from streams.checkpoint.table import CheckpointTable
from streams.desk.output import release
from streams.desk.saved import HEADER
from streams.desk.track.snapshot_header import SnapshotHeader
from streams.embedded.group import install
from streams.kafka.topics import CHANGELOG
from streams.settings import load


class FatalChangelog(Changelog):
    """Kills its process after the first checkpoint that holds corrections, but not the end of the restatement."""

    async def append(self, partition: int, records: list[Entry]) -> tuple[int, int]:
        appended = await super().append(partition, records)
        headers = [value for key, value in records if key == ENTRY + HEADER]
        for value in headers:
            progress = msgspec.msgpack.decode(value or b"", type=SnapshotHeader).restatement
            if progress is not None and progress.corrected:
                os.kill(os.getpid(), signal.SIGKILL)
        return appended


def new_changelog(table: Any) -> Changelog:
    kind = FatalChangelog if table.changelog_topic_name == CHANGELOG else Changelog
    return kind(table.changelog_topic_name, table.outputs, table.app.conf)


CheckpointTable._new_changelog = new_changelog  # type: ignore[method-assign, assignment]
release.MAX_AT_ONCE = 5
app = new_track(load())
install(app)
