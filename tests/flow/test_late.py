"""Late and corrected data on a running desk: every view is corrected, and the events count as late.

monday   10:00       10:30      10:45    11:00       12:00   12:30   13:00           tuesday 17:00
t1       created     replied    at risk  breached    csat 2  csat 3  csat 5          (the desk is here)
                     └ arrives 30 hours late: met            └───────└ arrive late, the last one first
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.conftest import wait_for
from tests.flow.month import deskwatch
from tests.flow.running import feed, rows, running_desk, value
from tests.sinks.desk import event

pytestmark = pytest.mark.embedded

POLICY = """
version = "1"
timezone = "UTC"
[calendars.always]
hours = "24x7"
[clocks]
resolution = { pause_on = ["pending"] }
[[sla]]
name = "all"
match = {}
calendar = "always"
warn_at = 0.75
first_response = "1h"
resolution = "4h"
[windows]
rolling = ["1h"]
lateness = "24h"
[[rules]]
rule = "breach_rate.high"
by = "team"
window = "1h"
raise_at = 0.2
min_n = 1
"""
ANSWER: dict[str, Any] = {"survey_id": "s1", "ticket_id": "t1", "metric": "csat", "scale_min": 1, "scale_max": 5}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("late")
    (folder / "policy.toml").write_text(POLICY)
    with running_desk(folder / "d", folder / "policy.toml") as data:
        yield data


LEDGER = "SELECT transition, formatDateTime(at, '%H:%i') FROM sla_ledger WHERE metric = 'first_response' ORDER BY seq"
OUTCOME = "SELECT outcome, ended_at IS NOT NULL FROM sla_outcomes WHERE ticket_id = 't1' AND metric = 'first_response'"
COUNTS = (
    "SELECT formatDateTime(minute, '%H:%i'), first_response_met, first_response_breached, first_response_late "
    "FROM ticket_minutes WHERE first_response_met OR first_response_breached OR first_response_late"
)
WINDOWS = (
    "SELECT formatDateTime(minute, '%H:%i'), counts['first_response_met'], counts['first_response_breached'] "
    "FROM window_minutes WHERE dimension = 'team' AND value = 'A' "
    "AND (counts['first_response_met'] OR counts['first_response_breached'])"
)
WARNINGS = "SELECT rule, metric FROM risk_warnings WHERE metric != '' ORDER BY metric, rule"
# Judged more than `lateness` before the reply comes, so it stays; `verify` leaves out what came too late for it.
JUDGED = (
    "SELECT rule, subject, formatDateTime(raised_at, '%H:%i') FROM risk_warnings WHERE metric = '' ORDER BY raised_at"
)
UNJUDGED = "SELECT sum(counts['met']), sum(counts['breached']) FROM late_tally_rows FINAL"
BREACHES = [("breach_rate.high", "team/A", "11:01"), ("breach_rate.high", "team/A", "14:01")]
SURVEYS = (
    "SELECT formatDateTime(minute, '%H:%i'), responses, positive, neutral, negative FROM survey_minutes WHERE responses"
)
LATE = "SELECT topic, sum(late) FROM data_quality GROUP BY topic HAVING sum(late) > 0 ORDER BY topic"
RESOLUTION = [("sla.at_risk", "resolution"), ("sla.breached", "resolution")]


def test_late_events_correct_every_view(desk: Path) -> None:
    on_time = [
        event("ticket.created", "mon 10:00", "t1", team="A"),
        event("survey.responded", "mon 12:00", score=2, **ANSWER),
        event("call.offered", "tue 17:00", "c1"),
    ]
    feed(desk, *on_time)
    wait_for("the breach", lambda: len(rows(desk, WARNINGS)) == 4)
    wait_for("the answer", lambda: rows(desk, SURVEYS))
    assert rows(desk, LEDGER) == [("activated", "10:00"), ("at_risk", "10:45"), ("breached", "11:00")]
    assert rows(desk, OUTCOME) == [("breached", 0)]
    assert rows(desk, COUNTS) == [("11:00", 0, 1, 0)]
    assert rows(desk, WINDOWS) == [("11:00", 0, 1)]
    assert rows(desk, WARNINGS) == [("sla.at_risk", "first_response"), ("sla.breached", "first_response"), *RESOLUTION]
    wait_for("the breach rates", lambda: rows(desk, JUDGED) == BREACHES)
    assert rows(desk, SURVEYS) == [("12:00", 1, 0, 0, 1)]
    assert rows(desk, LATE) == []

    late = [
        event("ticket.replied", "mon 10:30", "t1", author="agent"),
        event("survey.responded", "mon 13:00", score=5, **ANSWER),
        event("survey.responded", "mon 12:30", score=3, **ANSWER),
    ]
    feed(desk, *late)
    wait_for("all that is late", lambda: sum(number for _, number in rows(desk, LATE)) == 3)
    wait_for("the events", lambda: value(desk, "SELECT count() FROM events") == len(on_time) + len(late))
    wait_for("the outcome", lambda: rows(desk, OUTCOME) == [("met", 1)])
    wait_for("the counts", lambda: rows(desk, COUNTS) == [("10:30", 1, 0, 0)])
    wait_for("the warnings", lambda: len(rows(desk, WARNINGS)) == 2)
    assert rows(desk, LEDGER) == [("activated", "10:00"), ("fulfilled", "10:30")]
    assert rows(desk, WINDOWS) == [("10:30", 1, 0)]
    assert rows(desk, WARNINGS) == RESOLUTION
    assert rows(desk, SURVEYS) == [("13:00", 1, 1, 0, 0)]
    assert value(desk, "SELECT score FROM surveys") == 5
    assert rows(desk, LATE) == [("surveys", 2), ("tickets", 1)]
    wait_for("what is not judged", lambda: rows(desk, UNJUDGED) == [(1, -1)])
    assert rows(desk, JUDGED) == BREACHES
    deskwatch("verify", "--data", desk, "--policy", desk.parent / "policy.toml")
