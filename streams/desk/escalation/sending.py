"""What falls due in a partition's chains, is sent, and what came of it. Pure.

    step ──due──> addressee ──> intent (state sending) ──cut──> checkpoint ──messages()──> receivers
      ^  └─ quiet hours, a flood: later                                                        │
      └──failed: again after 5 s, 10 s … 2 min ──────────── settle(outcome) ───────────────────┘

A message leaves only once the checkpoint that holds its intent is written. What comes of it is in the next one: so
after a crash a step in state `sending` may or may not have been sent. It is sent again only if its receiver tells
repeated messages apart (`idempotent`), else it stands as `unknown`.

The clock is the wall's; in a replay it is the least business time of those who send warnings, and nothing is sent.
"""

from collections.abc import Collection
from heapq import heappop

from streams.desk.escalation import chain as chains
from streams.desk.escalation.chain import Chain, Step
from streams.desk.escalation.chains import Chains
from streams.desk.escalation.dispatch import DIGEST_LIMIT, Due, Message, addressee, message_of
from streams.desk.policy.versions import Policies
from streams.models.escalations import WarningStepRow
from streams.models.instants import MINUTE

STALE = 10 * MINUTE  # of wall time: a step older than this is not sent any more
BACK_OFF, LONGEST_BACK_OFF = 5_000, 2 * MINUTE  # ms before a failed message is tried again, doubled each time

Outcome = tuple[str, str]
"""sent, failed, unknown or unsent (nothing was tried), and why."""


class Sending(Chains):
    """The part of a partition's state that time and the receivers move. Arguments: see `Escalations`.

    `sends`: anything is sent at all.
    """

    def __init__(
        self,
        partition: int,
        policies: Policies,
        *,
        addresses: Collection[str],
        wall: bool,
        sends: bool,
        board_url: str,
    ) -> None:
        super().__init__(partition, policies, wall=wall)
        self.addresses, self.sends, self.board_url = addresses, sends, board_url
        self._due: list[Due] = []

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass up to `now` (wall), or as far as all who send warnings are; what is too much follows later."""
        clock = now if self.wall and now is not None else min(self.sources.values(), default=-1)
        self.clock = max(self.clock, clock)
        passed: list[Chain] = []
        while self._heap and self._heap[0][0] <= self.clock and not self.full() and len(self._due) < DIGEST_LIMIT:
            at, key = heappop(self._heap)
            if self._looked.get(key) != at:
                continue  # something came first
            del self._looked[key]
            chain = self.chains.get(key)
            if chain is not None:
                before = chain.seq
                self._pass(chain, self.clock)
                if chain.seq != before:
                    self._dirty.add(key)
                passed.append(chain)
        self._send_due(self.clock)
        for chain in passed:
            self._look(chain)

    def _pass(self, chain: Chain, clock: int) -> None:
        """What falls due for a chain up to `clock`."""
        if chain.cleared_at is not None:
            if self._forget_at(chain) <= clock:
                self._forget(chain)
            return
        if chain.acknowledged_at is not None and chain.lapses_at and chain.lapses_at <= clock:
            chains.lapse(chain, chain.lapses_at, self._write)
        if not chain.running:
            return
        for step in chain.steps:
            if step.open and (step.again_at or step.due_at) <= clock:
                self._falls_due(chain, step, clock)
        chains.exhaust(chain, clock, self._write)

    def _falls_due(self, chain: Chain, step: Step, clock: int) -> None:
        if not self.sends:
            self._skip(chain, step, step.due_at, "a replay sends nothing")
            return
        if self.wall and clock - step.due_at > STALE:
            if step.state == "failed":
                step.again_at = 0
                chains.write(chain, step, clock, self._write, why="given up after ten minutes")
            else:
                self._skip(chain, step, clock, "older than ten minutes")
            return
        found = addressee(step, chain.warned, self.policies.at(clock), clock, self.addresses)
        step.receiver = found.receiver
        if found.why:
            self._skip(chain, step, clock, found.why)
        elif found.opens_at > clock:
            step.due_at, step.state, step.again_at = found.opens_at, "scheduled", 0
            chains.write(chain, step, clock, self._write, why="quiet hours")
        else:
            self._due.append(Due(chain, step))

    def _skip(self, chain: Chain, step: Step, at: int, why: str) -> None:
        step.state, step.again_at = "skipped", 0
        chains.write(chain, step, at, self._write, why=why)

    def _send_due(self, clock: int) -> None:
        """Turn what fell due into messages, no more of them than a receiver wants."""
        if not self._due:
            return
        due, self._due = self._due, []
        made, held = self.floods.messages(due, clock, self.policies.at(clock), self.partition, self.board_url)
        for message in made:
            for each in message.steps:
                step = each.step
                step.state, step.attempt, step.again_at = "sending", step.attempt + 1, 0
                step.digest = message.digest
                chains.write(each.chain, step, clock, self._write)
                self._touch(each.chain)
        self._intents += made
        for each, at in held:
            each.step.again_at = at
            self._touch(each.chain)  # a successor waits as long

    # Sending

    def messages(self) -> list[Message]:
        """The messages whose intents are in a checkpoint by now, once each: to be called after it was written."""
        recorded, self._recorded = self._recorded, []
        return recorded

    def settle(self, message: Message, outcome: Outcome, at: int) -> None:
        """Take in what came of a message, at the instant `at` of the wall clock."""
        state, why = outcome
        at = at if self.wall else self.clock
        for each in message.steps:
            chain, step = each.chain, each.step
            if self.chains.get(chain.key) is not chain or step.state != "sending":
                continue
            if state == "unsent":
                step.state, step.attempt = "scheduled", step.attempt - 1
            else:
                step.state = state
            if state == "failed" and chain.running:
                step.again_at = at + min(LONGEST_BACK_OFF, BACK_OFF << (step.attempt - 1))
                if step.again_at - step.due_at > STALE:
                    step.again_at = 0  # reported as failed for good
            chains.write(chain, step, at, self._write, why=why)
            if state in ("sent", "unknown") and not chain.escalated:
                chain.escalated = True
                warning_id = chain.warned.warning_id
                self._rows.append(
                    WarningStepRow(warning_id=warning_id, step="escalated", at=at, by=step.receiver, note=why)
                )
            chains.exhaust(chain, at, self._write)
            self._touch(chain)

    # Restore

    def restored(self) -> None:
        """Index the chains, and decide on the messages that were under way."""
        in_doubt: dict[str, list[Due]] = {}
        for key, chain in self.chains.items():
            self.keys[chain.warned.warning_id] = key
            for step in chain.steps:
                if step.state == "sending":
                    in_doubt.setdefault(step.digest or f"{chain.warned.warning_id}/{step.number}", []).append(
                        Due(chain, step)
                    )
            self._touch(chain)
        self.families.restored()
        self._dirty.clear()
        for due in in_doubt.values():
            self._decide(due)

    def _decide(self, due: list[Due]) -> None:
        """A message was under way when a worker ended: send it again, or record that nobody knows."""
        receiver = due[0].step.receiver
        policy = self.policies.at(max(0, self.clock))
        described = policy.receivers.get(receiver)
        message = message_of(due, receiver, due[0].step.digest, policy, self.board_url)
        if described is not None and described.idempotent and self.sends:
            for each in due:
                self._touch(each.chain)
            self._intents.append(message)
        else:
            self.settle(message, ("unknown", "a worker ended while it was under way"), self.clock)
