"""The real core's rows in the shape of the naive fold's, so that the two can be compared."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from streams.desk.policy.versions import Policies
from streams.desk.track.partition import Desk
from streams.models.codec import Rejected, Unknown, decode, topic_of
from streams.models.envelope import Event
from streams.models.instants import MINUTE
from streams.models.rows import FactRow, Identity, LedgerRow, Row, WarningRow
from streams.models.topics import INPUTS
from tests.naive.fold import (
    CALL_COUNTERS,
    CALL_DIMENSIONS,
    SURVEY_COUNTERS,
    SURVEY_DIMENSIONS,
    TICKET_COUNTERS,
    TICKET_DIMENSIONS,
)

FAMILIES = {
    "ticket_minutes": ("ticket", TICKET_DIMENSIONS, TICKET_COUNTERS),
    "call_minutes": ("call", CALL_DIMENSIONS, CALL_COUNTERS),
    "survey_minutes": ("survey", SURVEY_DIMENSIONS, SURVEY_COUNTERS),
}


def decoded(lines: Iterable[bytes]) -> list[tuple[Event, bytes]]:
    """The events of a log's lines, with the lines."""
    pairs = []
    for line in lines:
        event = decode(line)
        assert not isinstance(event, Rejected | Unknown), event
        pairs.append((event, line))
    return pairs


def rows_of(
    log: Iterable[tuple[Event, bytes]], policies: Policies, as_of: int, snapshot_every: int = 0
) -> dict[Identity, Row]:
    """Fold a log in the order given, let time pass to `as_of`; return the rows that stand."""
    desk = Desk(0, policies, wall=False)
    standing: dict[Identity, Row] = {}
    for i, (event, raw) in enumerate(log):
        topic = topic_of(event)
        assert desk.feed(topic, [record(raw, topic, i)], 0) == 1
        if snapshot_every and i % snapshot_every == snapshot_every - 1:
            desk.advance(None)
            keep(standing, all_rows(desk))
            desk.snapshot(i + 1, {})
    for topic in INPUTS:
        desk.watermarks.advance(topic, as_of)
    while desk.business_time < as_of:
        desk.advance(None)
        keep(standing, all_rows(desk))
        desk.snapshot(1 << 40, {})
    return standing


def all_rows(desk: Desk) -> list[Row]:
    """What a snapshot would write: rows and panes."""
    return [*desk.rows(), *(desk.panes.row(minute) for minute in desk.panes.changed)]


def keep(standing: dict[Identity, Row], rows: Iterable[Row]) -> None:
    """What a replacing table would do with the rows of a checkpoint."""
    for row in rows:
        if row.is_deleted:  # type: ignore[attr-defined]
            standing.pop(row.identity(), None)
        else:
            standing[row.identity()] = row


def ledger_of(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Ledger rows as the naive fold writes them."""
    ledger = [row for row in rows if isinstance(row, LedgerRow)]
    ledger.sort(key=lambda row: (row.ticket_id, row.metric, row.cycle, row.seq))
    left_out = ("version", "is_deleted", "started_at", "by_agent")
    return [{name: getattr(row, name) for name in row.__struct_fields__ if name not in left_out} for row in ledger]


def warnings_of(rows: Iterable[Row], *rules: str) -> list[dict[str, Any]]:
    """The warnings of these rules as the naive fold writes them."""
    found = [row for row in rows if isinstance(row, WarningRow) and row.rule in rules]
    found.sort(key=lambda row: (row.subject, row.rule, row.raised_at))
    names = ("rule", "subject", "raised_at", "cleared_at", "cleared_by")
    return [{name: getattr(row, name) for name in names} for row in found]


def minutes_of(rows: Iterable[Row], view: str) -> list[dict[str, Any]]:
    """Sums of the facts of one family by minute and dimensions."""
    family, dimensions, counters = FAMILIES[view]
    sums: dict[tuple[Any, ...], dict[str, int]] = {}
    for row in rows:
        if isinstance(row, FactRow) and row.family == family:
            key = (row.at - row.at % MINUTE, *(getattr(row, name) for name in dimensions))
            total = sums.setdefault(key, dict.fromkeys(counters, 0))
            for name, number in row.counts.items():
                if name in total:
                    total[name] += number
    summed = [dict(zip(("minute", *dimensions), key, strict=True)) | sums[key] for key in sorted(sums)]
    return [row for row in summed if any(row[counter] for counter in counters)]


def record(value: bytes | None, topic: str, offset: int = 0, headers: tuple[tuple[str, bytes], ...] = ()) -> Any:
    """A Kafka record, as far as the desk looks."""
    return SimpleNamespace(
        value=value, topic=topic, offset=offset, headers=headers, partition=0, timestamp=1_790_000_000_000, key=None
    )
