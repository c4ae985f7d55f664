"""Ad-hoc closures of calendars. A closure changes the past and future of every SLA clock on its calendar.

Tickets are updated one by one. Until all are done, the record does not count as folded: the checkpointed offset stays
before it, so a restart reads it again.

    record     closed ─> t1 t2 ... full | checkpoint | closed ─> ... t8 t9 | next
"""

from collections.abc import Callable, Mapping

from streams.desk.policy.restatement import Following
from streams.desk.policy.versions import Policies
from streams.desk.saved import SavedDict
from streams.desk.track.repetition import Count, Repetition, repetition
from streams.desk.track.subject import TICKET, event_of
from streams.desk.track.subjects import Subjects
from streams.models.instants import parse_instant
from streams.models.signals import DeskClosed

CLOSURE = b"k"  # first byte of its changelog key
Full = Callable[[], bool]


class Closures:
    """The known closures of a partition. `policy`: the policy in force, without them; `events`: their saved part."""

    def __init__(self, policy: Following, subjects: Subjects) -> None:
        self.policy, self.subjects = policy, subjects
        self.under_way: tuple[bytes, bytes | None] | None = None  # the closure being applied, and the one it replaces
        self.events = SavedDict(CLOSURE)  # raw JSON, as received

    def apply(self, event: DeskClosed, raw: bytes, full: Full, count: Count) -> bool:
        """Apply a closure to all tickets; False if the checkpoint is `full` first: call again after the checkpoint."""
        key = CLOSURE + f"{event.source}\0{event.id}".encode()
        stored = self.events.known.get(key)
        is_resumed = self.under_way is not None and self.under_way[0] == key and stored == raw
        if not is_resumed:
            if not self._go_on(full):  # finish another closure first
                return False
            if stored is None:
                if not self.policy.partition and not self.policy.followed.knows_calendar(event.data.calendar):
                    count("unknown_calendars", 1)  # every partition gets the closure: one counts it
            else:
                changes = repetition(event, raw, event_of(stored), stored, count)
                if changes is Repetition.SPELLING:
                    self.events.put(key, raw)
                if changes is not Repetition.CONTENT:
                    return True
            former = self.over(self.policy.followed)
            self.events.put(key, raw)
            self.under_way = (key, stored)
            self.subjects.begin_restating(former, self.over(self.policy.followed), TICKET)
        return self._go_on(full)

    def _go_on(self, full: Full) -> bool:
        if not self.subjects.go_on_restating(full):
            return False
        self.under_way = None
        return True

    def over(self, policies: Policies, known: Mapping[bytes, bytes] | None = None) -> Policies:
        """Policies with these closures, by default all that are known."""
        closed: dict[str, list[tuple[int, int]]] = {}
        for raw in (self.events.known if known is None else known).values():
            event = event_of(raw)
            assert isinstance(event, DeskClosed)
            span = parse_instant(event.data.begins), parse_instant(event.data.ends)
            closed.setdefault(event.data.calendar, []).append(span)
        return policies.with_closures(closed) if closed else policies

    def restored(self) -> None:
        """All entries are loaded: give the subjects their policies, or the former ones while a closure is applied."""
        policy = self.policy
        policies = self.over(policy.next or policy.followed)
        former = None
        if policy.next is not None:
            former = self.over(policy.followed)
        elif self.under_way is not None:
            key, replaced = self.under_way
            known = {other: raw for other, raw in self.events.known.items() if other != key}
            former = self.over(policy.followed, known if replaced is None else {**known, key: replaced})
        self.subjects.follow(policies, former)
