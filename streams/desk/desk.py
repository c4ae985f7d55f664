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
from typing import Any

from streams.desk import head, messages
from streams.desk.closures import CLOSURE, Closures
from streams.desk.customer_facts import HERE, CustomerFacts, Homes
from streams.desk.head import Head
from streams.desk.notes import KINDS, NOTE, Notes
from streams.desk.panes import KEPT, LocalDays, Panes
from streams.desk.policy import Policies
from streams.desk.policy_change import FOLLOWED, NEXT, Following
from streams.desk.refusals import NEVER, Limit, Refusals
from streams.desk.sheet import Sheet
from streams.desk.subject import ACTION, AGENT, CALL, CALLBACK, SURVEY, TICKET
from streams.desk.subjects import RELEASED, Subjects, parse_key
from streams.desk.watermark import Watermarks
from streams.models import calls, surveys, tickets
from streams.models.codec import INPUTS, DeadLetter, Unknown, decode, structured
from streams.models.envelope import Event
from streams.models.instants import DAY, HOUR, parse_instant
from streams.models.rows import ProgressRow, Row
from streams.models.signals import (
    ActionDone,
    ActionOpened,
    AgentStateChanged,
    CallbackDone,
    CallbackDue,
    CallbackRescheduled,
    ClockAdvanced,
    DeskClosed,
    ReviewCompleted,
)
from streams.partition_state import Cut, Record

HEAD, PANE = b"h", b"p"  # first bytes of changelog keys; also: released r, closures k, notes n, policies v and w
SUBJECTS = tuple(kind.encode() for kind in (TICKET, CALL, SURVEY, CALLBACK, ACTION, AGENT))
FULL = 4 << 20  # bytes of a checkpoint above which it is to be written
ROW_BYTES, PANE_BYTES = 300, 600  # about what one takes in a checkpoint
LARGE = 16 << 10  # bytes of a record after which the size of the checkpoint is looked at
IDLE = 5000  # ms of wall time after which even an idle partition says how far it is

_KINDS: dict[type[Event], tuple[str, Callable[[Any], str | None]]] = {
    **{event: (TICKET, event.key) for event in tickets.EVENTS},
    **{event: (CALL, event.key) for event in calls.EVENTS},
    **{event: (SURVEY, event.key) for event in (*surveys.EVENTS, ReviewCompleted)},
    **dict.fromkeys((CallbackDue, CallbackRescheduled, CallbackDone), (CALLBACK, lambda event: event.data.callback_id)),
    **dict.fromkeys((ActionOpened, ActionDone), (ACTION, lambda event: event.data.action_id)),
    AgentStateChanged: (AGENT, AgentStateChanged.key),
}
"""By event, the kind of its subject, and the subject's id."""


class Desk:
    """The state of one partition (`streams.partition_state.PartitionState`).

    `restate`: the policies may change what was written, which is then counted anew. `limit` of dead letters. `homes`:
    where customers' facts go.
    """

    def __init__(
        self,
        partition: int,
        policies: Policies,
        *,
        wall: bool,
        restate: bool = False,
        limit: Limit = NEVER,
        homes: Homes = HERE,
    ) -> None:
        self.partition, self.wall = partition, wall
        self.policy = Following(partition, policies, restate)
        self.panes = Panes(partition, LocalDays(lambda at: self.policy.followed.at(at).timezone))
        self.sheet = Sheet(self.panes)
        self.subjects = Subjects(policies, self.sheet, self._count)
        self.watermarks = Watermarks(INPUTS)
        self.closures = Closures(self.policy, self.subjects)
        self.notes = Notes(lambda: self.subjects.entries)
        self.customers = CustomerFacts(self.subjects, self.notes, homes)
        self.subjects.releasing, self.notes.releasing = self.customers.release, self.customers.release_scores
        self.totals: Counter[str] = Counter()  # since the start of this process, for the metrics
        self._arrived: Counter[tuple[str, int, str]] = Counter()
        self.refusals = Refusals(partition, INPUTS, limit)
        self._head: Head | None = None  # as restored
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
        """Fold records[start:], or as many of them as fit in a checkpoint; returns the index of the next one.

        Raises TooManyDeadLetters, PolicyRefused.
        """
        if self.refusals.stopping() or not self._go_on_restating():
            return start
        end = self._feed(topic, records, start)
        self.refusals.read(topic, end - start)
        return end

    def _feed(self, topic: str, records: Sequence[Record], start: int) -> int:
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
            elif not self._refuse(event, topic, record, i - start + 1):
                return i
            self._folded = True
            if (not i & 63 or len(record.value or b"") > LARGE) and self._full():
                return i + 1
        return len(records)

    def fold(self, event: Event, raw: bytes, topic: str, full: Callable[[], bool] = lambda: False) -> bool:
        """Fold one event; `raw` is its JSON. False: not yet, for a checkpoint is `full`; fold it again after it."""
        found = _KINDS.get(type(event))
        if found is not None:
            kind, subject_of = found
            at, clock = event.at, self.subjects.clock
            self._arrived[topic, at - at % HOUR, "events"] += 1
            if clock >= 0 and at < clock and at < clock - self.policy.followed.at(at).lateness_ms:
                self._count(topic, at, "late", 1)
            self.watermarks.see(topic, at)
            self.subjects.take(kind, subject_of(event) or event.id, event, raw, topic)
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

    def _refuse(self, refused: DeadLetter | Unknown, topic: str, record: Record, nth: int) -> bool:
        """Pass over, or put aside, the `nth` record of this run; False: not yet, for the checkpoint is full."""
        if isinstance(refused, Unknown):
            self._count(topic, record.timestamp, "unknown", 1)
            return True
        pending = self.pending_bytes()
        if self.refusals.stop or (pending and pending + len(record.value or b"") > FULL):
            return False
        self._count(topic, record.timestamp, "dead_letters", 1)
        self.refusals.refuse(topic, record, refused.reason, nth)
        return True

    def _count(self, topic: str, at: int, what: str, number: int) -> None:
        self._arrived[topic, at - at % HOUR, what] += number
        self.totals[what] += number

    # Policy

    def _go_on_restating(self) -> bool:
        """If the given policy is not the one that is followed, count what is held anew, or more of it; whether all is.

        Until then no event is folded, and no time passes. Raises PolicyRefused.
        """
        policy = self.policy
        if policy.next is None:
            if policy.given is policy.followed or self.closures.under_way is not None:
                return True
            policy.differs(max(self.clock, self.watermarks.latest))
            former = self.closures.over(policy.followed)
            self.subjects.begin_change(former, self.closures.over(policy.begin()))
        if not self.subjects.go_on_changing(self._full):
            return False
        policy.finish()
        self._folded = True
        return policy.given is policy.followed

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass up to `now` (wall), or up to the watermarks."""
        self._now = now
        if self.refusals.stopping() or not self._go_on_restating():
            return
        clock = self.watermarks.clock() if now is None or not self.wall else now
        if clock > self.subjects.clock:
            before = self.subjects.clock
            self.subjects.pass_time(clock, self._full)
            if before // DAY != self.subjects.clock // DAY:
                self.notes.release(self._oldest(), lambda name: (name[0], name[1:]) in self.subjects.held)

    def _oldest(self) -> int:
        """The instant before which a note comes too late: a day more than the hold ago."""
        return self.clock - self.policy.followed.at(max(0, self.clock)).hold_ms - DAY

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed, or an idle partition has not said for a while how far it is."""
        idle = self.wall and self.subjects.clock - self._cut_at > IDLE
        return bool(self._folded or self.sheet.rows or self.subjects.entries or idle)

    def pending_bytes(self) -> int:
        """About the size of the next checkpoint."""
        rows = len(self.sheet.rows) + len(self.subjects.touched)
        made = (rows + len(self.customers.waiting)) * ROW_BYTES + len(self.panes.changed) * PANE_BYTES * 2
        return made + self.subjects.entry_bytes + self.refusals.bytes

    def _full(self) -> bool:
        return self.pending_bytes() > FULL

    def urgent(self) -> bool:
        """Whether a warning waits."""
        return self.sheet.urgent

    def cut(self, version: int, offsets: dict[str, int]) -> Cut:
        """All that changed since the last cut, and the outputs made since."""
        outputs = self.refusals.letters + messages.messages(self.partition, version, self.rows())
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
        entries += self.policy.entries.items()
        entries.append((HEAD, head.encode(self._make_head())))
        self._clean()
        return Cut(entries, outputs)

    def _clean(self) -> None:
        self.sheet.clear()
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
            if subject.state is not None and (row := subject.state.standing()) is not None:
                self.sheet.put(row)
        self.subjects.touched.clear()
        return list(self.sheet.rows.values())

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
        subject_kind, subject_id, n = parse_key(key)
        numbered = self._raws.setdefault((subject_kind, subject_id), {})
        if value is None:
            numbered.pop(n, None)
            if not numbered:
                del self._raws[subject_kind, subject_id]
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
            elif key[:1] in (FOLLOWED, NEXT):
                self.policy.entries[key] = self.policy.entry(key)
            elif key[:1] == NOTE:
                self.subjects.entries[key] = self.notes.known.get(key)
            elif key[:1] != HEAD:
                self.subjects.entries[key] = self.subjects.entry(key)
        self._folded = True


def _pane_key(minute: int) -> bytes:
    return PANE + str(minute).encode()
