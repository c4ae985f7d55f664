"""The messages of role escalate: warnings in, steps out, actions forwarded between partitions. Pure."""

from collections.abc import Iterable

import msgspec

from streams.desk.escalation.chain import StoredWarning
from streams.models.codec import structured
from streams.models.escalations import EscalationRow, WarningStepRow
from streams.models.instants import format_instant
from streams.models.messages import PROGRESS, WARNING_TYPES, batches
from streams.models.records import Output, Record
from streams.models.rows import ProgressRow
from streams.models.topics import ACTIONS

SOURCE = "/deskwatch/escalate"
HANDED_ON = ("handed-on", b"1")
"""Header of an action that another partition forwarded."""


class _Envelope(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Rows(msgspec.Struct):
    rows: list[ProgressRow]


_envelope = msgspec.json.Decoder(_Envelope).decode
_warning = msgspec.json.Decoder(StoredWarning).decode
_rows = msgspec.json.Decoder(_Rows).decode


def read(value: bytes | None) -> StoredWarning | list[ProgressRow] | None:
    """Return the warning in a message of `risk-warnings` or `incident-warnings`, or the progress of its senders.

    Returns None if the message has neither. Raises ValueError.
    """
    if value is None:
        return None
    envelope = _envelope(value)
    if envelope.type in WARNING_TYPES:
        warning = _warning(envelope.data)
        warning.cycle, warning.policy_version, warning.priority = 0, "", ""  # not used, so not stored
        return warning
    if envelope.type == PROGRESS:
        return _rows(envelope.data).rows
    return None


def outputs(partition: int, version: int, rows: Iterable[EscalationRow | WarningStepRow]) -> list[Output]:
    """Return the messages for one checkpoint's rows, after setting their `version`.

    Events of steps are batched; each WarningStepRow is a separate message.
    """
    events: list[EscalationRow] = []
    made: list[Output] = []
    for row in rows:
        row.version = version
        if isinstance(row, EscalationRow):
            events.append(row)
        else:
            made.append(_warning_step(row))
    event_id = f"{EscalationRow.table}/{partition}/{version}"
    return made + batches(EscalationRow.topic, f"deskwatch.{EscalationRow.table}", event_id, events, SOURCE)


def _warning_step(row: WarningStepRow) -> Output:
    event = {
        "specversion": "1.0",
        "id": f"{row.warning_id}/{row.step}/{row.at}/{row.by}",
        "source": SOURCE,
        "type": f"warning.{row.step}",
        "time": format_instant(row.at),
        "subject": row.warning_id,
        "datacontenttype": "application/json",
        "data": {name: getattr(row, name) for name in row.__struct_fields__},
    }
    return Output(row.topic, row.warning_id.encode(), msgspec.json.encode(event))


def handed_on(record: Record) -> bool:
    """Whether another partition, which does not know the warning, forwarded the action."""
    return HANDED_ON in [(name, bytes(value)) for name, value in record.headers or ()]


def as_document(record: Record) -> bytes:
    """The action as one JSON document."""
    return structured(record.value, record.headers) or b""


def hand_on(record: Record, partition: int, partitions: int) -> list[Output]:
    """Forward the action to every other partition: one of them may hold its warning."""
    value = as_document(record)
    return [
        Output(ACTIONS, record.key, value, (HANDED_ON,), partition=other)
        for other in range(partitions)
        if other != partition
    ]
