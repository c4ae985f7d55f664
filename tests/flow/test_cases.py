"""Cases with values worked out by hand: recomputed, and through the pipeline on 1 and 4 partitions, verified.

The inputs are beside the repository, or where DESK_CASES says; else these tests skip.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.flow.month import deskwatch, whole_job
from tests.naive.cases import FOLDER

pytestmark = pytest.mark.embedded

CALLS = (
    "SELECT sum(offered), sum(queued), sum(answered), sum(answered_in_target), sum(abandoned), sum(legs), "
    "toInt64((SELECT sum(talk_s) FROM call_minutes)) FROM service_levels"
)
CREDIT = (
    "SELECT value, counts['replied'], counts['solved'], counts['first_response_met'], counts['resolution_met'] "
    "FROM window_minutes WHERE dimension = 'agent' ORDER BY value"
)
BREACHED = (
    "SELECT dimension, value, formatDateTime(minute, '%H:%i') FROM window_minutes "
    "WHERE counts['first_response_breached'] > 0 AND dimension IN ('agent', 'team') AND value IN ('A', 'a1')"
)
OUTCOMES = "SELECT ticket_id, metric, outcome, agent_id, ended_by, elapsed_s FROM sla_outcomes"
QUALITY = "SELECT sum(events), sum(duplicates), sum(conflicts), sum(type_conflicts), sum(orphans) FROM data_quality"

CASES: dict[str, dict[str, list[list[Any]]]] = {
    "hour-edge": {
        "SELECT formatDateTime(hour, '%H'), offered, queued, answered, answered_in_target, answered_of_offered, "
        "answered_of_answered, answered_of_answered_and_abandoned, answered_without_short_abandons, "
        "hits_with_abandons FROM service_levels ORDER BY hour": [
            ["09", 1, 0, 0, 0, None, None, None, None, None],
            ["10", 1, 2, 2, 2, 1, 1, 1, 1, 1],
        ],
        "SELECT answered_of_offered BETWEEN answered_of_offered_low AND answered_of_offered_high "
        "FROM service_levels WHERE queued > 0": [[1]],
    },
    "call-ended-before-answered": {CALLS: [[3, 3, 3, 2, 0, 3, 97]]},
    "call-legs": {
        "SELECT leg, queue, team, agent_id, talk_s FROM call_legs ORDER BY leg": [
            [1, "1501", "A", "7009", 120],
            [2, "1509", "B", "7051", 173],
        ],
        "SELECT queue, answered, answered_in_target, transferred, legs, aht_s FROM service_levels ORDER BY queue": [
            ["1501", 1, 1, 1, 1, 120],
            ["1509", 0, 0, 0, 1, 173],
        ],
        "SELECT sum(ended), sum(wait_s) FROM call_minutes": [[1, 12]],
    },
    "transfer-after-end": {
        "SELECT call_id, queue, team, outcome FROM calls ORDER BY call_id": [
            ["K1", "q1", "A", "ended"],
            ["K2", "q1", "A", "abandoned"],
        ],
        "SELECT sum(transferred) FROM call_minutes": [[0]],
    },
    "reply-by-other": {
        CREDIT: [["a1", 0, 0, 1, 1], ["b1", 2, 2, 1, 1]],
        f"{OUTCOMES} WHERE outcome = 'met' ORDER BY ticket_id, metric": [
            ["COVER", "first_response", "met", "a1", "b1", 600],
            ["COVER", "resolution", "met", "a1", "b1", 1200],
            ["FREE", "first_response", "met", "b1", "b1", 600],
            ["FREE", "resolution", "met", "b1", "b1", 1200],
        ],
        "SELECT agent_id FROM survey_minutes": [["b1"]],
    },
    "unassign": {
        BREACHED: [["team", "A", "10:00"]],
        f"{OUTCOMES} WHERE ticket_id = 'T1' AND outcome = 'breached'": [
            ["T1", "first_response", "breached", "", "", 10800]
        ],
        "SELECT sum(reassigned) FROM ticket_minutes": [[0]],
    },
    "merge-itself": {
        f"{OUTCOMES} WHERE metric != 'next_response' ORDER BY metric": [
            ["T1", "first_response", "met", "", "", 1200],
            ["T1", "resolution", "met", "", "", 3600],
        ],
        "SELECT count() FROM dead_letters": [[1]],
    },
    "fcr": {
        "SELECT sum(fcr_yes), sum(fcr_no), sum(fcr_unknown), sum(fcr_provisional) FROM ticket_minutes": [[6, 2, 1, 0]],
        "SELECT sum(contacts) FROM complaint_rates WHERE day = '2026-10-01'": [[11]],
    },
    "seq-number": {
        "SELECT status, reopenings FROM tickets WHERE ticket_id = 'T1'": [["open", 1]],
        "SELECT outcome, elapsed_s FROM sla_outcomes WHERE ticket_id = 'T1' AND metric = 'resolution'": [
            ["running", 7200]
        ],
    },
    "reformatted-duplicate": {QUALITY: [[5, 3, 0, 0, 0]]},
    "orphan-by-conflict": {QUALITY: [[3, 0, 1, 1, 1]]},
    "per-ticket-ids": {
        "SELECT count() FROM events": [[7]],
        "SELECT ticket_id FROM tickets WHERE status = 'solved' ORDER BY ticket_id": [["T1"], ["T2"]],
        QUALITY: [[7, 0, 0, 0, 0]],
    },
    "callback-without-ticket": {
        "SELECT callback_id, status, formatDateTime(done_at, '%H:%i') FROM callbacks ORDER BY callback_id": [
            ["cb1", "done", "09:30"],
            ["cb2", "done", "10:00"],
            ["cb9", "done", "10:50"],
        ],
        "SELECT promised, done, done_in_time, overdue FROM callback_coverage": [[2, 2, 2, 0]],
        "SELECT count() FROM risk_warnings WHERE rule = 'callback.overdue'": [[0]],
    },
    "closure-typo": {
        "SELECT formatDateTime(due_at, '%H:%i') FROM sla_outcomes WHERE metric = 'resolution'": [["17:00"]],
        "SELECT sum(unknown_calendars) FROM data_quality": [[1]],
    },
    "desk-day": {
        "SELECT toString(day), category, n FROM contact_reasons": [["2026-10-12", "refund", 2]],
        "SELECT toString(day), sum(solved) FROM ticket_quality GROUP BY day": [["2026-10-12", 2]],
        "SELECT toString(day), contacts, complaints FROM complaint_rates": [["2026-10-12", 2, 1]],
    },
    "gb-easter": {
        "SELECT count() FROM sla_outcomes WHERE due_at = '2026-04-06 11:00:00'": [[1]],
    },
}


def ask(data: Path, question: str) -> list[list[Any]]:
    """The rows of a question, numbers as numbers."""
    lines = deskwatch("sql", question, "--data", data, "--json").splitlines()
    return [[_number(value) for value in msgspec.json.decode(line).values()] for line in lines]


def _number(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) and "." in value else value
    except ValueError:
        return value


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["recompute", "1 partition", "4 partitions"])
def test_a_case(case: str, way: str, tmp_path: Path) -> None:
    folder = FOLDER / case
    if not folder.exists():
        pytest.skip(f"the case {case} is not here: set DESK_CASES to the directory of cases")
    log, data, policy = folder / "events.jsonl", tmp_path / "d", ("--policy", folder / "policy.toml")
    if way == "recompute":
        deskwatch("recompute", log, "--data", data, *policy)
    else:
        whole_job(data, log, "--partitions", way.split()[0], *policy)
        deskwatch("verify", "--data", data, *policy)
        deskwatch("verify", log, "--data", data, *policy)
    assert {question: ask(data, question) for question in CASES[case]} == CASES[case]
