"""Escalation: the chains of one partition's warnings, and what is to be sent when. Pure.

    risk-warnings ──> chain ──step due──> intent (state sending) ──cut──> checkpoint ──> messages() ──> receivers
    actions ───────> ack, snooze, disagree                                                    │
                       ^──────────────── settle(outcome) ─────────────────────────────────────┘

A message leaves only once the checkpoint that holds its intent is written. What comes of it is in the next one: so
after a crash a step in state `sending` may or may not have been sent. It is sent again only if its receiver tells
repeated messages apart (`idempotent`), else it stands as `unknown`.

The clock is the wall's; in a replay it is the least business time of those who send warnings, and nothing is sent.
"""

from collections.abc import Collection, Sequence
from heapq import heappop

import msgspec

from streams.desk import chain as chains
from streams.desk import escalation_messages as messages
from streams.desk.chain import Chain, Step
from streams.desk.chains import ACTIONS, EARLY, Chains
from streams.desk.dispatch import Due, Message, addressee, message_of
from streams.desk.letter import dead_letter
from streams.desk.messages import WARNINGS
from streams.desk.policy import Policies
from streams.desk.warned import Warned
from streams.models import actions
from streams.models.actions import ActionEvent, Disagree, SnoozeEvent
from streams.models.codec import DeadLetter
from streams.models.escalations import WarningStepRow
from streams.models.instants import MINUTE
from streams.partition_state import Record

FULL = 3 << 20  # bytes of a checkpoint above which it is to be written; a digest may add as much again
STALE = 10 * MINUTE  # of wall time: a step older than this is not sent any more
EARLY_LIMIT = 10_000  # actions kept whose warning is not known (yet)
BACK_OFF, LONGEST_BACK_OFF = 5_000, 2 * MINUTE  # ms before a failed message is tried again, doubled each time

Outcome = tuple[str, str]
"""sent, failed, unknown or unsent (nothing was tried), and why."""


class Escalations(Chains):
    """The state of one partition (`streams.partition_state.PartitionState`).

    Arguments:
        partitions: how many there are, to hand on actions on warnings of another one.
        addresses: names of the variables (`url_env`) that hold a receiver's address.
        wall: the clock is the wall's; else it is the log's, and only with `notify` anything is sent.
        board_url: where messages link to; "": nowhere.
    """

    def __init__(
        self,
        partition: int,
        partitions: int,
        policies: Policies,
        *,
        addresses: Collection[str],
        wall: bool,
        notify: bool = False,
        board_url: str = "",
    ) -> None:
        super().__init__(partition, policies, wall=wall)
        self.partitions, self.addresses = partitions, addresses
        self.sends, self.board_url = wall or notify, board_url
        self._due: list[Due] = []

    # Records

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Fold records[start:], or as many of them as fit in a checkpoint; returns the index of the next one."""
        fold = self._fold_warning if topic == WARNINGS else self._fold_action
        for i in range(start, len(records)):
            fold(records[i])
            self._changed = True
            if self.pending_bytes() > FULL:
                return i + 1
        return len(records)

    def _fold_warning(self, record: Record) -> None:
        try:
            found = messages.read(record.value)
        except ValueError as error:
            self._refuse(record, f"no message of {WARNINGS}: {error}")
            return
        if isinstance(found, Warned):
            self._warned(found)
        elif found is not None:
            for source, as_of in found.items():
                self.sources[source] = max(as_of, self.sources.get(source, as_of))  # an old one may come late

    def _refuse(self, record: Record, reason: str) -> None:
        self.totals["dead_letters"] += 1
        self._outputs.append(dead_letter(record.topic, record, reason))

    # Warnings

    def _warned(self, warned: Warned) -> None:
        key = (warned.rule, warned.subject)
        chain = self.chains.get(key)
        policy = self.policies.at(warned.raised_at)
        over = bool(warned.is_deleted or warned.state == "cleared")
        if chain is None or chain.warned.warning_id != warned.warning_id:
            former = chain.warned if chain else None
            if former is not None and warned.raised_at <= former.raised_at:
                return  # of the past
            if chain is not None and former is not None and self._continues(chain, warned):
                if chain.cleared_at is None:
                    chains.clear(chain, warned.raised_at, self._write, "raised again")
                chains.go_on(chain, warned, self._write)
                self.keys.pop(former.warning_id, None)
            else:
                if chain is not None and former is not None:
                    if chain.cleared_at is None:
                        chains.clear(chain, warned.raised_at, self._write, "raised again")
                    self.keys.pop(former.warning_id, None)
                chain = self.chains[key] = chains.begin(warned, policy, self._write)
            self.keys[warned.warning_id] = key
        elif warned.version <= chain.warned.version:
            return  # told again
        elif chain.cleared_at is not None and not over:
            chains.go_on(chain, warned, self._write)
        chain.warned = warned
        if over and chain.cleared_at is None:
            self._clear(chain)
        elif not over and warned.severity != chain.severity:
            chains.replan(chain, policy, max(self.clock, warned.raised_at), self._write)
        self._touch(chain)
        for raw in self.early.pop(warned.warning_id, ()):
            self._entries[EARLY + warned.warning_id.encode()] = None
            event = actions.decode(raw)
            if not isinstance(event, DeadLetter):
                self._act(chain, event)

    def _continues(self, chain: Chain, warned: Warned) -> bool:
        cleared_at = chain.cleared_at if chain.cleared_at is not None else warned.raised_at
        cooldown = chains.cooldown_of(warned, self.policies.at(warned.raised_at))
        return not chain.warned.is_deleted and warned.raised_at - cleared_at <= cooldown

    def _clear(self, chain: Chain) -> None:
        warned = chain.warned
        at = warned.cleared_at if warned.cleared_at is not None else max(self.clock, warned.raised_at)
        if not self.sends:
            self._pass(chain, at)  # a replay: what fell due before, fell due
        chains.clear(chain, at, self._write, "withdrawn" if warned.is_deleted else f"cleared: {warned.cleared_by}")

    # Actions

    def _fold_action(self, record: Record) -> None:
        event = actions.decode(record.value, record.headers)
        if isinstance(event, DeadLetter):
            self._refuse(record, event.reason)
            return
        key = self.keys.get(event.data.warning_id)
        if key is not None:
            self._act(self.chains[key], event)
            return
        raw = messages.plain(record)
        if not messages.handed_on(record):
            self._outputs += messages.hand_on(ACTIONS, record, self.partition, self.partitions)
        known = self.early.setdefault(event.data.warning_id, [])
        if raw not in known:
            known.append(raw)
        self._entries[EARLY + event.data.warning_id.encode()] = msgspec.msgpack.encode(known)
        if len(self.early) > EARLY_LIMIT:
            forgotten = next(iter(self.early))
            del self.early[forgotten]
            self._entries[EARLY + forgotten.encode()] = None

    def _act(self, chain: Chain, event: ActionEvent) -> None:
        identity = (event.source, event.id)
        if identity in chain.done:
            return
        chain.done = [*chain.done, identity]
        by, note, warned = event.data.by, event.data.note, chain.warned
        at = max(event.at, warned.raised_at)
        if self.wall and self.clock >= 0:
            at = min(at, max(self.clock, warned.raised_at))
        if not self.sends:
            self._pass(chain, at)
        policy = self.policies.at(warned.raised_at)
        stands = chain.cleared_at is None
        if isinstance(event, SnoozeEvent):
            step = "snoozed"
            if stands and not chain.stopped and event.until() > at:
                chains.snooze(chain, at, event.until(), self._write, by, note)
        else:
            step = "disagreed" if isinstance(event, Disagree) else "acknowledged"
            if step == "disagreed":
                chains.write(chain, None, at, self._write, state="disagreed", by=by, why=note)
            elif stands and not any(each.open for each in chain.steps):
                chains.write(chain, None, at, self._write, state="acknowledged", by=by, why=note)
            if stands:
                chain.stopped |= step == "disagreed"
                lapse = 0 if chain.stopped else chains.lapse_of(warned, policy)
                chains.acknowledge(chain, at, lapse, self._write, by, note)
        self._rows.append(WarningStepRow(warning_id=warned.warning_id, step=step, at=at, by=by, note=note))
        self._touch(chain)

    # Time

    def advance(self, now: int | None) -> None:
        """Let time pass up to `now` (wall), or as far as all who send warnings are."""
        clock = now if self.wall and now is not None else min(self.sources.values(), default=-1)
        self.clock = max(self.clock, clock)
        passed: list[Chain] = []
        while self._heap and self._heap[0][0] <= self.clock and self.pending_bytes() <= FULL:
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
