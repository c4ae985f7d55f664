"""What crosses the topics around escalation: warnings in, steps out, actions handed on from partition to partition."""

from collections.abc import Iterable

import msgspec

from streams.desk.escalation.received_warning import Warned
from streams.models.codec import structured
from streams.models.escalations import EscalationRow, WarningStepRow
from streams.models.instants import format_instant
from streams.models.messages import batches
from streams.models.records import Output, Record
from streams.models.rows import ProgressRow

SOURCE = "/deskwatch/escalate"
HANDED_ON = ("handed-on", b"1")
STATES = ("warning.raised", "warning.changed", "warning.cleared", "warning.withdrawn")


class _Envelope(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Rows(msgspec.Struct):
    rows: list[ProgressRow]


_envelope = msgspec.json.Decoder(_Envelope).decode
_warned = msgspec.json.Decoder(Warned).decode
_rows = msgspec.json.Decoder(_Rows).decode


def read(value: bytes | None) -> Warned | dict[str, int] | None:
    """Return the warning in a message of `risk-warnings`, or how far who sends them is; None: nothing for us.

    Raises ValueError.
    """
    if value is None:
        return None
    envelope = _envelope(value)
    if envelope.type in STATES:
        return _warned(envelope.data)
    if envelope.type == "deskwatch.progress_rows":
        return {f"{row.topic_name}/{row.partition}": row.as_of for row in _rows(envelope.data).rows}
    return None


def outputs(partition: int, version: int, rows: Iterable[EscalationRow | WarningStepRow]) -> list[Output]:
    """The messages of one checkpoint's rows, which get its `version`: steps together, what people did each alone."""
    steps: list[EscalationRow] = []
    made: list[Output] = []
    for row in rows:
        row.version = version
        if isinstance(row, EscalationRow):
            steps.append(row)
        else:
            made.append(_warning_step(row))
    event_id = f"{EscalationRow.table}/{partition}/{version}"
    return made + batches(EscalationRow.topic, f"deskwatch.{EscalationRow.table}", event_id, steps, SOURCE)


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
    """Whether the action came from another partition, which does not know its warning."""
    return HANDED_ON in [(name, bytes(value)) for name, value in record.headers or ()]


def plain(record: Record) -> bytes:
    """The action as one JSON document."""
    return structured(record.value, record.headers) or b""


def hand_on(topic: str, record: Record, partition: int, partitions: int) -> list[Output]:
    """The action for every other partition: one of them may hold its warning."""
    value = plain(record)
    return [
        Output(topic, record.key, value, (HANDED_ON,), partition=other)
        for other in range(partitions)
        if other != partition
    ]
