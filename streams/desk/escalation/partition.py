"""The state of role escalate for one partition: warnings and actions in, steps and messages out. Pure.

    risk-warnings ──────┬─WarningHandler──> ChainStore ──due──> Sender ──> intents ──snapshot──> checkpoint
    incident-warnings ──┘                     ^   ^                                                  │
    actions ──────────────ActionHandler───────┘   └──────────── settle(outcome) <── receivers <──────┘ messages()

All of them write rows to the Outbox; the next checkpoint sends it.
"""

from collections.abc import Collection, Sequence

from streams.desk.escalation import codec
from streams.desk.escalation.action_handler import ActionHandler
from streams.desk.escalation.chain import Chain, StoredWarning
from streams.desk.escalation.chains import ChainStore
from streams.desk.escalation.dispatch import Message
from streams.desk.escalation.early_actions import EarlyActions
from streams.desk.escalation.outbox import Outbox
from streams.desk.escalation.partition_time import PartitionTime
from streams.desk.escalation.sending import Outcome, Sender
from streams.desk.escalation.throttle import DigestThrottle
from streams.desk.escalation.waiting import WaitingWarnings
from streams.desk.escalation.warning_handler import WarningHandler
from streams.desk.partition_state import Snapshot
from streams.desk.policy.versions import Policies
from streams.desk.saved import HEADER, SavedParts, SavedValue
from streams.models import actions
from streams.models.codec import Rejected
from streams.models.records import Record
from streams.models.topics import ACTIONS, INCIDENTS

MAX_PENDING_BYTES = 3 << 20
"""Size above which a checkpoint has to be written, bytes; a digest may add as much again."""

IDLE_MS = 5000
"""Wall time (ms) after which even an idle partition writes a checkpoint with its progress."""


class Escalations:
    """The state of one partition (`streams.desk.partition_state.PartitionState`).

    Arguments:
        partitions: their number; each has a desk, and actions on unknown warnings are forwarded to the others.
        addresses: names of the variables (`url_env`) that are set.
        wall: time is the wall clock; else it is log time, and messages are sent only with `notify`.
        board_url: the link in messages; "": none.
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
        self.partition, self.partitions = partition, partitions
        self.time = PartitionTime(wall, partition, partitions)
        self.chains = ChainStore(policies)
        self.outbox = Outbox()
        self.totals = self.outbox.totals
        self._early = EarlyActions()
        throttle = DigestThrottle(partition, board_url)
        self._sender = sender = Sender(
            self.chains,
            self.outbox,
            throttle,
            self.time,
            policies,
            self.full,
            addresses=addresses,
            sends=wall or notify,
            board_url=board_url,
        )
        self._waiting = WaitingWarnings()
        self._warnings = WarningHandler(
            self.chains, self._waiting, self.outbox, sender, self.time, policies, self._apply_early_actions
        )
        self._actions = ActionHandler(self.chains, self.outbox, sender, self.time, policies)
        header = SavedValue(HEADER, self.time.dump, self.time.load)
        self._parts = SavedParts(self._early, self.chains, self._waiting, throttle, header)
        self._as_of = -1  # the instant up to which everything that fell due is folded
        self._changed = False  # whether anything, at least the offsets, changed since the last snapshot
        self._saved_at = -1  # the time of the last snapshot

    # Records

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Fold records[start:], or as many as fit in a checkpoint; returns the index of the next record."""
        fold = self._fold_action if topic == ACTIONS else self._fold_warning
        for i in range(start, len(records)):
            fold(records[i])
            self._changed = True
            if self.full():
                return i + 1
        return len(records)

    def _fold_warning(self, record: Record) -> None:
        try:
            found, parent_id = codec.read(record.value), (record.key or b"").decode()
        except ValueError as error:
            self.outbox.reject(record, f"no message of {record.topic}: {error}")
            return
        if found is None:
            return
        if not isinstance(found, StoredWarning):
            self.time.hear(found)
        elif record.topic == INCIDENTS:
            self._warnings.receive(found, parent_id)
        else:
            self._warnings.receive_own(found)

    def _apply_early_actions(self, chain: Chain) -> None:
        """A warning joined its incident: apply what people said of it meanwhile, but not before, in another one."""
        moved = chain.joined_at > chain.warning.raised_at
        for document in self._early.take(chain.warning.warning_id):
            event = actions.decode(document)
            if not isinstance(event, Rejected) and not (moved and event.at < chain.joined_at):
                self._actions.handle(chain, event)

    def _fold_action(self, record: Record) -> None:
        event = actions.decode(record.value, record.headers)
        if isinstance(event, Rejected):
            self.outbox.reject(record, event.reason)
            return
        chain = self.chains.of_warning(event.data.warning_id)
        if chain is not None and not chain.left:
            self._actions.handle(chain, event)
            return
        if not codec.handed_on(record):
            self.outbox.add_outputs(codec.hand_on(record, self.partition, self.partitions))
        if chain is None:
            self._early.add(event.data.warning_id, codec.as_document(record))

    # Time and messages

    def advance(self, now: int | None) -> None:
        """Let time pass up to `now` (wall), or up to the least progress of the senders of warnings."""
        self.time.advance(now)
        if self._warnings.fold_waiting(self.full) and self._sender.advance():
            self._as_of = self.time.complete_until()

    def messages(self) -> list[Message]:
        """Return the messages whose intents are in a checkpoint, each once. Call it after the checkpoint is written."""
        return self._sender.messages()

    def settle(self, message: Message, outcome: Outcome, at: int) -> None:
        """Apply the outcome of a message, at the instant `at` of the wall clock."""
        self._sender.settle(message, outcome, at)

    # Checkpoints

    def unsaved(self) -> bool:
        """Whether anything changed, or an idle partition has to report its progress again."""
        parts = (self.chains, self._early, self._waiting)
        changed = self._changed or self.outbox or any(part.unsaved() for part in parts)
        if changed or self._sender.waiting():
            return True
        return self.time.wall and self.time.now - self._saved_at > IDLE_MS

    def pending_bytes(self) -> int:
        """The approximate size of the next checkpoint, bytes."""
        return self.outbox.pending_bytes() + self.chains.pending_bytes() + self._waiting.pending_bytes()

    def full(self) -> bool:
        """Whether a checkpoint has to be written before anything else."""
        return self.pending_bytes() > MAX_PENDING_BYTES

    def urgent(self) -> bool:
        """Whether a message waits for its checkpoint."""
        return self._sender.waiting()

    def snapshot(self, version: int, offsets: dict[str, int]) -> Snapshot:
        """Return all changes and outputs since the last snapshot."""
        entries = self._parts.entries()
        outputs = self.outbox.drain(self.partition, version, self._as_of, offsets)
        self._sender.record()
        self._saved_at, self._changed = self.time.now, False
        return Snapshot(entries, outputs)

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog."""
        self._parts.load(key, value)

    def rewrite_keys(self, keys: set[bytes]) -> None:
        """Write this partition's own values of these keys with the next snapshot."""
        self._parts.rewrite_keys(keys)
        self._changed = True

    def restored(self) -> None:
        """Index the chains and what waits, and decide on the messages that were being sent."""
        self.chains.restored()
        self._warnings.restored()
        self._sender.restored()
