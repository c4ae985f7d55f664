"""Messages become blocks of rows without being decoded; messages without rows are refused."""

import json
from collections.abc import Sequence

import msgspec
import pytest

from sinks.clickhouse.rows import COLUMNS, Batch, TableRows, UnknownMessage, encoded, rows_of
from streams.models.messages import BATCH_ROWS, messages, pane, progress
from streams.models.rows import FactRow, PaneRow, ProgressRow, Row, SpanRow, WarningRow
from streams.models.topics import FACTS

FACT = FactRow("ticket", "t1", "s", 'é"\n', "created", 0, 5, "A", "", "", "", "", "", "", "", "", "", {"created": 1})
SPAN = SpanRow("ticket", "t1", 1, "A", 5, 5, None, 0, 1)
PANE = PaneRow(0, 60_000, 7, [((("all", ""),), {"created": 1})], 9)
_NUMBERS = ("raised_at", "cycle", "elapsed_ms", "target_ms", "version", "is_deleted")
_FIELDS: dict[str, object] = {name: 0 if name in _NUMBERS else "" for name in WarningRow.__struct_fields__}
_FIELDS |= {"cleared_at": None, "due_at": None, "measures": {"n": 1.5}, "reasons": [("breach", 20.0, "answer it")]}
_FIELDS |= {"parents": [(0, ""), (60_000, "t2")]}
WARNING = msgspec.convert(list(_FIELDS.values()), WarningRow)


def arrays(rows: TableRows) -> list[list[object]]:
    return [json.loads(line) for line in rows.block.split(b"\n")]


def values(rows: Sequence[Row]) -> list[bytes]:
    return [output.value for output in messages(3, 9, rows)]


def test_each_kind_of_row_goes_to_its_table_as_it_came() -> None:
    made = [*values([FACT, SPAN, WARNING]), pane(3, 9, b"60000/7", msgspec.json.encode(PANE)).value]
    found = {rows.table: rows for rows in map(rows_of, made)}
    for row in (FACT, SPAN, PANE, WARNING):
        assert found[row.table].number == 1
        assert arrays(found[row.table]) == [json.loads(msgspec.json.encode(row))]
        assert len(arrays(found[row.table])[0]) == len(COLUMNS[row.table])


def test_progress_is_a_row_too() -> None:
    last = progress(FACTS, ProgressRow("facts/customers", 3, 60_000, {"0": 4}, 9))
    assert (last.topic, last.key) == (FACTS, b"facts/customers")
    assert rows_of(last.value).table == "progress_rows"
    assert arrays(rows_of(last.value)) == [["facts/customers", 3, 60_000, {"0": 4}, 9, 1]]


def test_all_rows_of_a_large_message_are_counted() -> None:
    found = [
        rows_of(value) for value in values([msgspec.structs.replace(FACT, cycle=n) for n in range(BATCH_ROWS + 1)])
    ]
    assert [rows.number for rows in found] == [BATCH_ROWS, 1]
    assert [row[5] for rows in found for row in arrays(rows)] == list(range(BATCH_ROWS + 1))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no value"),
        (b"", "no value"),
        (b"nonsense", "no CloudEvent"),
        (b"[1]", "no CloudEvent"),
        (b'{"type": "deskwatch.fact_rows"}', "no CloudEvent"),
        (b'{"type": "deskwatch.fact_rows", "data": {"rows": 1}}', "no CloudEvent"),
        (b'{"type": "deskwatch.secret_rows", "data": {"rows": [[1]]}}', "'deskwatch.secret_rows'"),
        (b'{"type": "deskwatch.event_rows", "data": {"rows": [[1]]}}', "'deskwatch.event_rows'"),
    ],
)
def test_a_message_without_rows_is_named(value: bytes | None, reason: str) -> None:
    with pytest.raises(UnknownMessage, match=reason):
        rows_of(value)


def test_a_batch_writes_progress_last() -> None:
    batch = Batch()
    batch.add(encoded([ProgressRow("facts", 0, 1, {}, 1)]))
    for table in ("span_rows", "fact_rows", "warning_rows", "fact_rows"):
        batch.add(TableRows(table, 1, b"[1]"))
    batch.add(TableRows("call_rows", 0, b""))
    assert batch.tables() == ["fact_rows", "span_rows", "warning_rows", "progress_rows"]
    assert batch.block("fact_rows") == b"[1]\n[1]"
    assert (batch.rows, batch.counts["fact_rows"]) == (5, 2)
