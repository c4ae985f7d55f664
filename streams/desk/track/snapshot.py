"""What a snapshot of a partition of track holds, and how the partition is restored from its changelog.

    t c s b a g   events, as received          n   reference events       v w   policies
    r             names of released subjects   k   closures               p     panes            h   header

Events are saved, subjects are not: a restore refolds each subject from its events.
"""

from streams.desk.partition_state import Snapshot
from streams.desk.saved import FULL, HEADER, ROW_BYTES, SavedParts, SavedValue
from streams.desk.track import snapshot_header
from streams.desk.track.incident_feed import incident_messages
from streams.desk.track.parts import DeskParts
from streams.desk.track.snapshot_header import SnapshotHeader
from streams.models import messages
from streams.models.restatements import RULES
from streams.models.rows import ProgressRow, Row
from streams.models.topics import PROGRESS_TOPICS

MAX_SILENCE = 5000  # ms of wall time after which an idle partition reports its progress


class DeskSnapshot:
    """Writes and restores the snapshots of a partition."""

    def __init__(self, parts: DeskParts) -> None:
        self.parts = parts
        self._store, self._change_set = parts.subjects.store, parts.change_set
        self._entries, self._letters = self._store.entries, parts.dead_letters.letters
        self._customers = parts.customers
        self.folded = False  # anything since the last snapshot
        self._as_of = 0  # business time of the last snapshot
        self._header: SnapshotHeader | None = None  # while restoring
        self._saved = SavedParts(
            self._entries,
            self._store.released,
            parts.closures.events,
            parts.references.events,
            parts.saved_panes,
            parts.policy,
            SavedValue(HEADER, self._dump_header, self._load_header),
        )

    # Size

    def unsaved(self) -> bool:
        """Whether anything changed, or an idle partition has to report its progress again."""
        parts = self.parts
        idle = parts.wall and parts.subjects.deadlines.business_time - self._as_of > MAX_SILENCE
        return bool(self.folded or self._change_set.rows or self._entries.pending or idle)

    def pending_bytes(self) -> int:
        """About the size of the next snapshot."""
        rows = len(self._change_set.rows) + len(self._store.touched) + len(self._customers.pending)
        panes = self.parts.saved_panes.pending_bytes()
        return rows * ROW_BYTES + panes + self._entries.pending_bytes + self._letters.bytes

    def is_full(self) -> bool:
        """Whether a checkpoint has to be written before anything else."""
        return self.pending_bytes() > FULL

    # Snapshot

    def take(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """All changes and outputs since the last snapshot."""
        parts = self.parts
        partition, as_of = parts.partition, parts.subjects.deadlines.business_time
        outputs = parts.dead_letters.letters.take() + messages.messages(partition, version, self.rows())
        outputs += parts.saved_panes.snapshot(version, as_of)
        tallies, announced = list(parts.change_set.tally.rows()), parts.references.announcements()
        outputs += messages.tallies(partition, version, tallies, announced, as_of)
        outputs += parts.customers.outputs(partition, version, as_of)
        outputs += incident_messages(parts.change_set, partition, version, self._complete_until(), parts.homes)
        for topic in PROGRESS_TOPICS:
            outputs.append(
                messages.progress(topic, ProgressRow(topic, partition, as_of, offsets, version, parts.release.rules))
            )
        entries = self._saved.entries()
        parts.change_set.clear()
        parts.dead_letters.saved()
        self.folded, self._as_of = False, as_of
        return Snapshot(entries, outputs)

    def _complete_until(self) -> int:
        """The instant (ms) before which all warnings are written."""
        parts = self.parts
        as_of = parts.subjects.deadlines.business_time
        return as_of + 1 if not parts.wall and parts.watermarks.ended_at() == as_of else as_of

    def rows(self) -> list[Row]:
        """All rows changed since the last snapshot, except panes: rows written, and the live row of each subject."""
        parts = self.parts
        store = self._store
        parts.arrivals.write(parts.panes)
        parts.customers.gather()
        for subject in store.touched:
            if subject.state is not None and (row := subject.state.entity_row()) is not None:
                parts.change_set.put(row)
        store.touched.clear()
        store.cache.evict_idle(())  # also what was touched: an ended call has nothing to do for 90 days
        return list(parts.change_set.rows.values())

    def _dump_header(self) -> bytes:
        parts = self.parts
        marks, deadlines, restatement = parts.watermarks, parts.subjects.deadlines, parts.subjects.store.restatement
        return snapshot_header.encode(
            SnapshotHeader(
                marks.seen,
                marks.advanced,
                parts.panes.opened,
                deadlines.business_time,
                deadlines.passed_for,
                parts.closures.under_way,
                restatement.done,
                snapshot_header.FORMAT,
                marks.latest,
                parts.dead_letters.dump(),
                parts.policy.next is not None,
                RULES,
                parts.release.progress,
                marks.ended,
            )
        )

    # Restore

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog."""
        self._saved.load(key, value)

    def _load_header(self, value: bytes) -> None:
        self._header = snapshot_header.decode(value, self.parts.partition)

    def restored(self) -> None:
        """All entries are loaded: refold every subject. Raises PolicyRefused."""
        parts = self.parts
        if self._header is not None:
            self._restore_header(self._header)
        parts.closures.restored()
        parts.subjects.restored(drop_refused=parts.release.progress is not None)
        parts.references.restored()
        parts.customers.restored()
        parts.held_rows.begin()
        parts.subjects.cache.evict_idle(())
        parts.panes.changed.clear()
        self._as_of = parts.subjects.deadlines.business_time

    def _restore_header(self, header: SnapshotHeader) -> None:
        parts = self.parts
        marks, deadlines = parts.watermarks, parts.subjects.deadlines
        marks.seen.update(header.seen)
        marks.ended.update(header.ended)
        marks.advanced, parts.panes.opened = header.advanced, header.opened
        marks.latest = max(header.latest, *header.seen.values())
        deadlines.business_time, deadlines.passed_for = header.business_time, header.passed_for
        parts.subjects.store.restatement.done = header.restated
        parts.closures.under_way = header.closing
        parts.release.restore(header.rules, header.restatement)
        parts.dead_letters.load(header.rejected)
        until = max(header.business_time, marks.latest)
        parts.policy.restore(header.restating, until, busy=header.closing is not None)

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Write this partition's own values of these keys with the next snapshot."""
        self._saved.rewrite_keys(keys)
        self.folded = True
