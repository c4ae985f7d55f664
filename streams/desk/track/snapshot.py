"""What a partition's checkpoints hold, and how the desk is made again from them.

What the changelog holds is the events themselves, one entry each, and the panes: a subject's state is its fold, made
again at a restore.
"""

from collections import Counter

from streams.desk.customers.homes import SINGLE_PARTITION, CustomerPartitioner
from streams.desk.output.change_set import ChangeSet
from streams.desk.output.panes import KEPT, LocalDays, Panes
from streams.desk.partition_state import Snapshot
from streams.desk.policy.restatement import FOLLOWED, NEXT, Following
from streams.desk.policy.versions import Policies
from streams.desk.track import snapshot_header as head
from streams.desk.track.closures import CLOSURE, Closures
from streams.desk.track.customer_feed import CustomerFacts
from streams.desk.track.dead_letter_limit import NEVER, DeadLetterLimit, DeadLetterMonitor
from streams.desk.track.reference_events import NOTE, ReferenceEvents
from streams.desk.track.snapshot_header import Head
from streams.desk.track.subject import ACTION, AGENT, CALL, CALLBACK, SURVEY, TICKET
from streams.desk.track.subject_cache import CACHED_SUBJECTS
from streams.desk.track.subject_store import RELEASED, parse_key
from streams.desk.track.subjects import Subjects
from streams.desk.track.watermark import Watermarks
from streams.models import messages
from streams.models.instants import HOUR
from streams.models.rows import ProgressRow, Row
from streams.models.topics import INPUTS, PROGRESS_TOPICS

HEAD, PANE = b"h", b"p"  # first bytes of changelog keys; also: released r, closures k, notes n, policies v and w
SUBJECTS = tuple(kind.encode() for kind in (TICKET, CALL, SURVEY, CALLBACK, ACTION, AGENT))
FULL = 4 << 20  # bytes of a checkpoint above which it is to be written
ROW_BYTES, PANE_BYTES = 300, 600  # about what one takes in a checkpoint
IDLE = 5000  # ms of wall time after which even an idle partition says how far it is


class DeskCheckpoints:
    """The part of the desk that outlives a process. Arguments: see :class:`streams.desk.track.partition.Desk`."""

    def __init__(
        self,
        partition: int,
        policies: Policies,
        *,
        wall: bool,
        restate: bool = False,
        limit: DeadLetterLimit = NEVER,
        homes: CustomerPartitioner = SINGLE_PARTITION,
        cached_subjects: int = CACHED_SUBJECTS,
    ) -> None:
        self.partition, self.wall = partition, wall
        self.policy = Following(partition, policies, restate)
        self.panes = Panes(partition, LocalDays(lambda at: self.policy.followed.at(at).timezone))
        self.change_set = ChangeSet(self.panes)
        self.subjects = Subjects(policies, self.change_set, self._count, cached_subjects)
        self.watermarks = Watermarks(INPUTS)
        self.closures = Closures(self.policy, self.subjects)
        self.notes = ReferenceEvents(lambda: self.subjects.entries)
        self.customers = CustomerFacts(self.subjects, self.notes, homes)
        self.subjects.releasing, self.notes.releasing = self.customers.release, self.customers.release_scores
        self.totals: Counter[str] = Counter()  # since the start of this process, for the metrics
        self._arrived: Counter[tuple[str, int, str]] = Counter()
        self.refusals = DeadLetterMonitor(partition, INPUTS, limit)
        self._head: Head | None = None  # as restored
        self._now: int | None = None
        self._folded = False  # anything since the last cut
        self._cut_at = 0  # the clock at the last cut
        self._raws: dict[str, dict[int, bytes]] = {}  # while restoring

    @property
    def clock(self) -> int:
        """Business time up to which everything that fell due was written; -1 before the first event."""
        return self.subjects.clock

    # Checkpoints

    def _count(self, topic: str, at: int, what: str, number: int) -> None:
        self._arrived[topic, at - at % HOUR, what] += number
        self.totals[what] += number

    def unsaved(self) -> bool:
        """Whether anything changed, or an idle partition has not said for a while how far it is."""
        idle = self.wall and self.subjects.clock - self._cut_at > IDLE
        return bool(self._folded or self.change_set.rows or self.subjects.entries or idle)

    def pending_bytes(self) -> int:
        """About the size of the next checkpoint."""
        rows = len(self.change_set.rows) + len(self.subjects.touched)
        made = (rows + len(self.customers.waiting)) * ROW_BYTES + len(self.panes.changed) * PANE_BYTES * 2
        return made + self.subjects.entry_bytes + self.refusals.bytes

    def _full(self) -> bool:
        return self.pending_bytes() > FULL

    def urgent(self) -> bool:
        """Whether a warning waits."""
        return self.change_set.urgent

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """All that changed since the last cut, and the outputs made since."""
        outputs = self.refusals.letters + messages.messages(self.partition, version, self.rows())
        self.panes.put_away(self.clock - KEPT)
        entries = list(self.subjects.entries.items())
        entries += [(_pane_key(minute), None) for minute in self.panes.closed]
        for minute in self.panes.changed:
            key, row = self.panes.dump(minute, version)
            entries.append((_pane_key(minute), row))
            outputs.append(messages.pane(self.partition, version, key, row))
        tallies, announced = list(self.change_set.tally.rows()), self.notes.announcements()
        outputs += messages.tallies(self.partition, version, tallies, announced, self.clock)
        outputs += self.customers.outputs(self.partition, version, self.clock)
        for topic in PROGRESS_TOPICS:
            outputs.append(messages.progress(topic, ProgressRow(topic, self.partition, self.clock, offsets, version)))
        entries += self.policy.entries.items()
        entries.append((HEAD, head.encode(self._make_head())))
        self._clean()
        return Snapshot(entries, outputs)

    def _clean(self) -> None:
        self.change_set.clear()
        self.panes.clean()
        self.subjects.entries, self.subjects.entry_bytes = {}, 0
        self.policy.entries = {}
        self.refusals.clean()
        self._folded, self._cut_at = False, self.clock

    def rows(self) -> list[Row]:
        """All rows changed since the last cut but the panes: what was written, and how subjects stand."""
        for (topic, hour, what), number in self._arrived.items():
            self.panes.arrived(topic, hour, what, number)
            if what == "events":  # the others are counted as they come
                self.totals[what] += number
        self._arrived.clear()
        self.customers.gather()
        for subject in self.subjects.touched:
            if subject.state is not None and (row := subject.state.entity_row()) is not None:
                self.change_set.put(row)
        self.subjects.held.rest(self.subjects.touched)
        self.subjects.touched.clear()
        return list(self.change_set.rows.values())

    def _make_head(self) -> Head:
        marks, subjects, closing = self.watermarks, self.subjects, self.closures.under_way
        return Head(
            *(marks.seen, marks.advanced, self.panes.opened, self.clock, subjects.fired, closing, subjects.changed),
            *(head.FORMAT, marks.latest, self.refusals.dump(), self.policy.next is not None),
        )

    # Restore

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one entry of the changelog."""
        kind = key[:1]
        if kind == HEAD:
            if value is not None:
                self._head = head.decode(value, self.partition)
        elif kind == PANE:
            if value is None:
                self.panes.panes.pop(int(key[1:]), None)
            else:
                self.panes.load(value)
        elif kind == CLOSURE:
            self.closures.load(key, value)
        elif kind == NOTE:
            self.notes.load(key, value)
        elif kind == RELEASED:
            self.subjects.load_released(key, value is not None)
        elif kind in (FOLLOWED, NEXT):
            self.policy.load(key, value)
        elif kind in SUBJECTS:  # else of a newer release, whose head is refused
            self._load_event(key, value)

    def _load_head(self, found: Head) -> None:
        marks = self.watermarks
        marks.seen.update(found.seen)
        marks.advanced, self.panes.opened = found.advanced, found.opened
        marks.latest = max(found.latest, *found.seen.values())
        self.subjects.clock, self.subjects.fired, self.subjects.changed = found.clock, found.fired, found.changed
        self.closures.under_way = found.closing
        self.refusals.load(found.refused)
        self.policy.restore(found.restating, max(self.clock, marks.latest), busy=found.closing is not None)

    def _load_event(self, key: bytes, value: bytes | None) -> None:
        name, n = parse_key(key)
        numbered = self._raws.setdefault(name, {})
        if value is None:
            numbered.pop(n, None)
            if not numbered:
                del self._raws[name]
        else:
            numbered[n] = value

    def restored(self) -> None:
        """Fold every subject again. Raises PolicyRefused."""
        if self._head is not None:
            self._load_head(self._head)
        self.closures.restored()
        self.subjects.restore(self._raws)
        self._raws = {}
        self.notes.restored()
        self.customers.restored()
        self.subjects.held.rest(())
        self.panes.changed.clear()
        self._cut_at = self.clock

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Write our own values of these keys at the next cut."""
        for key in keys:
            if key[:1] == PANE:
                minute = int(key[1:])
                if minute in self.panes.panes:
                    self.panes.changed.add(minute)
                else:
                    self.subjects.entries[key] = None
            elif key[:1] == CLOSURE:
                self.subjects.entries[key] = self.closures.known.get(key)
            elif key[:1] in (FOLLOWED, NEXT):
                self.policy.entries[key] = self.policy.entry(key)
            elif key[:1] == NOTE:
                self.subjects.entries[key] = self.notes.known.get(key)
            elif key[:1] != HEAD:
                self.subjects.entries[key] = self.subjects.entry(key)
        self._folded = True


def _pane_key(minute: int) -> bytes:
    return PANE + str(minute).encode()
