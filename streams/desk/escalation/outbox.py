"""The rows and messages that a partition sends with its next checkpoint. Pure."""

from collections import Counter

from streams.desk.escalation import codec
from streams.models.dead_letters import dead_letter
from streams.models.escalations import EscalationRow, WarningStepRow
from streams.models.messages import progress
from streams.models.records import Output, Record
from streams.models.rows import ProgressRow
from streams.models.topics import ACTIONS, ESCALATIONS

ROW_BYTES, OUTPUT_BYTES = 300, 1000
"""Approximate size of a row, and of a finished message, in a checkpoint, bytes."""


class Outbox:
    """The output of the next checkpoint. `totals`: events by state, and dead letters, since the process started."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self._rows: list[EscalationRow | WarningStepRow] = []
        self._outputs: list[Output] = []

    def __bool__(self) -> bool:
        return bool(self._rows or self._outputs)

    def write(self, row: EscalationRow) -> None:
        """Add an event of a step or a chain."""
        self._rows.append(row)
        self.totals[row.state] += 1

    def add_warning_step(self, row: WarningStepRow) -> None:
        """Add a person's step on a warning, or its escalation."""
        self._rows.append(row)

    def add_outputs(self, outputs: list[Output]) -> None:
        """Add finished messages."""
        self._outputs += outputs

    def reject(self, record: Record, reason: str) -> None:
        """Add a dead letter."""
        self.totals["dead_letters"] += 1
        self._outputs.append(dead_letter(record.topic, record, reason))

    def pending_bytes(self) -> int:
        """The approximate size of the rows and messages, bytes."""
        return len(self._rows) * ROW_BYTES + len(self._outputs) * OUTPUT_BYTES

    def drain(self, partition: int, version: int, as_of: int, offsets: dict[str, int]) -> list[Output]:
        """Return all messages for a checkpoint of this version, the progress last, and empty the outbox.

        `offsets`: the next offsets of the inputs, of which the progress says that of the actions.
        """
        actions = {ACTIONS: offsets.get(ACTIONS, 0)}
        outputs = self._outputs + codec.outputs(partition, version, self._rows)
        outputs.append(progress(ESCALATIONS, ProgressRow(ESCALATIONS, partition, as_of, actions, version)))
        self._rows, self._outputs = [], []
        return outputs
