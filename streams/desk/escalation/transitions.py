"""How an escalation chain begins, stops and resumes. Pure.

A step falls due at `began_at + after`. A pause moves `began_at` by its length, so that the chain continues where it
stopped:

    raised                cleared           raised again, within the cool-down
      |--0m------10m---------|...................|----15m-------->
      step 1 sent                                step 2            began_at is moved by ......
      |--0m------|acknowledged, or snoozed .......|---15m-------->
                                                  lapses

Instants `at` are ms; `write` takes the row of each event.
"""

from streams.desk.escalation.chain import (
    ACKNOWLEDGED,
    SCHEDULED,
    SENDING,
    Chain,
    Step,
    StoredWarning,
    WriteRow,
    last_number,
    move,
    open_steps,
    seq_from,
    skip_open,
    suspend_open,
    write_event,
)
from streams.desk.escalation.plan import planned_sends
from streams.desk.policy.versions import Policy
from streams.models.escalations import ChainEvent, StepState

_TRIED = frozenset({StepState.SENT, StepState.FAILED, StepState.UNKNOWN})


def begin(
    warning: StoredWarning, policy: Policy, since: int, at: int, write: WriteRow, former: Chain | None = None
) -> Chain:
    """Return a new chain at the instant `at`, its steps planned `since` one; without steps if the policy has none.

    `former`: an earlier chain of the same warning; its step numbers are not reused.
    """
    chain = Chain(warning, since, policy.version, warning.severity, [], seq_from(warning, at, former))
    chain.steps = _plan(warning, policy, 1 + last_number(chain if former is None else former))
    _schedule(chain, at, write)
    return chain


def clear(chain: Chain, at: int, write: WriteRow, reason: str) -> None:
    """The warning is cleared since `at`."""
    chain.cleared_at = at
    suspend_open(chain, at, write, reason)


def raise_again(chain: Chain, warning: StoredWarning, at: int, write: WriteRow) -> None:
    """The warning of a cleared chain is open again at `at`: raised again, back in the incident, or its clearing

    withdrawn. Resume the chain.
    """
    cleared_at = chain.cleared_at if chain.cleared_at is not None else at
    pause = max(0, at - cleared_at)
    chain.seq = seq_from(warning, at, chain)
    chain.escalated &= warning.warning_id == chain.warning.warning_id
    chain.warning, chain.cleared_at, chain.exhausted = warning, None, False
    chain.began_at += pause
    if chain.acknowledged_at is not None:
        chain.acknowledged_at += pause
        chain.lapses_at += pause if chain.lapses_at else 0
    resume(chain, at, write)


def resume(chain: Chain, at: int, write: WriteRow) -> None:
    """Write the states of the open steps: scheduled, or still acknowledged."""
    if chain.acknowledged_at is None:
        _schedule(chain, at, write)
        return
    for step in open_steps(chain):
        move(chain, step, ACKNOWLEDGED, at, write, reason="acknowledged before")


def replan(chain: Chain, policy: Policy, at: int, write: WriteRow) -> None:
    """The warning's severity changed: replace the open steps by those of the new severity's chain."""
    chain.severity = chain.warning.severity
    planned = _plan(chain.warning, policy, 1 + last_number(chain))
    if [(step.after, step.to) for step in planned] == [(step.after, step.to) for step in chain.steps]:
        return
    skip_open(chain, at, write, "another severity")
    chain.steps += planned
    chain.exhausted = False
    for step in planned:
        step.due_at = max(at, chain.began_at + step.after)
        if chain.running:
            write_event(chain, step, step.state, at, write)


def acknowledge(chain: Chain, at: int, lapse_ms: int, write: WriteRow, by: str, reason: str = "") -> None:
    """Stop the chain at `at`; it resumes after `lapse_ms` (0: never)."""
    for step in open_steps(chain):
        move(chain, step, ACKNOWLEDGED, at, write, by=by, reason=reason)
    if chain.acknowledged_at is None:
        chain.acknowledged_at = at
    chain.lapses_at = at + lapse_ms if lapse_ms else 0


def lapse(chain: Chain, at: int, write: WriteRow) -> None:
    """The acknowledgement lapses at `at` while the warning is open: resume, or repeat the last step if none is open."""
    assert chain.acknowledged_at is not None
    chain.began_at += at - chain.acknowledged_at
    chain.acknowledged_at, chain.lapses_at, chain.exhausted = None, 0, False
    write_event(chain, None, ChainEvent.LAPSED, at, write)
    if chain.steps and not any(step.open for step in chain.steps):
        last = chain.steps[-1]
        chain.steps.append(Step(last.number + 1, at - chain.began_at, last.to, last.turn + 1))
    _schedule(chain, at, write)


def snooze(chain: Chain, at: int, until: int, write: WriteRow, by: str, reason: str = "") -> None:
    """Suspend the chain from `at` to `until`."""
    since = at if chain.acknowledged_at is None else chain.acknowledged_at
    chain.acknowledged_at, chain.lapses_at = None, 0
    chain.began_at += until - since
    write_event(chain, None, ChainEvent.SNOOZED, at, write, by=by, reason=reason)
    _schedule(chain, at, write, by=by, reason="snoozed", earliest=until)


def exhaust(chain: Chain, at: int, write: WriteRow) -> None:
    """Write, once, that no step is left while the warning is open and unacknowledged."""
    if chain.exhausted or not chain.running or any(step.open or step.state == SENDING for step in chain.steps):
        return
    if any(step.state in _TRIED for step in chain.steps):
        chain.exhausted = True
        write_event(chain, None, ChainEvent.EXHAUSTED, at, write)


def _plan(warning: StoredWarning, policy: Policy, first: int) -> list[Step]:
    """The policy's steps for the warning, numbered from `first`."""
    sends = planned_sends(policy, warning.severity, warning.rule)
    return [Step(number, *send) for number, send in enumerate(sends, first)]


def _schedule(
    chain: Chain, at: int, write: WriteRow, *, by: str = "", reason: str = "", earliest: int | None = None
) -> None:
    """Schedule the open steps again, none of them before `earliest` (None: `at`)."""
    for step in open_steps(chain):
        # A step that waited for its receiver's hours is not late, though it was due long ago.
        step.due_at = max(at if earliest is None else earliest, chain.began_at + step.after)
        move(chain, step, SCHEDULED, at, write, by=by, reason=reason)
