"""Where a call waits: the queue and team in force, and its spans in the backlog of waiting calls.

queued      transferred (nobody answered yet)     answered     transferred
|--- q1, A ---|---------- q2, B ------------------|                 |  q3, C in force
"""

import msgspec

from streams.desk.calls.legs import Place
from streams.desk.output.change_set import ChangeSet
from streams.models.envelope import Event, order_of
from streams.models.rows import SpanRow


class Waiting(msgspec.Struct, gc=False, eq=False):
    """`since`: when the call queued. `queue`, `team`: in force now, also after an answer."""

    call_id: str
    since: int = 0
    queue: str = ""
    team: str = ""
    until: int | None = None  # answered, abandoned or lost; None while it waits
    _first_team: str = ""
    _moves: list[tuple[int, Event, str, str]] = []  # each with the queue and team that it leaves
    _spans: list[SpanRow] = []

    def before(self, place: Place) -> tuple[str, str]:
        """Queue and team in force before a place among the events."""
        for at, transfer, queue, team in self._moves:
            if (at, order_of(transfer)) >= place:
                return queue, team
        return self.queue, self.team

    def begin(self, at: int, queue: str, team: str, change_set: ChangeSet) -> None:
        """The call queues."""
        self.since, self.queue, self.team, self._first_team = at, queue, team, team
        self._update(change_set)

    def move(self, at: int, transfer: Event, queue: str, team: str, change_set: ChangeSet) -> None:
        """Another queue or team is in force by a transfer; a call that nobody answered yet waits there."""
        self._moves.append((at, transfer, self.queue, self.team))
        self.queue, self.team = queue, team
        if self.until is None and at > self.since and self._spans:
            self._split(at, change_set)
        elif self.until is None or at < self.until:
            self._update(change_set)

    def _split(self, at: int, change_set: ChangeSet) -> None:
        """The last span ends, and one with the team in force begins: moves come in the order of time."""
        last = self._spans[-1]
        if at > last.from_at:
            self._spans[-1] = self._span(last.n, last.team, last.from_at, at)
            change_set.put(self._spans[-1])
            self._spans.append(self._span(last.n + 1, self.team, at, None))
        else:
            self._spans[-1] = self._span(last.n, self.team, last.from_at, None)
        change_set.put(self._spans[-1])

    def end(self, at: int, change_set: ChangeSet) -> None:
        """Answered, abandoned or lost; called again when a later event says otherwise."""
        if self.until != at:
            self.until = at
            self._update(change_set)

    def withdraw(self, change_set: ChangeSet) -> None:
        """It never queued: it was abandoned in the voice menu."""
        for span in self._spans:
            change_set.withdraw(span)

    def _update(self, change_set: ChangeSet) -> None:
        """Write the spans that differ from those written before: one only, as long as nothing moved the call."""
        if not self._moves and (self.until is None or self.until > self.since):
            self._spans = [self._span(1, self.team, self.since, self.until)]
            change_set.put(self._spans[0])
            return
        former, self._spans = self._spans, self._wanted()
        for n, span in enumerate(self._spans):
            if n >= len(former) or (span.team, span.from_at, span.to_at) != _of(former[n]):
                change_set.put(span)
        for span in former[len(self._spans) :]:
            change_set.withdraw(span)

    def _wanted(self) -> list[SpanRow]:
        """The spans from one transfer to the next, until the waiting ends; instants before the queue count as there."""
        steps = [(self.since, self._first_team)]
        for n, (at, *_) in enumerate(self._moves):
            team = self._moves[n + 1][3] if n + 1 < len(self._moves) else self.team
            if at > steps[-1][0]:
                steps.append((at, team))
            else:
                steps[-1] = (steps[-1][0], team)
        spans: list[SpanRow] = []
        for n, (at, team) in enumerate(steps):
            if self.until is not None and at >= self.until:
                break
            to = steps[n + 1][0] if n + 1 < len(steps) else self.until
            if to is not None and self.until is not None:
                to = min(to, self.until)
            spans.append(self._span(len(spans) + 1, team, at, to))
        return spans

    def _span(self, n: int, team: str, from_at: int, to_at: int | None) -> SpanRow:
        return SpanRow("call", self.call_id, n, team, self.since, from_at, to_at, 0, 0)


def _of(span: SpanRow) -> tuple[str, int, int | None]:
    return span.team, span.from_at, span.to_at
