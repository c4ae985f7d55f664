"""Rows may be written twice, in any order, by a successor and by the dead: the views say the same."""

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from sinks.clickhouse.rows import Batch, TableRows
from streams.verify import compare
from tests.sinks.desk import Database, checkpoints, event, policies

pytestmark = pytest.mark.embedded


def log(rng: random.Random) -> list[bytes]:
    """Some hours of tickets, calls and surveys that come out of order, so that rows are corrected and withdrawn."""
    lines = []
    for n in range(60):
        hour, minute, ticket = 9 + n // 12, 5 * (n % 12), f"t{n % 25}"
        when = f"mon {hour:02}:{minute:02}"
        lines += [
            event("ticket.created", when, ticket, team=rng.choice("ABC"), category=rng.choice(["tax", "post"])),
            event("ticket.assigned", f"{when}:10", ticket, team=rng.choice("ABC"), agent_id="ann"),
            event("ticket.replied", f"{when}:20", ticket, author=rng.choice(["agent", "customer"])),
            event("ticket.status_changed", f"{when}:30", ticket, status=rng.choice(["open", "pending", "solved"])),
            event("call.offered", when, f"c{n}", queue="Q", team=rng.choice("ABC")),
            event("call.answered", f"{when}:40", f"c{n}", wait_s=40),
        ]
        answer: dict[str, Any] = {"metric": "csat", "score": rng.randint(1, 5), "scale_min": 1, "scale_max": 5}
        lines.append(event("survey.responded", f"{when}:50", survey_id=f"s{n}", ticket_id=ticket, **answer))
    late = rng.sample(range(len(lines)), len(lines) // 5)
    order = sorted(range(len(lines)), key=lambda n: n + 60 * (n in late))
    return [lines[n] for n in order]


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
    made = checkpoints(log(rng), policies(), every=40)
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
        for difference in compare(once.client, other.name, once.name):
            assert (difference.surplus, difference.missing) == (0, 0), difference
            assert difference.rows > 0 or difference.view == "due_next", difference
