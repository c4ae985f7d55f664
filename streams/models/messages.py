"""Rows to messages: the outputs of a checkpoint, each a CloudEvent.

Rows of one kind are batched, some thousands per message (`data.rows`, arrays in the order of `streams.models.rows`);
each warning and each pane is a separate message with its own key. On each topic, progress follows all rows of a
checkpoint: a consumer that has read it has read all effects of the inputs up to its offsets.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import astuple, fields

from streams.models.instants import format_instant
from streams.models.records import Output
from streams.models.rows import ProgressRow, Row, WarningRow
from streams.models.tallies import ANNOUNCEMENTS, TALLIES, AnnouncementRow, Tallies, TallyRow
from streams.models.topics import ROLLUPS, WARNINGS, WATCH_ROLLUPS

PROGRESS = "deskwatch.progress_rows"
WARNING_TYPES = frozenset({"warning.raised", "warning.changed", "warning.cleared", "warning.withdrawn"})
"""CloudEvents types of a warning set by the rules; people's steps on a warning have other types."""

BATCH_ROWS = 2000  # rows per message
SOURCE = "/deskwatch/track"

_json = msgspec.json.encode
_ROLLUP_HEAD = b'{"specversion":"1.0","source":"/deskwatch/track","type":"deskwatch.pane_rows","id":"'
_ROLLUP_DATA = b'","datacontenttype":"application/json","data":{"rows":['


def messages(partition: int, version: int, rows: Iterable[Row], source: str = SOURCE) -> list[Output]:
    """The messages for one checkpoint's rows, after setting their `version`. `source`: the CloudEvents source."""
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
            made += [warning(row, source) for row in together if isinstance(row, WarningRow)]
        else:
            event_id = f"{kind.table}/{partition}/{version}"
            made += batches(kind.topic, f"deskwatch.{kind.table}", event_id, together, source)
    return made


def progress(topic: str, row: ProgressRow, partition: int | None = None) -> Output:
    """The progress message, the last one on a topic (`partition`: of the topic; None: the state's own).

    The key is the row's topic_name: on a compacted topic, a stage's progress must not replace track's.
    """
    event_id = f"{row.topic_name}/{row.partition}/{row.version}/progress"
    return Output(topic, row.topic_name.encode(), _event(event_id, PROGRESS, row.as_of, {"rows": [row]}), (), partition)


def batches(
    topic: str, kind: str, event_id: str, rows: Sequence[object], source: str = SOURCE, partition: int | None = None
) -> list[Output]:
    """Rows of one kind, many per message, for a partition of a topic (None: the state's own)."""
    made = []
    for start in range(0, len(rows), BATCH_ROWS):
        event = _event(f"{event_id}/{start}", kind, None, {"rows": rows[start : start + BATCH_ROWS]}, source=source)
        made.append(Output(topic, None, event, (), partition))
    return made


def tallies(
    partition: int, version: int, rows: Sequence[TallyRow], announced: Sequence[AnnouncementRow], as_of: int
) -> list[Output]:
    """The messages of a checkpoint for role watch: tallies, announcements, progress."""
    made = []
    for first in range(0, len(rows), BATCH_ROWS):
        data = Tallies(partition, version, first, list(rows[first : first + BATCH_ROWS]))
        event = _event(f"{TALLIES}/{partition}/{version}/{first}", TALLIES, None, data)
        made.append(Output(WATCH_ROLLUPS, None, event, (), 0))
    event_id = f"{ANNOUNCEMENTS}/{partition}/{version}"
    made += batches(WATCH_ROLLUPS, ANNOUNCEMENTS, event_id, announced, partition=0)
    row = ProgressRow(WATCH_ROLLUPS, partition, as_of, {str(partition): version}, version)
    return [*made, progress(WATCH_ROLLUPS, row, 0)]


def pane(partition: int, version: int, key: bytes, row: bytes) -> Output:
    """The message of a pane: the envelope, and the same row as in the checkpoint."""
    head = b"".join((_ROLLUP_HEAD, b"%d/%b/%d" % (partition, key, version), _ROLLUP_DATA))
    return Output(ROLLUPS, key, b"".join((head, row, b"]}}")))


class _WarningEvent(msgspec.Struct, gc=False):
    """A CloudEvent about a warning: 1.6 µs instead of the 2.7 of a dict, and there is one for every event or so."""

    id: str
    source: str
    type: str
    time: str
    subject: str
    data: msgspec.Struct
    specversion: str = "1.0"
    datacontenttype: str = "application/json"


# The row as an object with its fields' names; on the wire, rows are arrays.
_WarningData = msgspec.defstruct("_WarningData", [(each.name, each.type) for each in fields(WarningRow)], gc=False)


def warning(row: WarningRow, source: str = SOURCE) -> Output:
    """The message of a warning, with its version set."""
    state = "withdrawn" if row.is_deleted else row.state
    at = row.raised_at if row.cleared_at is None else row.cleared_at
    # A ticket's warnings have the key of its parent's, into which they fold; others that of their subject.
    of_ticket = row.metric or row.subject.startswith("ticket/")
    about = row.parent_id or (row.ticket_id if of_ticket else row.subject)
    event_id, data = f"{row.warning_id}/{row.version}", _WarningData(*astuple(row))
    event = _WarningEvent(event_id, source, f"warning.{state}", format_instant(at), about, data)
    return Output(WARNINGS, about.encode(), _json(event))


def _event(
    event_id: str, kind: str, at: int | None, data: object, subject: str | None = None, source: str = SOURCE
) -> bytes:
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "datacontenttype": "application/json",
    }
    if at is not None and at >= 0:
        event["time"] = format_instant(at)
    if subject is not None:
        event["subject"] = subject
    return _json({**event, "data": data})
