"""The states of an agent, and the warning about a break that is too long.

available ──── break ─────── limit x overbreak ═════ available: cleared
|-- a span ---|-- a span ------------------------|-- a span

Agents are never released. A state that ended longer ago than the policy's hold has no further effect, so the oldest
events are dropped, a day at a time, up to the beginning of a state. The rest does not depend on dropped events, except
for the team: the first event kept is rewritten to name it.
"""

from collections.abc import Callable, Sequence

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.output.warnings import cleared, raised
from streams.desk.policy.versions import Policies
from streams.models.entities import AgentStateRow
from streams.models.envelope import Event
from streams.models.instants import NEVER
from streams.models.rows import WarningRow
from streams.models.signals import AgentState


class Agent:
    """The state of an agent after the events so far. A plain fold, like a ticket; its rows are the spans."""

    __slots__ = (
        "began_at",
        "change_set",
        "fired_at",
        "forget_at",
        "id",
        "next_at",
        "policies",
        "released_at",
        "since",
        "span",
        "warning",
    )

    def __init__(self, agent_id: str, policies: Policies, change_set: ChangeSet) -> None:
        self.id, self.policies, self.change_set = agent_id, policies, change_set
        self.span: AgentStateRow | None = None
        self.since = 0  # when this state began; a change of team begins a new span, not a new state
        self.warning: WarningRow | None = None
        self.next_at, self.fired_at, self.released_at = NEVER, -1, NEVER
        self.began_at = NEVER  # when the first state held began
        self.forget_at = NEVER  # when that one will have been over for the hold

    def apply(self, event: Event, at: int) -> None:
        """Fold in an event at the instant `at`. An unchanged state has no effect."""
        if self.next_at < at:
            self.pass_time(at)
        data: AgentState = event.data
        span = self.span
        team = data.team or ("" if span is None else span.team)
        if span is not None and (span.state, span.team) == (data.state, team):
            return
        if span is None or span.state != data.state:
            self._begin(data.state, at)
        if span is not None and span.from_at < at:
            self.change_set.put(msgspec.structs.replace(span, to_at=at, version=0))
        self.span = AgentStateRow(self.id, data.state, team, at, None, self._limit(data.state))
        self.change_set.put(self.span)

    def _begin(self, state: str, at: int) -> None:
        if self.warning is not None:
            ended = cleared(self.warning, at, state)
            self.change_set.put(ended)
            self.warning = None
        if self.span is None:
            self.began_at = at
        elif self.forget_at == NEVER:
            self.forget_at = at + self.policies.at(at).hold_ms
        self.since = at
        limit = self._limit(state)
        self.next_at = NEVER if limit is None else at + limit

    def _limit(self, state: str) -> int | None:
        """The time limit of `state` (ms), by the policy at the beginning of the current state."""
        limit = getattr(self.policies.at(self.since).agents.limits, f"{state}_ms")
        return None if limit is None else int(limit)

    def pass_time(self, until: int) -> None:
        """Let time pass: the limit of the state may be exceeded."""
        if self.next_at >= until:
            return
        at, self.next_at = self.next_at, NEVER
        self.fired_at = at
        span = self.span
        assert span is not None
        self.warning = raised(
            "agent.overbreak",
            f"agent/{self.id}",
            at,
            self.policies.at(at),
            dimension="agent",
            value=self.id,
            agent_id=self.id,
            team=span.team,
            cause=span.state,
            elapsed_ms=at - self.since,
            target_ms=at - self.since,
            due_at=at,
        )
        self.change_set.put(self.warning)
        self.change_set.urgent = True

    def entity_row(self) -> None:
        """None: an agent's rows are its spans."""


def last_beginning(events: Sequence[Event], is_past: Callable[[int], bool]) -> tuple[int, str]:
    """The index of the last past event that began a state, and the team then. `events`: an agent's, in order."""
    index, team_then, state, team = 0, "", "", ""
    for n, event in enumerate(events):
        data: AgentState = event.data
        team = data.team or team
        if data.state != state and is_past(event.at):
            index, team_then = n, team
        state = data.state
    return index, team_then


def naming(raw: bytes, team: str) -> bytes:
    """Return the JSON of an agent's event with the team added."""
    event = msgspec.json.decode(raw)
    return msgspec.json.encode({**event, "data": {**event["data"], "team": team}})
