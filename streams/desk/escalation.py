"""Escalation: the chains of one partition's warnings, and what is to be sent when. Pure.

    risk-warnings ──> chain ──step due──> intent (state sending) ──cut──> checkpoint ──> messages() ──> receivers
    actions ───────> ack, snooze, disagree                                                    │
                       ^──────────────── settle(outcome) ─────────────────────────────────────┘

A message leaves only once the checkpoint that holds its intent is written. What comes of it is in the next one: so
after a crash a step in state `sending` may or may not have been sent. It is sent again only if its receiver tells
repeated messages apart (`idempotent`), else it stands as `unknown`.

The clock is the wall's; in a replay it is the least business time of those who send warnings, and nothing is sent.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from heapq import heappop, heappush

import msgspec

from streams.desk import chain as chains
from streams.desk import escalation_messages as messages
from streams.desk.chain import Chain, Step, Warned
from streams.desk.dispatch import Due, Floods, Message, addressee, message_of
from streams.desk.messages import DEAD_LETTERS, WARNINGS, dead_letter, progress
from streams.desk.policy import Policies
from streams.models import actions
from streams.models.actions import ActionEvent, Disagree, SnoozeEvent
from streams.models.codec import DeadLetter
from streams.models.escalations import EscalationRow, WarningStepRow
from streams.models.instants import DAY, MINUTE
from streams.models.rows import ProgressRow
from streams.partition_state import Cut, Output, Record

ACTIONS, ESCALATIONS = "actions", "escalations"
OUTPUTS = (ESCALATIONS, WARNINGS, ACTIONS, DEAD_LETTERS)
HEAD, CHAIN, EARLY, FLOOD = b"h", b"c", b"e", b"f"
FULL = 3 << 20  # bytes of a checkpoint above which it is to be written; a digest may add as much again
ROW_BYTES, CHAIN_BYTES = 300, 700  # about what one takes in a checkpoint
IDLE = 5000  # ms of wall time after which even an idle partition says how far it is
STALE = 10 * MINUTE  # of wall time: a step older than this is not sent any more
EARLY_LIMIT = 10_000  # actions kept whose warning is not known (yet)
BACK_OFF, LONGEST_BACK_OFF = 5_000, 2 * MINUTE  # ms before a failed message is tried again, doubled each time

Key = tuple[str, str]
Outcome = tuple[str, str]
"""sent, failed, unknown or unsent (nothing was tried), and why."""


class Head(msgspec.Struct, array_like=True):
    """What a partition knows besides its chains: how far each sender of warnings is, by name."""

    sources: dict[str, int]
    clock: int


class Escalations:
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
        self.partition, self.partitions, self.policies = partition, partitions, policies
        self.addresses, self.wall, self.sends, self.board_url = addresses, wall, wall or notify, board_url
        self.chains: dict[Key, Chain] = {}
        self.keys: dict[str, Key] = {}  # by warning_id
        self.clock = -1
        self.sources: dict[str, int] = {}
        self.floods = Floods()
        self.totals: Counter[str] = Counter()  # steps by state, since the start of this process
        self.early: dict[str, list[bytes]] = {}
        self._heap: list[tuple[int, Key]] = []
        self._looked: dict[Key, int] = {}  # when each chain is looked at next: what else is in the heap is void
        self._due: list[Due] = []
        self._intents: list[Message] = []  # made since the last cut
        self._recorded: list[Message] = []  # in a checkpoint, to be sent
        self._rows: list[EscalationRow | WarningStepRow] = []
        self._outputs: list[Output] = []
        self._dirty: set[Key] = set()
        self._entries: dict[bytes, bytes | None] = {}
        self._changed = False
        self._cut_at = -1  # the clock at the last cut

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
        self._outputs.append(
            dead_letter(record.topic, record.partition, record.offset, record.timestamp, record.value, reason)
        )

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
            if stands and event.until() > at:
                chains.snooze(chain, at, event.until(), self._write, by, note)
        else:
            step = "disagreed" if isinstance(event, Disagree) else "acknowledged"
            if step == "disagreed":
                chains.write(chain, None, at, self._write, state="disagreed", by=by, why=note)
            elif stands and not any(each.open for each in chain.steps):
                chains.write(chain, None, at, self._write, state="acknowledged", by=by, why=note)
            if stands:
                lapse = chains.lapse_of(warned, policy) if step == "acknowledged" else 0
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

    # Bookkeeping

    def _write(self, row: EscalationRow) -> None:
        self._rows.append(row)
        self.totals[row.state] += 1

    def _touch(self, chain: Chain) -> None:
        """The chain changed: it is saved with the next cut, and looked at when something falls due."""
        if self.chains.get(chain.key) is not chain:
            return
        self._dirty.add(chain.key)
        self._look(chain)

    def _look(self, chain: Chain) -> None:
        """Remember when to look at the chain again."""
        key = chain.key
        if self.chains.get(key) is not chain:
            return
        at = chain.next_at() if chain.cleared_at is None else self._forget_at(chain)
        if at is None:
            self._looked.pop(key, None)
        elif self._looked.get(key) != at:
            self._looked[key] = at
            heappush(self._heap, (at, key))

    def _forget_at(self, chain: Chain) -> int:
        """When a cleared chain can be forgotten: after the cool-down, and a day for messages that come again."""
        assert chain.cleared_at is not None
        policy = self.policies.at(chain.warned.raised_at)
        return chain.cleared_at + max(DAY, chains.cooldown_of(chain.warned, policy))

    def _forget(self, chain: Chain) -> None:
        del self.chains[chain.key]
        self.keys.pop(chain.warned.warning_id, None)
        self._dirty.discard(chain.key)
        self._entries[_chain_key(chain.key)] = None

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed, or an idle partition has not said for a while how far it is."""
        made = self._changed or self._rows or self._outputs or self._dirty or self._entries or self._recorded
        return bool(made or (self.wall and self.clock - self._cut_at > IDLE))

    def pending_bytes(self) -> int:
        """About the size of the next checkpoint."""
        return len(self._rows) * ROW_BYTES + len(self._outputs) * 1000 + len(self._dirty) * CHAIN_BYTES

    def urgent(self) -> bool:
        """Whether a message waits for its checkpoint."""
        return bool(self._intents or self._recorded)

    def cut(self, version: int, offsets: dict[str, int]) -> Cut:
        """All that changed since the last cut, and the outputs made since."""
        entries = list(self._entries.items())
        entries += [(_chain_key(key), msgspec.msgpack.encode(self.chains[key])) for key in self._dirty]
        entries += [(FLOOD + name.encode(), value) for name, value in self.floods.dump()]
        entries.append((HEAD, msgspec.msgpack.encode(Head(self.sources, self.clock))))
        outputs = self._outputs + messages.outputs(self.partition, version, self._rows)
        outputs.append(progress(ESCALATIONS, ProgressRow(ESCALATIONS, self.partition, self.clock, {}, version)))
        self._cut_at = self.clock
        self._recorded += self._intents
        self._intents, self._rows, self._outputs = [], [], []
        self._dirty, self._entries, self._changed = set(), {}, False
        return Cut(entries, outputs)

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one entry of the changelog."""
        kind, name = key[:1], key[1:].decode()
        if kind == HEAD:
            head = msgspec.msgpack.decode(value or b"", type=Head)
            self.sources, self.clock = head.sources, head.clock
        elif kind == EARLY:
            self.early.pop(name, None)
            if value is not None:
                self.early[name] = msgspec.msgpack.decode(value, type=list[bytes])
        elif kind == FLOOD:
            self.floods.load(name, value or b"")
        elif value is None:
            rule, _, subject = name.partition("\n")
            self.chains.pop((rule, subject), None)
        else:
            chain = msgspec.msgpack.decode(value, type=Chain)
            self.chains[chain.key] = chain

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

    def rewrite(self, keys: set[bytes]) -> None:
        """Write our own values of these keys at the next cut."""
        for key in keys:
            kind, name = key[:1], key[1:].decode()
            if kind == CHAIN:
                rule, _, subject = name.partition("\n")
                if (rule, subject) in self.chains:
                    self._dirty.add((rule, subject))
                else:
                    self._entries[key] = None
            elif kind == EARLY:
                kept = self.early.get(name)
                self._entries[key] = None if kept is None else msgspec.msgpack.encode(kept)
            elif kind == FLOOD:
                self.floods.changed.add(name)
        self._changed = True


def _chain_key(key: Key) -> bytes:
    return CHAIN + "\n".join(key).encode()
