"""The laws of the fold: order, repetition, checkpoints and restores change nothing; it equals the naive fold."""

import tomllib
from itertools import permutations
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.models.entities import SurveyRow
from tests.desk.compare import FAMILIES, decoded, ledger_of, minutes_of, rows_of, warnings_of
from tests.desk.laws import AS_OF, FCR, assert_that_nothing_changes, versions
from tests.desk.logs import lines, logs, policies
from tests.naive.fold import fold


@settings(max_examples=400, deadline=None)
@given(logs(), policies())
def test_the_core_says_what_the_naive_fold_says(log: list[dict[str, Any]], texts: list[str]) -> None:
    rows = rows_of(decoded(lines(log)), versions(texts), AS_OF)
    naive = fold(log, [tomllib.loads(text) for text in texts], AS_OF)
    assert ledger_of(rows.values()) == naive["ledger"]
    assert warnings_of(rows.values(), "ticket.silent", "transfer.loop") == naive["warnings"]
    for view, (_, _, counters) in FAMILIES.items():
        counted = [{name: n for name, n in row.items() if name not in FCR} for row in naive[view]]
        expected = [row for row in counted if any(row[name] for name in counters if name not in FCR)]
        found = [{name: n for name, n in row.items() if name not in FCR} for row in minutes_of(rows.values(), view)]
        assert found == expected


@settings(max_examples=200, deadline=None)
@given(logs(), policies(), st.randoms(use_true_random=False), st.integers(1, 9))
def test_order_repetition_checkpoints_and_restores_change_nothing(
    log: list[dict[str, Any]], texts: list[str], random: Random, every: int
) -> None:
    assert_that_nothing_changes(log, texts, random, every)


def test_a_survey_from_before_its_ticket_sees_it_as_all_of_the_creation_s_instant_left_it() -> None:
    """
    survey 00:00          created, assigned (team A) 00:10          in every order of arrival: team A
    """
    head = {"specversion": "1.0", "source": "test"}
    events: list[dict[str, Any]] = [
        {"id": "e0", "type": "survey.offered", "data": {"ticket_id": "t1", "survey_id": "s1"}, "time": "00:00"},
        {"id": "e1", "type": "ticket.created", "data": {"ticket_id": "t1"}, "time": "00:10"},
        {"id": "e2", "type": "ticket.assigned", "data": {"ticket_id": "t1", "team": "A"}, "time": "00:10"},
    ]
    log = [{**head, **event, "time": f"2026-10-12T{event['time']}:00Z"} for event in events]
    for order in permutations(log):
        rows = rows_of(decoded(lines(list(order))), versions(['version = "v"\ntimezone = "UTC"']), AS_OF).values()
        assert {row.team for row in rows if isinstance(row, SurveyRow)} == {"A"}, [event["id"] for event in order]
