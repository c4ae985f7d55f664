"""What comes very late, after its subject was forgotten, is marked, changes nothing, and `verify` is clean.

day   0 created, solved ──── 90 days ──── released ── a day ── forgotten      100 (the log is here)
                    10 reopened ──────────────────────────────────────────────────┘ arrives here, and
                    0 solved, a copy, and one of other content ───────────────────┘
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.models.instants import DAY, format_instant, parse_instant
from tests.flow.conftest import wait_for
from tests.flow.month import deskwatch, write
from tests.flow.running import feed, rows, running_desk, value

pytestmark = pytest.mark.embedded

MONDAY = parse_instant("2026-01-05T09:00:00Z")


def event(days: float, kind: str, event_id: str, **data: Any) -> bytes:
    told = {"specversion": "1.0", "id": event_id, "source": "s", "type": f"ticket.{kind}", "data": data}
    return msgspec.json.encode({**told, "time": format_instant(MONDAY + round(days * DAY))})


SOLVED = event(0.1, "status_changed", "solved", ticket_id="t1", status="solved")
LOG = [
    event(0, "created", "c", ticket_id="t1", team="A"),
    SOLVED,
    *(event(day, "created", f"d{day}", ticket_id=f"d{day}", team="A") for day in range(1, 101)),
]
LATE = [
    SOLVED,
    event(0.05, "status_changed", "solved", ticket_id="t1", status="pending"),  # the earlier would stand
    event(10, "status_changed", "late", ticket_id="t1", status="open"),
]
STATUS = "SELECT status FROM tickets WHERE ticket_id = 't1'"


def test_very_late_events(tmp_path: Path) -> None:
    with running_desk(tmp_path / "d") as desk:
        feed(desk, *LOG)
        wait_for("the last day", lambda: value(desk, "SELECT count() FROM tickets WHERE ticket_id = 'd100'"))
        feed(desk, *LATE)
        wait_for("the late events", lambda: value(desk, "SELECT sum(released) FROM data_quality") == 3)
    assert rows(desk, "SELECT id FROM events WHERE released") == [("late",)]
    assert rows(desk, "SELECT sum(duplicates), sum(conflicts) FROM data_quality") == [(0, 0)]
    assert rows(desk, STATUS) == [("solved",)]
    deskwatch("verify", "--data", desk)
    log = write(tmp_path / "log.jsonl.gz", [*LOG, *LATE])
    deskwatch("verify", log, "--data", desk)

    # Sorted by time, nothing is late.
    deskwatch("recompute", log, "--data", tmp_path / "again")
    assert value(tmp_path / "again", "SELECT sum(released) FROM data_quality") == 0
    assert rows(tmp_path / "again", STATUS) == [("open",)]
