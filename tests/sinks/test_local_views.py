"""Hours and days of views and panes are the desk's, where clocks are moved too: compared with the naive fold.

Lord Howe moves its clock by half an hour, Berlin by an hour; Kathmandu is 5:45 ahead of UTC.
"""

import tomllib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from streams.desk.policy.versions import Policies, parse
from streams.models.instants import HOUR, MINUTE, format_instant, parse_instant
from tests.naive.fold import fold
from tests.sinks.desk import Database

pytestmark = pytest.mark.embedded

CHANGES = [
    ("Asia/Shanghai", "2026-10-11T16:00:00Z"),
    ("Asia/Kathmandu", "2026-10-11T18:15:00Z"),
    ("America/St_Johns", "2026-11-01T04:30:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("America/Santiago", "2026-09-06T04:00:00Z"),  # at midnight: the day begins at 01:00
]


def around(instant: int) -> list[dict[str, Any]]:
    """A ticket that is solved with a survey, and a call, every ten minutes."""
    log: list[dict[str, Any]] = []

    def add(type_: str, at: int, /, **data: Any) -> None:
        head = {"specversion": "1.0", "id": f"e{len(log)}", "source": "s", "type": type_}
        log.append({**head, "time": format_instant(at), "data": data})

    for n, at in enumerate(range(instant - 6 * HOUR, instant + 30 * HOUR, 10 * MINUTE)):
        ticket, call = {"ticket_id": f"t{n}"}, {"call_id": f"c{n}"}
        add("ticket.created", at, **ticket, category="post", kind="complaint", agent_id="ann", customer_id=f"k{n}")
        add("ticket.status_changed", at + MINUTE, **ticket, status="solved")
        add("call.offered", at, **call, queue="q", category="post", customer_id=f"k{n}", ticket_id=f"t{n}")
        add("call.answered", at + 15_000, **call, wait_s=15, agent_id="ann")
        add("call.ended", at + 4 * MINUTE, **call, talk_s=200)
        answer = {"metric": "csat", "score": 5, "scale_min": 1, "scale_max": 5}
        add("survey.responded", at + 2 * MINUTE, survey_id=f"s{n}", **ticket, **answer)
    return log


@pytest.mark.parametrize(("zone", "at"), CHANGES)
def test_hours_and_days_are_the_desk_s(database: Database, zone: str, at: str) -> None:
    text = f'version = "1"\ntimezone = "{zone}"\n'
    log = around(parse_instant(at))
    database.fold(map(msgspec.json.encode, log), given=Policies([parse(text, "p.toml")]))
    naive = fold(log, [tomllib.loads(text)])

    hours = database.rows("SELECT hour, offered, answered FROM service_levels WHERE queue = 'q' ORDER BY hour")
    assert [(_ms(hour), *counts) for hour, *counts in hours] == [
        (row["hour"], row["offered"], row["answered"]) for row in naive["service_levels"]
    ]
    days = database.rows("SELECT toString(day), sum(solved) FROM ticket_quality GROUP BY day ORDER BY day")
    assert [number for _, number in days] == [row["solved"] for row in naive["ticket_days"] if row["solved"]]
    contacts = database.rows("SELECT contacts, complaints FROM complaint_rates ORDER BY day")
    assert [list(row) for row in contacts] == [[row["contacts"], row["complaints"]] for row in naive["contact_reasons"]]
    panes = database.rows(
        "SELECT minute, counts['solved'] FROM window_minutes WHERE dimension = 'agent' ORDER BY minute"
    )
    assert [(_ms(day), number) for day, number in panes if number] == [
        (row["day"], row["solved"]) for row in naive["ticket_days"] if row["solved"]
    ]
    arrived = database.rows(
        "SELECT hour, sum(events) FROM data_quality WHERE topic = 'calls' GROUP BY hour ORDER BY hour"
    )
    offered = {row["hour"]: row["offered"] for row in naive["service_levels"]}
    assert [_ms(hour) for hour, _ in arrived] == list(offered)
    assert sum(number for _, number in arrived) == 3 * sum(offered.values())


def _ms(instant: datetime) -> int:
    return round(instant.astimezone(UTC).timestamp() * 1000)
