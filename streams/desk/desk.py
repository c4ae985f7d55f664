"""The desk: all that one partition knows. It folds the input topics' records and says what a checkpoint must hold.

    record ──decode──> event ──> its subject's fold ──> sheet ──cut──> entries (the changelog) + outputs (the topics)
                  └──> dead letter                        ^
    time passes ──> deadlines ────────────────────────────┘

What the changelog holds is the events themselves, one entry each, and the panes: a subject's state is its fold, made
again at a restore. The partition's time is the wall clock, or, in a replay, the least watermark of its input topics.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from streams.desk import messages
from streams.desk.closures import CLOSURE, Closures
from streams.desk.customer_facts import HERE, CustomerFacts, Homes
from streams.desk.notes import KINDS, NOTE, Notes
from streams.desk.panes import KEPT, LocalDays, Panes
from streams.desk.policy import Policies
from streams.desk.sheet import Sheet
from streams.desk.subject import CALL, SURVEY, TICKET
from streams.desk.subjects import RELEASED, Subjects, parse_key
from streams.desk.watermark import Watermarks
from streams.models import calls, surveys, tickets
from streams.models.codec import INPUTS, DeadLetter, Unknown, decode, structured
from streams.models.envelope import Event
from streams.models.instants import DAY, HOUR, parse_instant
from streams.models.rows import ProgressRow, Row
from streams.models.signals import ClockAdvanced, DeskClosed
from streams.partition_state import Cut, Output, Record

HEAD, PANE = b"h", b"p"  # first byte of a changelog key; subjects have t, c, s, released ones r, closures k, notes n
FULL = 4 << 20  # bytes of a checkpoint above which it is to be written
ROW_BYTES, PANE_BYTES = 300, 600  # about what one takes in a checkpoint
IDLE = 5000  # ms of wall time after which even an idle partition says how far it is

_KINDS = {
    **dict.fromkeys(tickets.EVENTS, TICKET),
    **dict.fromkeys(calls.EVENTS, CALL),
    **dict.fromkeys(surveys.EVENTS, SURVEY),
}


class Head(msgspec.Struct, array_like=True):
    """What a partition knows besides its subjects and panes."""

    seen: dict[str, int]
    advanced: dict[str, int]
    opened: int
    clock: int
    fired: str = ""
    closing: tuple[bytes, bytes | None] | None = None  # see Closures.under_way
    changed: str = ""


_head = msgspec.msgpack.Decoder(Head).decode


class Desk:
    """The state of one partition (`streams.partition_state.PartitionState`). `homes`: where customers' facts go."""

    def __init__(self, partition: int, policies: Policies, *, wall: bool, homes: Homes = HERE) -> None:
        self.partition, self.wall, self.given = partition, wall, policies
        self.panes = Panes(partition, LocalDays(lambda at: self.given.at(at).timezone))
        self.sheet = Sheet(self.panes)
        self.subjects = Subjects(policies, self.sheet, self._count)
        self.watermarks = Watermarks(INPUTS)
        self.closures = Closures(policies, self.subjects)
        self.notes = Notes(lambda: self.subjects.entries)
        self.customers = CustomerFacts(self.subjects, self.notes, homes)
        self.subjects.releasing = self.customers.release
        self.totals: Counter[str] = Counter()  # since the start of this process, for the metrics
        self._arrived: Counter[tuple[str, int, str]] = Counter()
        self._letters: list[Output] = []
        self._letter_bytes = 0
        self._now: int | None = None
        self._folded = False  # anything since the last cut
        self._cut_at = 0  # the clock at the last cut
        self._raws: dict[tuple[str, str], dict[int, bytes]] = {}  # while restoring

    @property
    def clock(self) -> int:
        """Business time up to which everything that fell due was written; -1 before the first event."""
        return self.subjects.clock

    # Events

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Fold records[start:], or as many of them as fit in a checkpoint; returns the index of the next one."""
        for i in range(start, len(records)):
            record = records[i]
            event = decode(record.value, record.headers, self._now)
            if isinstance(event, Event):
                raw = record.value
                if record.headers:
                    raw = structured(raw, record.headers)
                assert raw is not None
                if not self.fold(event, raw, topic, self._full):
                    return i
            else:
                self._refuse(event, topic, record)
            self._folded = True
            if not i & 63 and self._full():
                return i + 1
        return len(records)

    def fold(self, event: Event, raw: bytes, topic: str, full: Callable[[], bool] = lambda: False) -> bool:
        """Fold one event; `raw` is its JSON. False: not yet, for a checkpoint is `full`; fold it again after it."""
        kind = _KINDS.get(type(event))
        if kind is not None:
            at, clock = event.at, self.subjects.clock
            self._arrived[topic, at - at % HOUR, "events"] += 1
            if clock >= 0 and at < clock and at < clock - self.given.at(at).lateness_ms:
                self._count(topic, at, "late", 1)
            self.watermarks.see(topic, at)
            self.subjects.take(kind, event.key() or event.id, event, raw, topic)
        elif isinstance(event, ClockAdvanced):
            self.watermarks.advance(topic, parse_instant(event.data.to))
        else:
            if isinstance(event, DeskClosed):
                count = partial(self._count, topic, event.at)
                if not self.closures.take(event, raw, full, count):
                    return False
            elif isinstance(event, KINDS):
                self.notes.take(event, raw, self._oldest(), partial(self._count, topic, event.at))
            self._arrived[topic, event.at - event.at % HOUR, "events"] += 1
            self.watermarks.see(topic, event.at)
        return True

    def _refuse(self, refused: DeadLetter | Unknown, topic: str, record: Record) -> None:
        if isinstance(refused, Unknown):
            self._count(topic, record.timestamp, "unknown", 1)
            return
        self._count(topic, record.timestamp, "dead_letters", 1)
        letter = messages.dead_letter(
            topic, record.partition, record.offset, record.timestamp, record.value, refused.reason
        )
        self._letters.append(letter)
        self._letter_bytes += len(letter.value) + 500

    def _count(self, topic: str, at: int, what: str, number: int) -> None:
        self._arrived[topic, at - at % HOUR, what] += number
        self.totals[what] += number

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass up to `now` (wall), or up to the watermarks."""
        self._now = now
        clock = self.watermarks.clock() if now is None or not self.wall else now
        if clock > self.subjects.clock:
            before = self.subjects.clock
            self.subjects.pass_time(clock, self._full)
            if before // DAY != self.subjects.clock // DAY:
                self.notes.release(self._oldest(), lambda name: (name[0], name[1:]) in self.subjects.held)

    def _oldest(self) -> int:
        """The instant before which a note comes too late: a day more than the hold ago."""
        return self.clock - self.given.at(max(0, self.clock)).hold_ms - DAY

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed, or an idle partition has not said for a while how far it is."""
        idle = self.wall and self.subjects.clock - self._cut_at > IDLE
        return bool(self._folded or self.sheet.rows or self.subjects.entries or self._letters or idle)

    def pending_bytes(self) -> int:
        """About the size of the next checkpoint."""
        rows = len(self.sheet.rows) + len(self.subjects.touched)
        made = (rows + len(self.customers.waiting)) * ROW_BYTES + len(self.panes.changed) * PANE_BYTES * 2
        return made + self.subjects.entry_bytes + self._letter_bytes

    def _full(self) -> bool:
        return self.pending_bytes() > FULL

    def urgent(self) -> bool:
        """Whether a warning waits."""
        return self.sheet.urgent

    def cut(self, version: int, offsets: dict[str, int]) -> Cut:
        """All that changed since the last cut, and the outputs made since."""
        outputs = self._letters + messages.messages(self.partition, version, self.rows())
        self.panes.put_away(self.clock - KEPT)
        entries = list(self.subjects.entries.items())
        entries += [(_pane_key(minute), None) for minute in self.panes.closed]
        for minute in self.panes.changed:
            key, row = self.panes.dump(minute, version)
            entries.append((_pane_key(minute), row))
            outputs.append(messages.pane(self.partition, version, key, row))
        tallies, announced = list(self.sheet.tally.rows()), self.notes.announcements()
        outputs += messages.tallies(self.partition, version, tallies, announced, self.clock)
        outputs += self.customers.outputs(self.partition, version, self.clock)
        for topic in messages.REPORTS:
            outputs.append(messages.progress(topic, ProgressRow(topic, self.partition, self.clock, offsets, version)))
        entries.append((HEAD, self._head()))
        self._clean()
        return Cut(entries, outputs)

    def _clean(self) -> None:
        self.sheet.clear()
        self.panes.changed, self.panes.closed = set(), []
        self.subjects.entries, self.subjects.entry_bytes = {}, 0
        self._letters, self._letter_bytes = [], 0
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
            if subject.state is not None and (row := subject.state.standing()) is not None:
                self.sheet.put(row)
        self.subjects.touched.clear()
        return list(self.sheet.rows.values())

    def _head(self) -> bytes:
        marks, subjects, closing = self.watermarks, self.subjects, self.closures.under_way
        head = Head(
            marks.seen, marks.advanced, self.panes.opened, self.clock, subjects.fired, closing, subjects.changed
        )
        return msgspec.msgpack.encode(head)

    # Restore

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one entry of the changelog."""
        kind = key[:1]
        if kind == HEAD:
            if value is not None:
                self._load_head(_head(value))
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
        else:
            self._load_event(key, value)

    def _load_head(self, head: Head) -> None:
        self.watermarks.seen.update(head.seen)
        self.watermarks.advanced, self.panes.opened = head.advanced, head.opened
        self.subjects.clock, self.subjects.fired, self.subjects.changed = head.clock, head.fired, head.changed
        self.closures.under_way = head.closing

    def _load_event(self, key: bytes, value: bytes | None) -> None:
        subject_kind, subject_id, n = parse_key(key)
        numbered = self._raws.setdefault((subject_kind, subject_id), {})
        if value is None:
            numbered.pop(n, None)
            if not numbered:
                del self._raws[subject_kind, subject_id]
        else:
            numbered[n] = value

    def restored(self) -> None:
        """Fold every subject again."""
        self.closures.restored()
        self.subjects.restore(self._raws)
        self._raws = {}
        self.notes.restored()
        self.customers.restored()
        self.panes.changed.clear()
        self._cut_at = self.clock

    def rewrite(self, keys: set[bytes]) -> None:
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
            elif key[:1] == NOTE:
                self.subjects.entries[key] = self.notes.known.get(key)
            elif key[:1] != HEAD:
                self.subjects.entries[key] = self.subjects.entry(key)
        self._folded = True


def _pane_key(minute: int) -> bytes:
    return PANE + str(minute).encode()
