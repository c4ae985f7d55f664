"""Rows to messages: what a checkpoint sends to the output topics, each a CloudEvent.

Rows of one kind travel together, some thousands a message (`data.rows`, arrays in the order of `streams.models.rows`);
a warning and a pane travel alone, under a key of their own. Behind all rows of a checkpoint comes, on each topic, its
progress: who has read that has read all that comes of the inputs up to its offsets.
"""

from collections.abc import Iterable

import msgspec

from streams.desk.letter import DEAD_LETTERS
from streams.models.instants import format_instant
from streams.models.rows import ProgressRow, Row, WarningRow
from streams.partition_state import Output

LEDGER, FACTS, ROLLUPS, WARNINGS = "sla-ledger", "facts", "rollups", "risk-warnings"
OUTPUTS = (LEDGER, FACTS, ROLLUPS, WARNINGS, DEAD_LETTERS)
TOGETHER = 2000  # rows a message
SOURCE = "/deskwatch/track"

_json = msgspec.json.encode
_ROLLUP_HEAD = b'{"specversion":"1.0","source":"/deskwatch/track","type":"deskwatch.pane_rows","id":"'
_ROLLUP_DATA = b'","datacontenttype":"application/json","data":{"rows":['


def messages(partition: int, version: int, rows: Iterable[Row]) -> list[Output]:
    """The messages of one checkpoint's rows, which get its `version`."""
    kinds: dict[type[Row], list[Row]] = {}
    for row in rows:
        row.version = version  # type: ignore[attr-defined]
        together = kinds.get(type(row))
        if together is None:
            kinds[type(row)] = [row]
        else:
            together.append(row)
    made: list[Output] = []
    for kind, together in kinds.items():
        if kind is WarningRow:
            made += [_warning(row) for row in together if isinstance(row, WarningRow)]
        else:
            made += _batches(kind, together, partition, version)
    return made


def progress(partition: int, version: int, as_of: int, offsets: dict[str, int]) -> list[Output]:
    """What comes last on each topic: how far it goes. `offsets`: the next ones of the input topics."""
    made = []
    for topic in (LEDGER, FACTS, ROLLUPS, WARNINGS):
        row = ProgressRow(topic, partition, as_of, offsets, version)
        event = _event(f"{topic}/{partition}/{version}/progress", "deskwatch.progress_rows", as_of, {"rows": [row]})
        made.append(Output(topic, b"progress", event))
    return made


def _batches(kind: type[Row], rows: list[Row], partition: int, version: int) -> list[Output]:
    made = []
    for start in range(0, len(rows), TOGETHER):
        event_id = f"{kind.table}/{partition}/{version}/{start}"
        event = _event(event_id, f"deskwatch.{kind.table}", None, {"rows": rows[start : start + TOGETHER]})
        made.append(Output(kind.topic, None, event))
    return made


def pane(partition: int, version: int, key: bytes, row: bytes) -> Output:
    """The message of a pane, around its row as it stands in the checkpoint too."""
    head = b"".join((_ROLLUP_HEAD, b"%d/%b/%d" % (partition, key, version), _ROLLUP_DATA))
    return Output(ROLLUPS, key, b"".join((head, row, b"]}}")))


def _warning(row: WarningRow) -> Output:
    state = "withdrawn" if row.is_deleted else row.state
    at = row.raised_at if row.cleared_at is None else row.cleared_at
    data = msgspec.structs.asdict(row)
    event = _event(f"{row.warning_id}/{row.version}", f"warning.{state}", at, data, row.ticket_id)
    return Output(WARNINGS, row.ticket_id.encode(), event)


def _event(event_id: str, kind: str, at: int | None, data: object, subject: str | None = None) -> bytes:
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": kind,
        "datacontenttype": "application/json",
    }
    if at is not None and at >= 0:
        event["time"] = format_instant(at)
    if subject is not None:
        event["subject"] = subject
    return _json({**event, "data": data})
