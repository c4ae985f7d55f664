"""The rows for ClickHouse in a message of the output topics: PURE, bytes in, bytes out.

Rows travel as JSON arrays in the order of the table's columns (`streams.models.rows`), and go unchanged from the
topic into an INSERT: only the envelope is decoded.

    {"type": "deskwatch.fact_rows", ..., "data": {"rows": [[…],[…]]}}   ->   fact_rows, 2 rows, […]\\n[…]
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from sinks.clickhouse.events import DeadLetterRow, EventRow, ReplayedRow
from streams.errors import DeskwatchError
from streams.models.entities import ROWS
from streams.models.escalations import EscalationRow, WarningStepRow
from streams.models.restatements import FormerSubjectRow, RestatementRow
from streams.models.rows import ProgressRow, Row, WarningRow
from streams.models.tallies import LateTallyRow

WIRE_ROWS: tuple[type[Row], ...] = (
    *ROWS, ProgressRow, EscalationRow, WarningStepRow, LateTallyRow, RestatementRow, FormerSubjectRow
)  # fmt: skip
"""The rows that are arrays on the output topics."""

COLUMNS: dict[str, tuple[str, ...]] = {
    **{kind.table: kind.__struct_fields__ for kind in WIRE_ROWS},
    EventRow.table: EventRow.__struct_fields__,
    DeadLetterRow.table: DeadLetterRow.__struct_fields__,
    ReplayedRow.table: ReplayedRow.__struct_fields__,
}
"""By table, the columns for a row's fields, in order."""

_ARRAYS = {f"deskwatch.{kind.table}": kind.table for kind in WIRE_ROWS}
# Rows sent singly, as an object: the current state of a warning, and people's actions on it.
_WARNING = "warning."
_STEPS = ("warning.acknowledged", "warning.escalated", "warning.snoozed", "warning.disagreed")


class TableRows(NamedTuple):
    """Rows for one table, in ClickHouse's format JSONCompactEachRow."""

    table: str
    number: int
    block: bytes


class _Envelope(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Rows(msgspec.Struct):
    rows: list[msgspec.Raw]


_envelope = msgspec.json.Decoder(_Envelope).decode
_rows = msgspec.json.Decoder(_Rows).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode


class UnknownMessage(DeskwatchError, ValueError):
    """A message of an output topic without rows of a known kind. The message is one sentence."""


def rows_of(value: bytes | None) -> TableRows:
    """The rows in a message of an output topic. Raises UnknownMessage."""
    if not value:
        raise UnknownMessage("the message has no value")
    try:
        envelope = _envelope(value)
        table = _ARRAYS.get(envelope.type)
        if table is not None:
            rows = _rows(envelope.data).rows
            return TableRows(table, len(rows), b"\n".join(rows))
        if envelope.type.startswith(_WARNING):
            kind = WarningStepRow if envelope.type in _STEPS else WarningRow
            return TableRows(kind.table, 1, _array(kind.__struct_fields__, _fields(envelope.data)))
    except (msgspec.DecodeError, ValueError) as error:
        raise UnknownMessage(f"the message is no CloudEvent with rows: {error}") from None
    raise UnknownMessage(f"no table is known for the type {envelope.type[:100]!r}")


def encoded(rows: Sequence[EventRow | DeadLetterRow | ReplayedRow | ProgressRow]) -> TableRows:
    """Rows of one kind, at least one, created by role store itself."""
    return TableRows(rows[0].table, len(rows), b"\n".join(map(_encode, rows)))


def _array(columns: Iterable[str], fields: dict[str, msgspec.Raw]) -> bytes:
    """The fields of an object as an array; a missing one gets the default of its column.

    The last ones, which an earlier release did not have, are left out.
    """
    values = [fields.get(name) for name in columns]
    while values and values[-1] is None:
        values.pop()
    return b"[" + b",".join(b"null" if value is None else bytes(value) for value in values) + b"]"


class Batch:
    """Rows by table, to be written together."""

    def __init__(self) -> None:
        self.blocks: dict[str, list[bytes]] = {}
        self.counts: Counter[str] = Counter()
        self.rows = self.size = 0
        self.closed = False  # an ad-hoc closure is among the events: the calendars must be rewritten

    def add(self, rows: TableRows) -> None:
        """Add rows."""
        if not rows.number:
            return
        self.blocks.setdefault(rows.table, []).append(rows.block)
        self.counts[rows.table] += rows.number
        self.rows += rows.number
        self.size += len(rows.block)

    def tables(self) -> list[str]:
        """The tables in the order of writing: progress last, since it asserts that the others are written."""
        return sorted(self.blocks, key=lambda table: (table == ProgressRow.table, table))

    def block(self, table: str) -> bytes:
        """All rows of a table."""
        return b"\n".join(self.blocks[table])
