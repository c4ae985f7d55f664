"""The sending of due steps of a partition's chains, and the outcomes. Pure.

    step ──due──> addressee ──> intent (SENDING) ──snapshot──> checkpoint ──messages()──> receivers
      ^  └─ quiet hours, a digest: later                                                      │
      └──FAILED: again after 5 s, 10 s … 2 min ─────────── settle(outcome) ───────────────────┘

A message leaves only after the checkpoint with its intent is written; its outcome is in the next one. So after a crash,
a step in the state SENDING may or may not have been sent. It is sent again only if its receiver deduplicates messages
(`idempotent`); else it becomes UNKNOWN.

In a replay the time is business time, and nothing is sent.
"""

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import NamedTuple

from streams.desk.escalation import transitions
from streams.desk.escalation.chain import FAILED, SCHEDULED, SENDING, SKIPPED, Chain, Step, move
from streams.desk.escalation.chains import ChainStore
from streams.desk.escalation.dispatch import Due, Message, addressee, message_of
from streams.desk.escalation.outbox import Outbox
from streams.desk.escalation.partition_time import PartitionTime
from streams.desk.escalation.throttle import DIGEST_LIMIT, DigestThrottle
from streams.desk.policy.versions import Policies
from streams.models.escalations import StepState, WarningStep, WarningStepRow
from streams.models.instants import MINUTE

MAX_DELAY_MS = 10 * MINUTE
"""A step that is later than this (ms of wall time) is not sent."""

FIRST_RETRY_MS, MAX_RETRY_MS = 5_000, 2 * MINUTE
"""Delay before the first retry of a failed message, and the maximum (ms); it doubles each time."""


class Result(StrEnum):
    """The result of sending a message."""

    SENT = "sent"
    """The receiver accepted it."""

    FAILED = "failed"
    """It did not arrive: refused, no connection, or an error response."""

    UNKNOWN = "unknown"
    """It may have arrived: a timeout, or a broken connection."""

    UNSENT = "unsent"
    """No attempt was made."""


class Outcome(NamedTuple):
    """The result of sending a message, and the reason."""

    result: Result
    reason: str = ""


class Sender:
    """Advances the chains in time, and creates the messages.

    Arguments:
        full: whether a checkpoint has to be written before anything else.
        addresses: names of the variables (`url_env`) that are set.
        sends: False in a replay: due steps are skipped.
        board_url: the link in messages; "": none.
    """

    def __init__(
        self,
        chains: ChainStore,
        outbox: Outbox,
        throttle: DigestThrottle,
        time: PartitionTime,
        policies: Policies,
        full: Callable[[], bool],
        *,
        addresses: Collection[str],
        sends: bool,
        board_url: str,
    ) -> None:
        self.sends = sends
        self._chains, self._outbox, self._throttle, self._time = chains, outbox, throttle, time
        self._policies, self._full = policies, full
        self._addresses, self._board_url = addresses, board_url
        self._due: list[Due] = []
        self._intents: list[Message] = []  # created since the last checkpoint
        self._recorded: list[Message] = []  # in a checkpoint, ready to send

    # Time

    def advance(self) -> bool:
        """Let steps fall due up to the partition's time; False if the rest follows later: the checkpoint is full."""
        now, chains = self._time.now, self._chains
        passed: list[Chain] = []
        done = False
        while not self._full() and len(self._due) < DIGEST_LIMIT:
            chain = chains.pop_due(now)
            if chain is None:
                done = True
                break
            before = chain.seq
            self.pass_time(chain, now)
            if chain.seq != before:
                chains.mark_changed(chain)
            passed.append(chain)
        self._send_due(now)
        for chain in passed:
            chains.look(chain)
        return done

    def pass_time(self, chain: Chain, now: int) -> None:
        """Let time pass for a chain up to `now`."""
        if chain.cleared_at is not None:
            if self._chains.forget_at(chain) <= now:
                self._chains.forget(chain)
            return
        if chain.acknowledged_at is not None and chain.lapses_at and chain.lapses_at <= now:
            transitions.lapse(chain, chain.lapses_at, self._outbox.write)
        if not chain.running:
            return
        for step in chain.steps:
            if step.open and (step.again_at or step.due_at) <= now:
                self._fall_due(chain, step, now)
        transitions.exhaust(chain, now, self._outbox.write)

    def _fall_due(self, chain: Chain, step: Step, now: int) -> None:
        write = self._outbox.write
        if not self.sends:
            move(chain, step, SKIPPED, step.due_at, write, reason="a replay sends nothing")
            return
        if self._time.wall and now - step.due_at > MAX_DELAY_MS:
            if step.state == FAILED:
                move(chain, step, FAILED, now, write, reason="given up after ten minutes")
            else:
                move(chain, step, SKIPPED, now, write, reason="older than ten minutes")
            return
        found = addressee(step, chain.warning, self._policies.at(now), now, self._addresses)
        step.receiver = found.receiver
        if found.reason:
            move(chain, step, SKIPPED, now, write, reason=found.reason)
        elif found.opens_at > now:
            step.due_at = found.opens_at
            move(chain, step, SCHEDULED, now, write, reason="quiet hours")
        else:
            self._due.append(Due(chain, step))

    def _send_due(self, now: int) -> None:
        """Turn the due steps into messages, within each receiver's limit."""
        if not self._due:
            return
        due, self._due = self._due, []
        messages, deferred = self._throttle.messages(due, now, self._policies.at(now))
        for message in messages:
            for chain, step in message.steps:
                step.attempt, step.digest = step.attempt + 1, message.digest
                move(chain, step, SENDING, now, self._outbox.write)
                self._chains.touch(chain)
        self._intents += messages
        for (chain, step), until in deferred:
            step.again_at = until
            self._chains.touch(chain)  # so that the next owner of the partition defers it as well

    # Sending

    def waiting(self) -> bool:
        """Whether a message waits for its checkpoint, or for `messages` to return it."""
        return bool(self._intents or self._recorded)

    def record(self) -> None:
        """Mark all intents as checkpointed."""
        self._recorded += self._intents
        self._intents = []

    def messages(self) -> list[Message]:
        """Return the messages whose intents are in a checkpoint, each once. Call it after the checkpoint is written."""
        recorded, self._recorded = self._recorded, []
        return recorded

    def settle(self, message: Message, outcome: Outcome, at: int) -> None:
        """Apply the outcome of a message, at the instant `at` of the wall clock."""
        at = at if self._time.wall else self._time.now
        for chain, step in message.steps:
            if self._chains.holds(chain) and step.state == SENDING:
                self._settle_step(chain, step, outcome, at)

    def _settle_step(self, chain: Chain, step: Step, outcome: Outcome, at: int) -> None:
        result, reason = outcome
        again_at = 0
        if result == Result.UNSENT:
            state = SCHEDULED
            step.attempt -= 1
        else:
            state = StepState(result)
        if state == FAILED and chain.running:
            again_at = at + min(MAX_RETRY_MS, FIRST_RETRY_MS << (step.attempt - 1))
            if again_at - step.due_at > MAX_DELAY_MS:
                again_at = 0  # reported as failed for good
        move(chain, step, state, at, self._outbox.write, again_at=again_at, reason=reason)
        if result in (Result.SENT, Result.UNKNOWN) and not chain.escalated:
            chain.escalated = True
            warning_id = chain.warning.warning_id
            self._outbox.add_warning_step(
                WarningStepRow(warning_id=warning_id, step=WarningStep.ESCALATED, at=at, by=step.receiver, note=reason)
            )
        transitions.exhaust(chain, at, self._outbox.write)
        self._chains.touch(chain)

    # Restore

    def restored(self) -> None:
        """All chains are restored: decide on the messages that were being sent."""
        in_doubt: dict[str, list[Due]] = {}
        for chain in self._chains.values():
            for step in chain.steps:
                if step.state == SENDING:
                    message_id = step.digest or f"{chain.warning.warning_id}/{step.number}"
                    in_doubt.setdefault(message_id, []).append(Due(chain, step))
        for due in in_doubt.values():
            self._decide(due)

    def _decide(self, due: list[Due]) -> None:
        """A worker ended while sending a message: send it again, or record its outcome as unknown."""
        first = due[0].step
        policy = self._policies.at(max(0, self._time.now))
        described = policy.receivers.get(first.receiver)
        message = message_of(due, first.receiver, first.digest, policy, self._board_url)
        if described is not None and described.idempotent and self.sends:
            for each in due:
                self._chains.touch(each.chain)
            self._intents.append(message)
        else:
            outcome = Outcome(Result.UNKNOWN, "a worker ended while it was under way")
            self.settle(message, outcome, self._time.now)
