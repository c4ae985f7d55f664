"""The chains of one partition, when each is looked at next, and what a checkpoint of them holds. Pure.

chains ──dirty──> entries (one a chain, floods, early actions, head)
rows, outputs ──────────────────────────────> outputs, progress last
intents ──cut──> recorded ──> to be sent, once the checkpoint is written
"""

from collections import Counter
from heapq import heappush

import msgspec

from streams.desk.escalation import chain as chains
from streams.desk.escalation import messages
from streams.desk.escalation.chain import Chain, Key
from streams.desk.escalation.dispatch import DigestThrottle, Message
from streams.desk.escalation.incidents import IncidentGroups
from streams.desk.partition_state import Snapshot
from streams.desk.policy.versions import Policies
from streams.models.escalations import EscalationRow, WarningStepRow
from streams.models.instants import DAY
from streams.models.messages import progress
from streams.models.records import Output
from streams.models.rows import ProgressRow
from streams.models.topics import ESCALATIONS

HEAD, CHAIN, EARLY, FLOOD = b"h", b"c", b"e", b"f"  # first byte of a changelog key
FULL = 3 << 20  # bytes of a checkpoint above which it is to be written; a digest may add as much again
ROW_BYTES, CHAIN_BYTES = 300, 700  # about what one takes in a checkpoint
IDLE = 5000  # ms of wall time after which even an idle partition says how far it is


class Head(msgspec.Struct, array_like=True):
    """What a partition knows besides its chains: how far each sender of warnings is, by name."""

    sources: dict[str, int]
    clock: int


class Chains:
    """The part of a partition's state (`streams.desk.escalation.partition.Escalations`) that is kept."""

    def __init__(self, partition: int, policies: Policies, *, wall: bool) -> None:
        self.partition, self.policies, self.wall = partition, policies, wall
        self.chains: dict[Key, Chain] = {}
        self.keys: dict[str, Key] = {}  # by warning_id
        self.families = IncidentGroups(self.chains)
        self.clock = -1
        self.sources: dict[str, int] = {}
        self.floods = DigestThrottle()
        self.totals: Counter[str] = Counter()  # steps by state, since the start of this process
        self.early: dict[str, list[bytes]] = {}  # actions on warnings that are not known (yet)
        self._heap: list[tuple[int, Key]] = []
        self._looked: dict[Key, int] = {}  # when each chain is looked at next: what else is in the heap is void
        self._intents: list[Message] = []  # made since the last cut
        self._recorded: list[Message] = []  # in a checkpoint, to be sent
        self._rows: list[EscalationRow | WarningStepRow] = []
        self._outputs: list[Output] = []
        self._dirty: set[Key] = set()
        self._entries: dict[bytes, bytes | None] = {}
        self._changed = False
        self._cut_at = -1  # the clock at the last cut

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
        self.families.forget(chain)
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

    def full(self) -> bool:
        """Whether a checkpoint is to be written before anything else."""
        return self.pending_bytes() > FULL

    def urgent(self) -> bool:
        """Whether a message waits for its checkpoint."""
        return bool(self._intents or self._recorded)

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
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
        return Snapshot(entries, outputs)

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

    def rewrite_keys(self, keys: set[bytes]) -> None:
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
