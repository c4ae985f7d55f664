"""The legs of a call: which answer and which end belong together.

answered by a1        transferred   ended by a1    answered by a2      ended by a2
|------ leg 1: queue q1, a1 ------------|              |-- leg 2: q2, a2 --|
              |- (q2 in force) -->

A leg begins at an answer and ends at the next end of its agent. A producer may lose an answer, or stamp it after the
end. So an end with talk makes a leg of its own, and an answer that no later end ends takes the nearest end before it
that has none:

queued         began = end - talk - hold - wrap-up          ended (talk 2 s)    answered, 0.3 s late
|---- wait ----|--------------- leg 1 ----------------------|                   no second leg

answered a   ended a   ended b   answered b            answered   ended
    |=========|         |<- its end -|                    |=========|    never an end before its answer, if one follows
"""

import msgspec

from streams.models.calls import Answered, CallAnswered, CallEnded
from streams.models.entities import CallLegRow
from streams.models.envelope import Order, sequence_key
from streams.models.rows import Cause

Place = tuple[int, Order]
"""Where something stands among the events of a call: the instant at which it takes effect, and its order."""


def milliseconds(seconds: float | None) -> int:
    """Seconds on the wire in whole ms."""
    return round(seconds * 1000) if seconds else 0


class Talk(msgspec.Struct, gc=False, eq=False):
    """An answer or an end, as reported. `n`: its number among those of the call. `at`: when it takes effect.

    `timed`: its own time, which may be before the offer. An answer has a wait, an end has talk, hold and wrap-up (ms).
    """

    n: int
    at: int
    timed: int
    sequence: str | int | None
    cause: Cause
    agent_id: str
    is_answer: bool
    wait_ms: int = 0
    talk_ms: int = 0
    hold_ms: int = 0
    wrapup_ms: int = 0

    def place(self) -> Place:
        """Where it stands."""
        rank = CallAnswered.rank if self.is_answer else CallEnded.rank
        return (self.at, (self.timed, rank, sequence_key(self.sequence), *self.cause))

    def began(self, queued_at: int) -> tuple[int, Place]:
        """When its leg began, if only the end is known: talk, hold and wrap-up before, but not before it queued."""
        at = max(self.at - self.talk_ms - self.hold_ms - self.wrapup_ms, queued_at)
        return at, (at, (min(at, self.timed), CallAnswered.rank, sequence_key(self.sequence), *self.cause))


class Leg(msgspec.Struct, gc=False, eq=False):
    """One leg. `place`: where its beginning stands, if that is not its answer's. `end`: None while it is open."""

    number: int
    began_at: int
    place: Place | None
    answer: Talk | None
    agent_id: str
    end: Talk | None = None
    queue: str = ""
    team: str = ""

    def close(self, end: Talk) -> None:
        """It has its end; an agent whom the answer did not name is the one whom the end names."""
        self.end = end
        self.agent_id = self.agent_id or end.agent_id

    def row(self, call_id: str) -> CallLegRow:
        """The leg as it stands."""
        end = self.end
        parts = (None, 0, 0, 0) if end is None else (end.at, end.talk_ms, end.hold_ms, end.wrapup_ms)
        return CallLegRow(call_id, self.number, self.queue, self.team, self.agent_id, self.began_at, *parts)


class Legs(msgspec.Struct, gc=False, eq=False):
    """All legs of a call, as its answers and ends so far tell.

    As long as each end ends an open leg, one answer or end concerns one leg. Else all are matched anew.

    Attributes:
        all: the legs, by their beginnings; their numbers count from 1.
        lonely: the ends that belong to no leg.
        talks: all answers and ends, in order.
    """

    all: list[Leg] = []
    lonely: list[Talk] = []
    is_regular: bool = True
    talks: list[Talk] = []

    def add(self, event: CallAnswered | CallEnded, at: int, queued_at: int) -> list[Leg]:
        """Add an answer or an end; returns the legs that it concerns, maybe all. None begins before the call queued."""
        talk = _talk(len(self.talks), at, event)
        self.talks.append(talk)
        if self.is_regular:
            if talk.is_answer:
                leg = Leg(len(self.all) + 1, at, None, talk, talk.agent_id)
                self.all.append(leg)
                return [leg]
            found = _open_leg(self.all, talk)
            if found is not None:
                found.close(talk)
                return [found]
            self.is_regular = False
        self.all, self.lonely = match(self.talks, queued_at)
        return self.all

    def __len__(self) -> int:
        """The number of answers and ends."""
        return len(self.talks)

    def open_since(self) -> int:
        """When the newest open leg began. One must be open."""
        return max(leg.began_at for leg in self.all if leg.end is None)

    def begin_after(self, place: Place) -> bool:
        """Whether a leg begins after `place`, though its end is known: the end came while the voice menu still ran."""
        return not self.is_regular and bool(self.all) and _stands(self.all[-1]) > place

    def last(self) -> Leg | None:
        """The leg with which the call ends; None while one is open."""
        last, n = None, -1
        for leg in self.all:
            if leg.end is None:
                return None
            if leg.end.n > n:
                last, n = leg, leg.end.n
        return last

    def first_answered(self) -> Leg:
        """The leg with the first answer, reported or derived. There must be one."""
        return self.all[0] if self.is_regular else min(self.all, key=_answered)


def match(talks: list[Talk], queued_at: int) -> tuple[list[Leg], list[Talk]]:
    """The legs that all answers and ends of a call make, by their beginnings, and the ends that belong to none."""
    legs: list[Leg] = []
    lonely: list[Talk] = []
    for talk in talks:
        if talk.is_answer:
            legs.append(Leg(0, talk.at, talk.place(), talk, talk.agent_id))
        elif (leg := _open_leg(legs, talk)) is not None:
            leg.close(talk)
        else:
            lonely.append(talk)
    for leg in legs:
        if leg.end is None and (end := _end_before(leg, lonely)) is not None:
            lonely.remove(end)
            leg.close(end)
            leg.began_at, leg.place = end.began(queued_at)
    for end in [end for end in lonely if end.talk_ms]:
        lonely.remove(end)
        legs.append(Leg(0, *end.began(queued_at), None, ""))
        legs[-1].close(end)
    legs.sort(key=_stands)
    for number, leg in enumerate(legs, 1):
        leg.number = number
    return legs, lonely


def _talk(n: int, at: int, event: CallAnswered | CallEnded) -> Talk:
    data, cause = event.data, (event.source, event.id)
    told = (n, at, event.at, event.sequence, cause, data.agent_id or "")
    if isinstance(data, Answered):
        return Talk(*told, True, milliseconds(data.wait_s))
    parts = milliseconds(data.talk_s), milliseconds(data.hold_s), milliseconds(data.wrapup_s)
    return Talk(*told, False, 0, *parts)


def _open_leg(legs: list[Leg], end: Talk) -> Leg | None:
    """The open leg that an end ends: the oldest of its agent, else of no known agent; without an agent, the oldest."""
    agent_id, nameless = end.agent_id, None
    for leg in legs:
        if leg.end is None:
            if leg.agent_id == agent_id or not agent_id:
                return leg
            if nameless is None and not leg.agent_id:
                nameless = leg
    return nameless


def _end_before(leg: Leg, lonely: list[Talk]) -> Talk | None:
    """The nearest end before a late answer, of its agent or of no known one."""
    assert leg.answer is not None
    for end in reversed(lonely):
        if end.n < leg.answer.n and (not end.agent_id or not leg.agent_id or end.agent_id == leg.agent_id):
            return end
    return None


def _stands(leg: Leg) -> Place:
    assert leg.place is not None  # all are matched
    return leg.place


def _answered(leg: Leg) -> Place:
    return _stands(leg) if leg.answer is None else leg.answer.place()
