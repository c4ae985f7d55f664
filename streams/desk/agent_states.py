"""An agent's states, one after another, and a break that lasts too long.

available ──── break ─────── limit x overbreak ═════ available: cleared
|-- a span ---|-- a span ------------------------|-- a span

Agents are never closed. But a state that ended longer ago than the policy's hold changes nothing any more, so events
are dropped from the front, a day at a time, up to the beginning of a state. What follows does not depend on what was
dropped, except for the team: the first event kept is rewritten to name it.
"""

from collections.abc import Callable, Sequence

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.output.warnings import raised
from streams.desk.policy.versions import Policies
from streams.models.entities import AgentStateRow
from streams.models.envelope import Event
from streams.models.instants import NEVER
from streams.models.rows import WarningRow
from streams.models.signals import AgentState


class Agent:
    """An agent as they stand after their events so far. A plain fold, like a ticket; the spans are its rows."""

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
        self.since = 0  # when this state began; a change of team begins a span, not a state
        self.warning: WarningRow | None = None
        self.next_at, self.fired_at, self.released_at = NEVER, -1, NEVER
        self.began_at = NEVER  # when its first state here did
        self.forget_at = NEVER  # when that one has been over for the hold

    def apply(self, event: Event, at: int) -> None:
        """Fold an event in, at the instant `at`. A state that does not change: nothing new."""
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
            ended = msgspec.structs.replace(self.warning, state="cleared", cleared_at=at, cleared_by=state, version=0)
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
        """How long a state that began when this one did may last (ms)."""
        limit = getattr(self.policies.at(self.since).agents.limits, f"{state}_ms")
        return None if limit is None else int(limit)

    def pass_time(self, until: int) -> None:
        """The limit of the state passes."""
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
    """The index of the last event that is past and began a state, and the team then. `events`: an agent's, in order."""
    index, team_then, state, team = 0, "", "", ""
    for n, event in enumerate(events):
        data: AgentState = event.data
        team = data.team or team
        if data.state != state and is_past(event.at):
            index, team_then = n, team
        state = data.state
    return index, team_then


def naming(raw: bytes, team: str) -> bytes:
    """An event of an agent, as JSON, with the team that it is about."""
    event = msgspec.json.decode(raw)
    return msgspec.json.encode({**event, "data": {**event["data"], "team": team}})
