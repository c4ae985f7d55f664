"""Messages become blocks of rows without being decoded; what holds no rows is told apart."""

import json

import msgspec
import pytest

from sinks.clickhouse.rows import COLUMNS, Batch, TableRows, UnknownMessage, encoded, rows_of
from streams.desk.book import warning_id
from streams.desk.messages import FACTS, LEDGER, TOGETHER, WARNINGS, messages
from streams.models.rows import FactRow, PaneRow, ProgressRow, SpanRow, WarningRow

FACT = FactRow("ticket", "t1", "s", 'é"\n', "created", 0, 5, "A", "", "", "", "", "", "", "", "", "", {"created": 1})
SPAN = SpanRow("ticket", "t1", 1, "A", 5, 5, None, 0, 1)
PANE = PaneRow(0, 60_000, 7, [("all", "", {"created": 1})])
WARNING = WarningRow(
    **dict.fromkeys(WarningRow.__struct_fields__, 0)
    | {"warning_id": warning_id("r", "t1", 5), "state": "raised", "ticket_id": "t1", "cleared_at": None}
)


def arrays(rows: TableRows) -> list[list[object]]:
    return [json.loads(line) for line in rows.block.split(b"\n")]


def test_each_kind_of_row_goes_to_its_table_as_it_came() -> None:
    made = messages(3, 9, [FACT, SPAN, PANE, WARNING], as_of=60_000, offsets={"tickets": 4})
    found = {rows.table: rows for output in made if (rows := rows_of(output.value)).table != "progress_rows"}
    for row in (FACT, SPAN, PANE, WARNING):
        assert found[row.table].number == 1
        assert arrays(found[row.table]) == [json.loads(msgspec.json.encode(row))]
        assert len(arrays(found[row.table])[0]) == len(COLUMNS[row.table])


def test_every_topic_ends_with_its_progress() -> None:
    made = messages(3, 9, [FACT], as_of=60_000, offsets={"tickets": 4})
    last = {output.topic: rows_of(output.value) for output in made}
    assert arrays(last[FACTS]) == [["facts", 3, 60_000, {"tickets": 4}, 9]]
    assert arrays(last[LEDGER]) == [["sla-ledger", 3, 60_000, {"tickets": 4}, 9]]
    assert last[WARNINGS].table == "progress_rows"


def test_all_rows_of_a_large_message_are_counted() -> None:
    facts = [msgspec.structs.replace(FACT, cycle=n) for n in range(TOGETHER + 1)]
    found = [rows_of(output.value) for output in messages(0, 1, facts, 0, {}) if output.topic == FACTS]
    assert [rows.number for rows in found] == [TOGETHER, 1, 1]
    assert [row[5] for rows in found[:2] for row in arrays(rows)] == list(range(TOGETHER + 1))


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
def test_what_holds_no_rows_is_named(value: bytes | None, reason: str) -> None:
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
