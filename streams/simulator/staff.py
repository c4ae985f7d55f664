"""Agents: their shifts and breaks, and the assignment of waiting turns.

A turn is served at once if an agent of its team is free, else when one becomes free, the lowest rank first. An agent
finishes the present contact before a pause or the end of the shift.

    available ── on_contact ── wrapup ── available ── meal ── available ── ... ── offline
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, time, timedelta
from heapq import heappop, heappush
from itertools import accumulate

from streams.simulator.kernel import DAY, HOUR, MINUTE, Kernel, Process, Turn
from streams.simulator.world import SHIFT_HOURS, SHIFTS, TEAMS, World


class Agent:
    """One agent: `working` from the first to the last minute of a shift, `idle` while it waits for work.

    `pauses`: the states due after the present contact, with their lengths (state, ms).
    """

    __slots__ = ("id", "idle", "number", "pauses", "shift", "state", "team", "working")

    def __init__(self, id_: str, team: str, number: int) -> None:
        self.id = id_
        self.team = team
        self.number = number
        shifts = SHIFTS[team]
        self.shift = shifts[number % len(shifts)]
        self.state = "offline"
        self.idle = False
        self.working = False
        self.pauses: deque[tuple[str, int]] = deque()


class _Team:
    """Free agents, longest idle first, and turns that wait, in the order of (rank, arrival)."""

    __slots__ = ("idle", "waiting")

    def __init__(self) -> None:
        self.idle: deque[Agent] = deque()
        self.waiting: list[tuple[int, int, Turn]] = []


class Staff:
    """All agents of a world, in their teams."""

    def __init__(self, kernel: Kernel, world: World) -> None:
        self._kernel = kernel
        self._world = world
        self._teams = {team: _Team() for team in TEAMS}
        self._joined = 0
        self.agents = [
            Agent(f"A{number:03}", team, i)
            for number, (team, i) in enumerate(
                ((team, i) for team, size in team_sizes(world.agents).items() for i in range(size)), start=1
            )
        ]
        kernel.spawn(self._roster())

    def turn(self, team: str, rank: int, patience: int | None = None) -> Turn:
        """A place in a team's queue; yield it to wait for an agent, at most `patience` ms. Lower ranks go first."""

        def join(turn: Turn) -> None:
            queue = self._teams[team]
            if queue.idle:
                agent = queue.idle.popleft()
                agent.idle = False
                self._kernel.serve(turn, agent)
            else:
                self._joined += 1
                heappush(queue.waiting, (rank, self._joined, turn))

        return Turn(join, patience)

    def state(self, agent: Agent, state: str) -> None:
        """Emit an agent's new state, if it differs."""
        if agent.state == state:
            return
        agent.state = state
        self._kernel.emit("agent.state_changed", agent.id, {"agent_id": agent.id, "state": state, "team": agent.team})

    def release(self, agent: Agent) -> None:
        """An agent has finished: it takes a due pause, serves the next turn, or is free."""
        if agent.pauses:
            self._kernel.spawn(self._pause(agent))
            return
        team = self._teams[agent.team]
        while team.waiting:
            turn = heappop(team.waiting)[2]
            if not turn.over and turn.agent is None:
                if agent.state not in ("on_contact", "wrapup"):
                    self.state(agent, "available")  # back from a pause, a call is waiting
                self._kernel.serve(turn, agent)
                return
        agent.idle = True
        team.idle.append(agent)
        self.state(agent, "available")

    def _pause(self, agent: Agent) -> Process:
        state, ms = agent.pauses.popleft()
        self.state(agent, state)
        if state == "offline":
            agent.working = False
            agent.pauses.clear()
            return
        yield ms
        self.release(agent)

    def _shift(self, agent: Agent, end: int) -> Process:
        """One shift from now to `end`: breaks, a meal, sometimes a meeting or a training."""
        if agent.working:  # overtime of the previous shift
            return
        kernel, chance = self._kernel, self._kernel.random.random
        agent.working = True
        self.release(agent)
        start = end - SHIFT_HOURS * HOUR
        long = chance() < 0.05  # a break far over its limit
        pauses = [
            (2 * HOUR, "break", 45 * MINUTE if long else 15 * MINUTE),
            (4 * HOUR, "meal", 45 * MINUTE),
            (6.5 * HOUR, "break", 15 * MINUTE),
        ]
        if chance() < 0.2:
            pauses.append((1 * HOUR, "meeting", 30 * MINUTE))
        if chance() < 0.08:
            pauses.append((5 * HOUR, "training", HOUR))
        spread = kernel.random.uniform(-45, 45) * MINUTE  # not all at once
        for after, state, ms in sorted(pauses):
            at = start + int(after + spread)
            if at <= kernel.now:
                continue
            yield at - kernel.now
            self._owe(agent, state, int(ms * (0.8 + 0.4 * chance())))
        yield max(0, end - kernel.now)
        self._owe(agent, "offline", 0)

    def _owe(self, agent: Agent, state: str, ms: int) -> None:
        agent.pauses.append((state, ms))
        if agent.idle:
            agent.idle = False
            self._teams[agent.team].idle.remove(agent)
            self._kernel.spawn(self._pause(agent))

    def _roster(self) -> Process:
        """Start, at each local midnight, the shifts of that day; at the start also those of the day before (nights)."""
        kernel = self._kernel
        day = kernel.today().date()
        day -= timedelta(days=1)
        while True:
            midnight = datetime.combine(day, time(), self._world.zone)
            for agent in self.agents:
                at = midnight + timedelta(hours=agent.shift)  # wall time: a shift moves with the clocks
                begins_at = int(at.timestamp() * 1000)
                ends_at = begins_at + SHIFT_HOURS * HOUR
                if works(agent, midnight) and kernel.random.random() >= self._absent(agent.team, begins_at):
                    now = kernel.now
                    if ends_at > now:
                        kernel.spawn(self._shift(agent, ends_at), max(0, begins_at - now))
            day += timedelta(days=1)
            at_ms = int(datetime.combine(day, time(), self._world.zone).timestamp() * 1000)
            if at_ms > kernel.now:
                yield at_ms - kernel.now

    def _absent(self, team: str, at: int) -> float:
        """Share of shifts not worked: illness and leave, and the scenario's shortages."""
        shares = (
            gap.absent
            for gap in self._world.scenario.shortages
            if gap.team in ("", team) and gap.begins_at <= at < gap.ends_at
        )
        return max(0.04, *shares, 0.04)


def team_sizes(agents: int) -> dict[str, int]:
    """Agents by team: the shares of `TEAMS`, at least one each, `agents` in all."""
    bounds = [round(share * (agents - len(TEAMS))) for share in accumulate(TEAMS.values())]
    return {team: 1 + to - from_ for team, from_, to in zip(TEAMS, [0, *bounds], bounds, strict=False)}


def works(agent: Agent, day: datetime) -> bool:
    """Whether an agent works on a day: five of seven; even agents Monday to Friday, odd ones with other days off."""
    weekday = day.weekday()
    if agent.number % 2 == 0:
        return weekday < 5
    off = (agent.number // 2 * 2) % 7
    return weekday not in (off, (off + 1) % 7)


assert SHIFT_HOURS * HOUR < DAY
