"""The virtual clock of the simulated desk: a heap of processes; each is a generator that yields its waits.

A process is the story of one call, ticket or shift. It yields either a delay in milliseconds, or a `Turn` (a place in a
team's queue). It is resumed when the delay is over, an agent is free, or its patience is exhausted:

    offered ──(ivr)──> turn ──────────┬── agent ──> answered ──(talk)──> ended
                        │<─patience─> └── None  ──> abandoned

Processes run in the order of (instant, order of request). So a run is a pure function of its seed, and its events are
in time order.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime, tzinfo
from heapq import heappop, heappush
from random import Random
from typing import Any

SECOND = 1_000
MINUTE = 60 * SECOND
QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Event = dict[str, Any]
"""One CloudEvent in structured JSON mode: specversion, id, source, type, time, subject, data."""


class Turn:
    """A place in a queue: the process that yields it is resumed with an agent, or with None after `patience` ms."""

    __slots__ = ("agent", "join", "over", "patience", "process")

    def __init__(self, join: Callable[[Turn], None], patience: int | None) -> None:
        self.join = join
        self.patience = patience
        self.process: Process | None = None
        self.agent: Any = None
        self.over = False


Wait = int | Turn
"""What a story yields: a delay in ms, or a turn."""

Process = Generator[Wait, Any, None]
"""A story: yields waits, receives None or an agent."""


class Kernel:
    """Runs processes on a virtual clock, and collects the events they emit.

    `now` is the present instant (ms since the epoch); `random` is the only source of chance; `seed` names the run in
    the events' source, so that runs with different seeds never share an identity.
    """

    def __init__(self, start: int, seed: int, zone: tzinfo) -> None:
        self.now = start
        self.random = Random(seed)
        self.zone = zone
        self.emitted: list[Event] = []
        self._source = f"/simulator/{seed}"
        self._heap: list[tuple[int, int, Process, Turn | None]] = []
        self._asked = 0
        self._events = 0
        self._quarter = -1
        self._hour, self._minute, self._offset = "", 0, ""
        self.local = datetime.fromtimestamp(start / 1000, zone)

    def spawn(self, process: Process, delay: int = 0) -> None:
        """Start a process `delay` ms from now."""
        self._push(self.now + delay, process, None)

    def serve(self, turn: Turn, agent: object) -> None:
        """Give a waiting turn its agent: its process resumes at this instant."""
        turn.agent = agent
        assert turn.process is not None
        self._push(self.now, turn.process, turn)

    def step(self) -> None:
        """Run the next process up to its next wait."""
        at, _, process, turn = heappop(self._heap)
        agent = None
        if turn is not None:
            if turn.over:  # the patience of a turn that was served
                return
            turn.over = True
            agent = turn.agent
        self.now = at
        try:
            asked = process.send(agent)
        except StopIteration:
            return
        if isinstance(asked, int):
            self._push(at + asked, process, None)
            return
        asked.process = process
        if asked.patience is not None:
            self._push(at + asked.patience, process, asked)
        asked.join(asked)

    def emit(self, type_: str, subject: str, data: dict[str, Any]) -> None:
        """Emit an event that happens now."""
        self._events += 1
        self.emitted.append(
            {
                "specversion": "1.0",
                "id": f"{self._events:09}",  # of equal width: at one instant, the order of ids is that of the events
                "source": self._source,
                "type": type_,
                "time": self.time(self.now),
                "subject": subject,
                "data": data,
            }
        )

    def time(self, at: int) -> str:
        """An instant as RFC 3339 in the desk's zone; zones change their offset only on quarters of an hour."""
        quarter, rest = divmod(at, QUARTER)
        if quarter != self._quarter:
            self._turn_to(quarter)
        minute, rest = divmod(rest, MINUTE)
        return f"{self._hour}{self._minute + minute:02}:{rest // 1000:02}.{rest % 1000:03}{self._offset}"

    def today(self) -> datetime:
        """The start of the present quarter of an hour, in the desk's zone."""
        if self.now // QUARTER != self._quarter:
            self._turn_to(self.now // QUARTER)
        return self.local

    def _turn_to(self, quarter: int) -> None:
        self._quarter = quarter
        self.local = datetime.fromtimestamp(quarter * QUARTER // 1000, UTC).astimezone(self.zone)
        text = self.local.isoformat()
        self._hour, self._minute, self._offset = text[:14], self.local.minute, text[19:]

    def _push(self, at: int, process: Process, turn: Turn | None) -> None:
        self._asked += 1
        heappush(self._heap, (at, self._asked, process, turn))
