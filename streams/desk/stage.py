"""The common part of the stages after track (customers, window rules): messages in, snapshots out.

    desk 0 ──rows, progress──┐
    desk 1 ──rows, progress──┼──> the topic of a stage ──> the stage ──> facts, rollups, warnings, progress
    desk 2 ──rows, progress──┘

A message may arrive twice: from an outbox sent again, or from a fenced owner. For each identity, the highest version
counts. Late messages are folded at their own time: the rows of a stage are a function of the messages and of business
time, and `apply_diff` writes the differences.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.output.dead_letters import DeadLetters
from streams.desk.output.release import Progress, ReleaseRestatement
from streams.desk.output.saved_panes import SavedPanes
from streams.desk.partition_state import Snapshot
from streams.desk.saved import HEADER, ROW_BYTES, Saved, SavedParts, SavedValue
from streams.desk.upstream import UNKNOWN, Sender, UpstreamProgress
from streams.models import messages
from streams.models.records import Output, Record
from streams.models.restatements import RULES
from streams.models.rows import ProgressRow


class _Message(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Progress(msgspec.Struct):
    rows: list[ProgressRow]


class StageHeader(msgspec.Struct, array_like=True):
    """The saved state of a stage besides its parts and panes."""

    business_time: int
    opened: int  # the number of the last pane opened
    upstream: list[ProgressRow]
    reported: tuple[int, dict[str, int]]
    rules: int = 1
    restatement: Progress | None = None  # by the rules of this release


_message = msgspec.json.Decoder(_Message).decode
_progress = msgspec.json.Decoder(_Progress).decode
_header = msgspec.msgpack.Decoder(StageHeader).decode
_encode = msgspec.msgpack.Encoder().encode


def source_of(stage: str) -> str:
    """The CloudEvents source of a stage's rows."""
    return f"/deskwatch/{stage}"


class Stage:
    """The common part, held by each stage. The stage itself folds messages, and lets time pass.

    Arguments:
        name: of the stage, in its progress rows and messages.
        partition: its number.
        topics: the topics of its rows.
        upstream: all senders of messages.
        change_set: receives the rows of the stage.
        parts: its saved parts, besides its panes.
        panes: its panes, if it has any.
        release: restates its rows, if it can.

    Attributes:
        business_time: the instant (ms) up to which all due rows were written; the stage sets it.
        reported: the last reported progress: business time, and the versions of track's checkpoints by then.
        totals: counters since the start of this process, for metrics.
    """

    def __init__(
        self,
        name: str,
        partition: int,
        topics: Sequence[str],
        upstream: Iterable[Sender],
        change_set: ChangeSet,
        parts: Iterable[Saved],
        panes: SavedPanes | None = None,
        release: ReleaseRestatement | None = None,
    ) -> None:
        self.name, self.partition, self.topics = name, partition, topics
        self.upstream = UpstreamProgress(upstream)
        self.change_set, self.panes, self.release = change_set, panes, release
        self.business_time = UNKNOWN
        self.reported: tuple[int, dict[str, int]] = (UNKNOWN, {})
        self.totals: Counter[str] = Counter()
        self._letters = DeadLetters()
        self.folded = False  # whether anything was folded since the last snapshot
        header = SavedValue(HEADER, self._dump_header, self._load_header)
        self._saved = SavedParts(*parts, *(() if panes is None else (panes,)), header)

    # Messages

    def feed(
        self,
        topic: str,
        records: Sequence[Record],
        start: int,
        fold: Callable[[str, msgspec.Raw], None],
        full: Callable[[], bool],
    ) -> int:
        """Fold records[start:], or as many as fit in a snapshot; returns the index of the next record.

        `fold` gets the CloudEvents type and the data of each message other than progress; if it raises ValueError, the
        message becomes a dead letter.
        """
        for i in range(start, len(records)):
            record = records[i]
            try:
                message = _message(record.value or b"")
                if message.type == messages.PROGRESS:
                    for row in _progress(message.data).rows:
                        self.folded |= self.upstream.add(row)
                else:
                    fold(message.type, message.data)
                    self.folded = True
            except ValueError as error:  # includes msgspec's errors
                self.totals["dead_letters"] += 1
                self._letters.add(topic, record, str(error))
                self.folded = True
            if full():
                return i + 1
        return len(records)

    # Time

    def advance(self, pass_time: Callable[[int], None]) -> None:
        """Let time pass up to the least progress of all senders: a stage has no other clock.

        `pass_time` sets `business_time` to the instant that it gets (never an earlier one), or to one before that if a
        checkpoint has to come first; then it is called again after the checkpoint.
        """
        until = max(self.business_time, self.upstream.watermark())
        pass_time(until)
        if self.business_time == until >= 0:
            self.reported = (self.business_time, self.upstream.versions())

    # Snapshots

    def unsaved(self) -> bool:
        """Whether anything changed."""
        return bool(self.folded or self.change_set.rows)

    def pending_bytes(self) -> int:
        """The approximate size of the next snapshot, bytes, without the stage's own parts."""
        panes = 0 if self.panes is None else self.panes.pending_bytes()
        return len(self.change_set.rows) * ROW_BYTES + panes + self._letters.bytes

    def snapshot(self, version: int, extra_outputs: Iterable[Output] = ()) -> Snapshot:
        """All changes and outputs since the last snapshot, progress last."""
        outputs = [] if self.panes is None else self.panes.snapshot(version, self.business_time)
        entries = self._saved.entries()
        rows = list(self.change_set.rows.values())
        outputs = (
            self._letters.take() + messages.messages(self.partition, version, rows, source_of(self.name)) + outputs
        )
        outputs += extra_outputs
        as_of, versions = self.reported
        rules = RULES if self.release is None else self.release.rules
        for topic in self.topics:
            row = ProgressRow(f"{topic}/{self.name}", self.partition, as_of, versions, version, rules)
            outputs.append(messages.progress(topic, row))
        self.change_set.clear()
        self.folded = False
        return Snapshot(entries, outputs)

    def _dump_header(self) -> bytes:
        opened = 0 if self.panes is None else self.panes.panes.opened
        progress = None if self.release is None else self.release.progress
        header = StageHeader(self.business_time, opened, self.upstream.known(), self.reported, RULES, progress)
        return _encode(header)

    def _load_header(self, value: bytes) -> None:
        header = _header(value)
        self.business_time, self.reported = header.business_time, header.reported
        if self.panes is not None:
            self.panes.panes.opened = header.opened
        if self.release is not None:
            self.release.restore(header.rules, header.restatement)
        for row in header.upstream:
            self.upstream.add(row)

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog."""
        self._saved.load(key, value)

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Write this stage's own values of these keys with the next snapshot."""
        self._saved.rewrite_keys(keys)
        self.folded = True
