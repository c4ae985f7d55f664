"""The escalation chain of one warning: whom to tell, after how long, and what stops it. Pure.

A step falls due at `began_at + after`. Whatever stops a chain for a while moves `began_at` by as long, so that the
chain goes on where it stopped:

    raised                cleared           raised again, within the cool-down
      |--0m------10m---------|...................|----15m-------->
      step 1 sent                                step 2            began_at is moved by ......
      |--0m------|acknowledged, or snoozed .......|---15m-------->
                                                  lapses

A chain belongs to (rule, subject) and outlives its warning by the cool-down; its steps are numbered once and for all,
so `warning_id/step` names a message of which there is never a second one. Of tickets with one parent, one chain leads
for all (`streams.desk.escalation.incidents`).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache

import msgspec

from streams.desk.escalation.received_warning import Warned
from streams.desk.policy.receivers import Escalation
from streams.desk.policy.versions import Policy
from streams.models.escalations import EscalationRow

OPEN = ("scheduled", "acknowledged", "failed")  # states of a step that may still be sent
COOLDOWN = 1_800_000  # ms, of a rule that has no section of its own


Key = tuple[str, str]
"""Rule and subject of a chain."""


class Step(msgspec.Struct, array_like=True):
    """A message of the chain. `turn` counts the ones before it to the same `to`: experts take turns by it."""

    number: int
    after: int
    to: str
    turn: int = 0
    state: str = "scheduled"
    due_at: int = 0
    receiver: str = ""
    attempt: int = 0
    again_at: int = 0  # when a failed one is tried again; 0: never
    digest: str = ""

    @property
    def open(self) -> bool:
        """Whether it may still be sent, if nothing stops the chain."""
        return self.state in OPEN and (self.state != "failed" or self.again_at > 0)


class Chain(msgspec.Struct, array_like=True):
    """A chain, and the warning that it is for. `stopped`: when it was acknowledged, and when that lapses (0: never)."""

    warned: Warned
    began_at: int
    policy_version: str
    severity: str  # that chose the steps
    steps: list[Step]
    seq: int = 0
    cleared_at: int | None = None
    acknowledged_at: int | None = None
    lapses_at: int = 0
    escalated: bool = False
    exhausted: bool = False
    done: list[tuple[str, str]] = []  # identities of the actions taken
    stopped: bool = False  # for good: somebody disagreed
    folded: bool = False  # another one of its family leads
    folds: int = 0  # how many it leads for, besides itself

    @property
    def key(self) -> Key:
        """What the chain belongs to."""
        return self.warned.rule, self.warned.subject

    @property
    def running(self) -> bool:
        """Whether its steps fall due."""
        return self.cleared_at is None and self.acknowledged_at is None and not self.folded

    def next_at(self) -> int | None:
        """The next instant at which time alone changes something; None: never. Not of a cleared one."""
        if self.cleared_at is not None or self.folded:
            return None
        if self.acknowledged_at is not None:
            return self.lapses_at or None
        instants = [step.again_at or step.due_at for step in self.steps if step.open]
        return min(instants, default=None)


Write = Callable[[EscalationRow], None]


def write(chain: Chain, step: Step | None, at: int, to: Write, *, state: str = "", by: str = "", why: str = "") -> None:
    """Write what happened to a step, or to the chain itself (None). The step's state, unless another is given."""
    chain.seq += 1
    warned = chain.warned
    to(
        EscalationRow(
            warning_id=warned.warning_id,
            seq=chain.seq,
            step=step.number if step else 0,
            state=state or (step.state if step else ""),
            at=at,
            rule=warned.rule,
            subject=warned.subject,
            severity=warned.severity,
            ticket_id=warned.ticket_id,
            to=step.to if step else "",
            receiver=step.receiver if step else "",
            due_at=step.due_at if step else None,
            attempt=step.attempt if step else 0,
            digest=step.digest if step else "",
            by=by,
            reason=why,
        )
    )


def begin(warned: Warned, policy: Policy, to: Write, former: Chain | None = None) -> Chain:
    """Return the new chain of a warning; without steps if the policy has none for it.

    `former`: one that this warning has had, whose numbers are not used again.
    """
    first, seq = (1, 0) if former is None else (1 + max((step.number for step in former.steps), default=0), former.seq)
    chain = Chain(warned, warned.raised_at, policy.version, warned.severity, plan(warned, policy, first), seq)
    _schedule(chain, warned.raised_at, to)
    return chain


def plan(warned: Warned, policy: Policy, first: int = 1) -> list[Step]:
    """Return the steps of the first [[escalation]] that matches, repeats unfolded, in the order in which they are due.

    `first` is the number of the first of them.
    """
    sends = _sends(policy, warned.severity, warned.rule)
    return [Step(number, after, to, turn) for number, (after, to, turn) in enumerate(sends, first)]


def lapse_of(warned: Warned, policy: Policy) -> int:
    """Return for how long (ms) an acknowledgement of this warning holds; 0: for good."""
    section = _section(policy, warned.severity, warned.rule)
    return 0 if section is None else section.acknowledged_for_ms or 0


@lru_cache(maxsize=256)
def _section(policy: Policy, severity: str, rule: str) -> Escalation | None:
    for section in policy.escalation:
        if severity in section.severity and (section.rules is None or rule in section.rules):
            return section
    return None


@lru_cache(maxsize=256)
def _sends(policy: Policy, severity: str, rule: str) -> tuple[tuple[int, str, int], ...]:
    """(after, to, turn) of each message of a chain."""
    section = _section(policy, severity, rule)
    if section is None:
        return ()
    unfolded = [
        (step.after_ms + n * step.every_ms, i, step.to)
        for i, step in enumerate(section.steps)
        for n in range(step.repeat)
    ]
    turns: Counter[str] = Counter()
    sends = []
    for after, _i, to in sorted(unfolded):
        sends.append((after, to, turns[to]))
        turns[to] += 1
    return tuple(sends)


def cooldown_of(warned: Warned, policy: Policy) -> int:
    """Return the cool-down (ms) of the rule that raised this warning."""
    for rule in policy.rules:
        if rule.rule == warned.rule and (not warned.dimension or rule.by == warned.dimension):
            return rule.cooldown_ms
    return COOLDOWN


def clear(chain: Chain, at: int, to: Write, why: str) -> None:
    """The warning does not stand any more, since `at`."""
    chain.cleared_at = at
    for step in _open(chain):
        if chain.acknowledged_at is None:
            write(chain, step, at, to, state="skipped", why=why)
        step.again_at, step.state = 0, "scheduled"


def go_on(chain: Chain, warned: Warned, to: Write) -> None:
    """The warning of a cleared chain stands again (raised anew, or its clearing taken back): go on where it stopped."""
    cleared_at = chain.cleared_at if chain.cleared_at is not None else warned.raised_at
    pause = max(0, warned.raised_at - cleared_at)
    if warned.warning_id != chain.warned.warning_id:
        chain.seq, chain.escalated = 0, False
    chain.warned, chain.cleared_at, chain.exhausted = warned, None, False
    chain.began_at += pause
    if chain.acknowledged_at is not None:
        chain.acknowledged_at += pause
        chain.lapses_at += pause if chain.lapses_at else 0
    resume(chain, warned.raised_at, to)


def resume(chain: Chain, at: int, to: Write) -> None:
    """Say how the steps that are left stand now: to come, or acknowledged before."""
    if chain.acknowledged_at is None:
        _schedule(chain, at, to)
        return
    for step in _open(chain):
        step.state = "acknowledged"
        write(chain, step, at, to, why="acknowledged before")


def replan(chain: Chain, policy: Policy, at: int, to: Write) -> None:
    """The warning's severity changed: the steps that are left give way to those of the new severity's chain."""
    chain.severity = chain.warned.severity
    left = list(_open(chain))
    planned = plan(chain.warned, policy, len(chain.steps) + 1)
    if [(step.after, step.to) for step in planned] == [(step.after, step.to) for step in chain.steps]:
        return
    for step in left:
        step.state, step.again_at = "skipped", 0
        write(chain, step, at, to, why="another severity")
    chain.steps += planned
    chain.exhausted = False
    for step in planned:
        step.due_at = max(at, chain.began_at + step.after)
        if chain.running:
            write(chain, step, at, to)


def acknowledge(chain: Chain, at: int, lapse: int, to: Write, by: str, why: str = "") -> None:
    """Stop the chain at `at`; it goes on after `lapse` ms (0: never)."""
    for step in _open(chain):
        step.state, step.again_at = "acknowledged", 0
        write(chain, step, at, to, by=by, why=why)
    if chain.acknowledged_at is None:
        chain.acknowledged_at = at
    chain.lapses_at = at + lapse if lapse else 0


def lapse(chain: Chain, at: int, to: Write) -> None:
    """An acknowledgement is over at `at`, and the warning still stands: go on; if nothing is left, say it once more."""
    assert chain.acknowledged_at is not None
    chain.began_at += at - chain.acknowledged_at
    chain.acknowledged_at, chain.lapses_at, chain.exhausted = None, 0, False
    write(chain, None, at, to, state="lapsed")
    if chain.steps and not any(True for _ in _open(chain)):
        last = chain.steps[-1]
        chain.steps.append(Step(last.number + 1, at - chain.began_at, last.to, last.turn + 1))
    _schedule(chain, at, to)


def snooze(chain: Chain, at: int, until: int, to: Write, by: str, why: str = "") -> None:
    """Let the chain stand still from `at` to `until`."""
    since = at if chain.acknowledged_at is None else chain.acknowledged_at
    chain.acknowledged_at, chain.lapses_at = None, 0
    chain.began_at += until - since
    write(chain, None, at, to, state="snoozed", by=by, why=why)
    _schedule(chain, at, to, by=by, why="snoozed", earliest=until)


def exhaust(chain: Chain, at: int, to: Write) -> None:
    """Say once that no step is left, though the warning stands and nobody whom it was sent to has taken it up."""
    if chain.exhausted or not chain.running or any(step.open or step.state == "sending" for step in chain.steps):
        return
    if any(step.state in ("sent", "failed", "unknown") for step in chain.steps):
        chain.exhausted = True
        write(chain, None, at, to, state="exhausted")


def _open(chain: Chain) -> Iterator[Step]:
    return (step for step in chain.steps if step.open)


def _schedule(chain: Chain, at: int, to: Write, *, by: str = "", why: str = "", earliest: int | None = None) -> None:
    for step in _open(chain):
        step.state, step.again_at = "scheduled", 0
        # One that waited for its receiver's hours was due long ago, and is not late.
        step.due_at = max(at if earliest is None else earliest, chain.began_at + step.after)
        write(chain, step, at, to, by=by, why=why)
