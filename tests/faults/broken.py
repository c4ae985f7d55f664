"""The role track with one of its guarantees switched off, or none, run by `faust -A tests.faults.broken:app worker`.

BROKEN names it: `claim` (the last write counts, a new owner goes unnoticed), `outbox` (a new owner sends nothing
again), `deduplication` (every event is new). A worker also injects faults into itself, at points that no external
signal could hit: a file DESKWATCH_DATA/inject-<pid> that says `append STOP` stops it just before the append of its
next checkpoint, `appended KILL` kills it just after, before its outputs are sent.
"""

import os
import signal
from typing import Any

from streams.app import new_track
from streams.checkpoint.changelog import Changelog
from streams.checkpoint.fencing import CLAIM, HEAD, Entry, Header, LogReader
from streams.checkpoint.table import CheckpointTable
from streams.desk.track.subject import Subject
from streams.embedded.group import install
from streams.kafka.topics import CHANGELOG
from streams.settings import load

SETTINGS = load()


class InjectingChangelog(Changelog):
    """Injects a fault into its own process at a checkpoint of the desk: the round follows no other changelog."""

    async def append(self, partition: int, records: list[Entry]) -> tuple[int, int]:
        if records[0][0] == HEAD:
            inject("append")
        appended = await super().append(partition, records)
        if records[0][0] == HEAD and len(records) > 100:
            inject("appended")
        return appended


def inject(where: str) -> None:
    file = SETTINGS.data / f"inject-{os.getpid()}"
    if file.exists() and file.read_text().startswith(f"{where} "):
        number = signal.Signals[f"SIG{file.read_text().split()[1]}"]
        file.unlink()
        os.kill(os.getpid(), number)


def new_changelog(table: Any) -> Changelog:
    kind = InjectingChangelog if table.changelog_topic_name == CHANGELOG else Changelog
    return kind(table.changelog_topic_name, table.outputs, table.app.conf)


class Trusting:
    """`LogReader`'s methods without the rule: every batch counts, and no claim is higher."""

    @staticmethod
    def apply_header(self: LogReader, offset: int, kind: bytes, header: Header) -> None:
        self._skip_to = 0
        if kind == HEAD:
            self.sequence, self.offsets, self.outbox = max(self.sequence, header.sequence), header.offsets, []
            self.checkpoints += 1

    @staticmethod
    def claim(self: LogReader, generation: int, owner: str) -> tuple[int, list[Entry]]:
        self.epoch, self.owner = 1, owner
        return 1, [(CLAIM, None)]

    @staticmethod
    def claimed(self: LogReader, base: int, epoch: int, owner: str) -> bool:
        self.position = base + 1
        return True

    @staticmethod
    def wrote(self: LogReader, base: int, records: int, between: Any) -> bool:
        self.slots, self.position = self._packs, base + records
        self.sequence += 1
        return True


def break_claim() -> None:
    for name, broken in (
        ("_apply_header", Trusting.apply_header),
        ("claim", Trusting.claim),
        ("claimed", Trusting.claimed),
        ("wrote", Trusting.wrote),
    ):
        setattr(LogReader, name, broken)


def break_outbox() -> None:
    LogReader._apply_outbox = lambda *_: None  # type: ignore[method-assign]


def break_deduplication() -> None:
    Subject.find = lambda *_: None  # type: ignore[method-assign]


CheckpointTable._new_changelog = new_changelog  # type: ignore[method-assign, assignment]
{"": lambda: None, "claim": break_claim, "outbox": break_outbox, "deduplication": break_deduplication}[
    os.environ.get("BROKEN", "")
]()
app = new_track(SETTINGS)
install(app)
