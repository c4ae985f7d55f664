"""An escalation chain and its steps, and the events that they write. Pure.

    SCHEDULED ──due──> SENDING ──> SENT, UNKNOWN
      ^    │              └──────> FAILED ──again_at──> SENDING
      │    ├──> SKIPPED
      └────┴──> ACKNOWLEDGED       and back, when an acknowledgement lapses

A chain belongs to (rule, subject, parent) and outlives its warning by the cool-down. Step numbers are never reused, so
`warning_id/step` identifies one message. The events of a chain are numbered by `seq`. A warning that moves to another
parent's incident has another chain there, maybe in another partition: its numbers begin higher.

Only this module assigns the state of a step; `streams.desk.escalation.transitions` stops and resumes whole chains.
"""

from collections.abc import Callable, Iterator

import msgspec

from streams.models.escalations import ChainEvent, EscalationRow, StepState
from streams.models.rows import WarningRow

SCHEDULED, SENDING, SENT = StepState.SCHEDULED, StepState.SENDING, StepState.SENT
FAILED, SKIPPED, ACKNOWLEDGED = StepState.FAILED, StepState.SKIPPED, StepState.ACKNOWLEDGED
_STOPPED_OR_TO_COME = frozenset({SCHEDULED, ACKNOWLEDGED})

Key = tuple[str, str, str]
"""Rule and subject of a chain, and the parent ticket; "": none."""

MAX_STEPS, MAX_EVENTS = 1_000, 1_000_000
"""What the numbers of steps and events begin higher by, for each time that the warning moved before."""

WriteRow = Callable[[EscalationRow], None]
"""Receives the row of an event."""


class StoredWarning(WarningRow, kw_only=True, array_like=False, omit_defaults=True):
    """A WarningRow encoded as an object with field names, as in the topic and in the changelog."""

    state: str = "raised"


class Step(msgspec.Struct, array_like=True):
    """A message of the chain. `turn`: the number of earlier steps with the same `to`; experts rotate by it."""

    number: int
    after: int
    to: str
    turn: int = 0
    state: StepState = SCHEDULED
    due_at: int = 0
    receiver: str = ""
    attempt: int = 0
    again_at: int = 0  # when it is sent (again), if failed or deferred; 0: never
    digest: str = ""

    @property
    def open(self) -> bool:
        """Whether it may still be sent, unless the chain stops."""
        state = self.state
        return state in _STOPPED_OR_TO_COME or (self.again_at > 0 and state == FAILED)


class Chain(msgspec.Struct, array_like=True):
    """The chain of a warning. Its `severity` selects the steps, which fall due `after` ms from `began_at`."""

    warning: StoredWarning
    began_at: int
    policy_version: str
    severity: str
    steps: list[Step]
    seq: int = 0
    cleared_at: int | None = None
    acknowledged_at: int | None = None
    lapses_at: int = 0  # when the acknowledgement lapses; 0: never
    escalated: bool = False  # a message about this warning was sent
    exhausted: bool = False
    actions: list[tuple[str, str]] = []  # (source, id) of the actions applied
    stopped: bool = False  # for good: somebody disagreed
    folded: bool = False  # another chain leads the incident
    folds: int = 0  # the number of chains folded into this one
    joined_at: int = 0  # when the warning joined this incident; 0: written by release 0.1.0
    left: bool = False  # it was moved to another incident: its actions are meant for the chain there

    @property
    def key(self) -> Key:
        """The rule and subject of the chain, and the parent."""
        warning = self.warning
        return warning.rule, warning.subject, warning.parent_id

    @property
    def running(self) -> bool:
        """Whether its steps fall due now: it is not stopped."""
        return self.cleared_at is None and self.acknowledged_at is None and not self.folded

    def next_at(self) -> int | None:
        """The next instant at which time alone changes something; None: never. Not for a cleared chain."""
        if self.cleared_at is not None or self.folded:
            return None
        if self.acknowledged_at is not None:
            return self.lapses_at or None
        instants = [step.again_at or step.due_at for step in self.steps if step.open]
        return min(instants, default=None)


def key_of(warning: StoredWarning) -> Key:
    """The key of a warning's chain."""
    return warning.rule, warning.subject, warning.parent_id


def parents_of(warning: WarningRow) -> tuple[tuple[int, str], ...]:
    """The parents of the warning's ticket in turn, each with the instant (ms) since when; "": none."""
    return warning.parents or ((warning.raised_at, warning.parent_id),)


def last_number(chain: Chain) -> int:
    """The highest step number so far, or the one before the first. They have gaps, and need not begin with 1."""
    if chain.steps:
        return max(step.number for step in chain.steps)
    return chain.seq // MAX_EVENTS * MAX_STEPS


def moves_until(warning: WarningRow, at: int) -> int:
    """How often the warning had moved when it joined this incident, the last time by the instant `at`."""
    if not warning.parents:
        return 0
    parents = enumerate(warning.parents)
    return max((n for n, (since, parent_id) in parents if since <= at and parent_id == warning.parent_id), default=0)


def seq_from(warning: WarningRow, at: int, former: Chain | None) -> int:
    """The `seq` before the next event of a warning joining at `at`; `former`: the chain that it continues, if any."""
    first = moves_until(warning, at) * MAX_EVENTS
    same = former is not None and former.warning.warning_id == warning.warning_id
    return max(first, former.seq) if former is not None and same else first


def open_steps(chain: Chain) -> Iterator[Step]:
    """Yield the steps that may still be sent."""
    return (step for step in chain.steps if step.open)


def write_event(
    chain: Chain,
    step: Step | None,
    state: StepState | ChainEvent,
    at: int,
    write: WriteRow,
    *,
    by: str = "",
    reason: str = "",
) -> None:
    """Write the next event of the chain: about a step, or about the whole chain (None)."""
    chain.seq += 1
    warning = chain.warning
    write(
        EscalationRow(
            warning_id=warning.warning_id,
            seq=chain.seq,
            step=step.number if step else 0,
            state=state,
            at=at,
            rule=warning.rule,
            subject=warning.subject,
            severity=warning.severity,
            ticket_id=warning.ticket_id,
            to=step.to if step else "",
            receiver=step.receiver if step else "",
            due_at=step.due_at if step else None,
            attempt=step.attempt if step else 0,
            digest=step.digest if step else "",
            by=by,
            reason=reason,
        )
    )


def move(
    chain: Chain,
    step: Step,
    state: StepState,
    at: int,
    write: WriteRow,
    *,
    again_at: int = 0,
    by: str = "",
    reason: str = "",
) -> None:
    """Move a step to a state at the instant `at`, and write the event. `again_at`: when a failed step is retried."""
    step.state, step.again_at = state, again_at
    write_event(chain, step, state, at, write, by=by, reason=reason)


def skip_open(chain: Chain, at: int, write: WriteRow, reason: str) -> None:
    """Skip all open steps."""
    for step in open_steps(chain):
        move(chain, step, SKIPPED, at, write, reason=reason)


def suspend_open(chain: Chain, at: int, write: WriteRow, reason: str) -> None:
    """The warning is cleared: write the open steps as skipped, but keep them in case it is raised again."""
    for step in open_steps(chain):
        if chain.acknowledged_at is None:
            write_event(chain, step, SKIPPED, at, write, reason=reason)
        step.state, step.again_at = SCHEDULED, 0


def adopt_steps(chain: Chain, leader: Chain) -> None:
    """Copy the steps of `leader` with their states, under new numbers; the chain's own open steps are skipped.

    A step that is being sent counts as sent here: `leader` writes the outcome.
    """
    last = last_number(chain)
    for step in chain.steps:
        step.state, step.again_at = SKIPPED if step.open else step.state, 0
    for number, step in enumerate(leader.steps, last + 1):
        state = SENT if step.state == SENDING else step.state
        chain.steps.append(msgspec.structs.replace(step, number=number, state=state))
