"""Rows may be written twice, in any order, by a former and a new owner: the views are the same."""

import random
from collections.abc import Callable, Iterable

import pytest

from sinks.clickhouse.rows import Batch, TableRows
from streams.replay.verify import compare
from tests.sinks.desk import Database, checkpoints, disorderly, policies

pytestmark = pytest.mark.embedded


def write(database: Database, batches: Iterable[Iterable[TableRows]]) -> None:
    writer = database.writer()
    for rows in batches:
        batch = Batch()
        for part in rows:
            batch.add(part)
        writer.write(batch)
    writer.write_calendars()


def test_twice_and_in_any_order_is_once(new_database: Callable[[], Database]) -> None:
    rng = random.Random(4)
    made = checkpoints(disorderly(rng), policies(), every=40)
    once, shuffled, merged = new_database(), new_database(), new_database()
    write(once, made)
    twice = [*made, *made]
    rng.shuffle(twice)
    write(shuffled, twice)
    write(merged, twice)
    for table in ("ledger_rows", "fact_rows", "span_rows", "event_rows", "pane_rows"):
        merged.client.command(f"OPTIMIZE TABLE {merged.name}.{table} FINAL")
    assert once.one("SELECT count() FROM fact_rows WHERE is_deleted") > 0  # there was something to withdraw
    for other in (shuffled, merged):
        for difference in compare(once.client, other.name, once.name, {}):
            assert (difference.surplus, difference.missing) == (0, 0), difference
            assert difference.rows > 0 or difference.view == "due_next", difference
