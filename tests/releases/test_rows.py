"""Rows of every earlier release are read by this one: fields keep their positions, and new ones come last."""

import json
import lzma
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sinks.clickhouse.events import dead_letter_row
from sinks.clickhouse.rows import WIRE_ROWS, rows_of
from streams.models.codec import Rejected, Unknown, decode
from streams.models.rows import Row
from streams.models.topics import DEAD_LETTERS, ESCALATIONS, FACTS, INPUTS, LEDGER, ROLLUPS, WARNINGS

HERE = Path(__file__).parent
EACH_RELEASE = pytest.mark.parametrize("release", sorted(folder.name for folder in HERE.glob("v*")))
KINDS: dict[str, type[Row]] = {kind.table: kind for kind in WIRE_ROWS}


class Kept(msgspec.Struct, array_like=True):
    """A record of a kept topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def kept(release: str) -> list[Kept]:
    packed = (HERE / release / "topics.msgpack.xz").read_bytes()
    return msgspec.msgpack.decode(lzma.decompress(packed), type=list[Kept])


@EACH_RELEASE
def test_the_fields_of_a_release_are_the_first_ones_of_this_one(release: str) -> None:
    recorded: dict[str, list[str]] = json.loads((HERE / release / "rows.json").read_text())
    for table, fields in recorded.items():
        kind = KINDS[table]
        assert list(kind.__struct_fields__[: len(fields)]) == fields
        assert len(kind.__struct_fields__) - len(fields) <= len(kind.__struct_defaults__), f"{table}: no default"


@EACH_RELEASE
def test_every_kept_message_for_the_store_is_read(release: str) -> None:
    records = kept(release)
    read: dict[str, int] = {}
    for record in records:
        if record.topic in (LEDGER, FACTS, ROLLUPS, WARNINGS, ESCALATIONS):
            found = rows_of(record.value)
            rows = [msgspec.json.decode(line, type=KINDS[found.table]) for line in found.block.split(b"\n")]
            assert len(rows) == found.number
            read[found.table] = read.get(found.table, 0) + found.number
    assert set(read) >= {"ledger_rows", "ticket_rows", "call_rows", "warning_rows", "escalation_rows", "pane_rows"}


@EACH_RELEASE
def test_every_kept_event_and_dead_letter_is_read(release: str) -> None:
    records = kept(release)
    refused = [record for record in records if record.topic in INPUTS and isinstance(event(record), Rejected | Unknown)]
    letters = [dead_letter_row(record) for record in records if record.topic == DEAD_LETTERS]
    assert all(letter is not None for letter in letters)
    assert len(refused) == len(letters) > 0


def event(record: Kept) -> Any:
    return decode(record.value, record.headers)
