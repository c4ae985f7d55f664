"""Ad-hoc closures of calendars: each changes the past and the future of every clock on it, ticket by ticket.

While it does, its record is not done with: the offset in the checkpoints stays before it, and it comes again.

    record     closed ─> t1 t2 ... full | checkpoint | closed ─> ... t8 t9 | next
"""

from collections.abc import Callable, Mapping

from streams.desk.policy.restatement import Following
from streams.desk.policy.versions import Policies
from streams.desk.track.subject import TICKET, event_of
from streams.desk.track.subjects import Subjects
from streams.models.instants import parse_instant
from streams.models.signals import DeskClosed

CLOSURE = b"k"  # first byte of its changelog key
Full = Callable[[], bool]
Count = Callable[[str, int], None]  # what, number


class Closures:
    """The closures that a partition has heard of. `policy`: which one it follows, without them."""

    def __init__(self, policy: Following, subjects: Subjects) -> None:
        self.policy, self.subjects = policy, subjects
        self.known: dict[bytes, bytes] = {}  # by changelog key, the events as they came
        self.under_way: tuple[bytes, bytes | None] | None = None  # the one tickets are to follow, and what stood before

    def take(self, event: DeskClosed, raw: bytes, full: Full, count: Count) -> bool:
        """Let all tickets follow it; False if a checkpoint is `full` first: take it again after it."""
        key = CLOSURE + f"{event.source}\0{event.id}".encode()
        stands = self.known.get(key)
        going_on = self.under_way is not None and self.under_way[0] == key and stands == raw
        if not going_on:
            if not self._go_on(full):  # with another one
                return False
            if stands is not None and (stands == raw or event_of(stands) == event):
                count("duplicates", 1)
                return True
            if stands is not None:
                count("conflicts", 1)
                if (event.at, raw) >= (event_of(stands).at, stands):
                    return True
            former = self.over(self.policy.followed)
            self.known[key] = self.subjects.entries[key] = raw
            self.under_way = (key, stands)
            self.subjects.begin_change(former, self.over(self.policy.followed), TICKET)
        return self._go_on(full)

    def _go_on(self, full: Full) -> bool:
        if not self.subjects.go_on_changing(full):
            return False
        self.under_way = None
        return True

    def over(self, policies: Policies, known: Mapping[bytes, bytes] | None = None) -> Policies:
        """Policies with these closures, by default all that are known."""
        closed: dict[str, list[tuple[int, int]]] = {}
        for raw in (self.known if known is None else known).values():
            event = event_of(raw)
            assert isinstance(event, DeskClosed)
            span = parse_instant(event.data.begins), parse_instant(event.data.ends)
            closed.setdefault(event.data.calendar, []).append(span)
        return policies.with_closures(closed) if closed else policies

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one from a checkpoint."""
        if value is None:
            self.known.pop(key, None)
        else:
            self.known[key] = value

    def restored(self) -> None:
        """Give the subjects the policies that hold, and, half-way through a change of them, the former ones."""
        policy, subjects = self.policy, self.subjects
        subjects.policies = self.over(policy.next or policy.followed)
        if policy.next is not None:
            subjects.former = self.over(policy.followed)
        elif self.under_way is not None:
            key, stood = self.under_way
            former = {other: raw for other, raw in self.known.items() if other != key}
            subjects.former = self.over(policy.followed, former if stood is None else {**former, key: stood})
