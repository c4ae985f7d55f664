"""The laws of the fold: order, repetition, checkpoints, restores change nothing; and it is what the naive fold says."""

import tomllib
from itertools import permutations
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.desk import Desk
from streams.desk.policy import Policies, parse
from streams.models.codec import INPUTS, topic_of
from streams.models.rows import Identity, PaneRow, Row
from streams.models.standings import SurveyRow
from tests.desk.compare import FAMILIES, all_rows, decoded, keep, ledger_of, minutes_of, record, rows_of, warnings_of
from tests.desk.logs import MONDAY, STEP, lines, logs, policies
from tests.naive.fold import fold

AS_OF = MONDAY + 70 * STEP
FCR = {"fcr_yes", "fcr_no", "fcr_provisional", "fcr_unknown"}  # with the customers' stage


def versions(texts: list[str]) -> Policies:
    return Policies([parse(text, f"policy {n}") for n, text in enumerate(texts)])


def without_version(rows: dict[Identity, Row]) -> dict[Identity, Row]:
    for row in rows.values():
        row.version = 0  # type: ignore[attr-defined]
    return {identity: row for identity, row in rows.items() if not isinstance(row, PaneRow)}


def summed(rows: dict[Identity, Row]) -> dict[tuple[Any, ...], int]:
    """The panes, summed over their parts, without what depends on the order of arrival."""
    sums: dict[tuple[Any, ...], int] = {}
    for row in rows.values():
        if isinstance(row, PaneRow):
            for keys, counts in row.counts:
                for dimension, value in keys:
                    for name, number in counts.items():
                        key = (row.minute, dimension, value, name)
                        sums[key] = sums.get(key, 0) + number
    return {key: number for key, number in sums.items() if number and key[1] != "topic"}


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
    in_order = rows_of(decoded(lines(log)), versions(texts), AS_OF)
    shuffled = decoded(lines(log)) * 2
    random.shuffle(shuffled)
    desk, standing, changelog = Desk(0, versions(texts), wall=False), {}, {}  # type: ignore[var-annotated]
    for n, (event, raw) in enumerate(shuffled):
        topic = topic_of(event)
        assert desk.feed(topic, [record(raw, topic, n)], 0) == 1
        if random.random() < 0.2:  # the clock runs ahead of what is still to come
            for name in INPUTS:
                desk.watermarks.advance(name, event.at)
        desk.advance(None)
        if n % every == 0:
            keep(standing, all_rows(desk))
            changelog.update(desk.cut(n + 1, {}).entries)
            desk = restored(changelog, versions(texts))
    for name in INPUTS:
        desk.watermarks.advance(name, AS_OF)
    desk.advance(None)
    keep(standing, all_rows(desk))
    assert without_version(standing) == without_version(in_order)
    assert summed(standing) == summed(in_order)


def restored(changelog: dict[bytes, bytes | None], policies: Policies) -> Desk:
    """A desk as a successor restores it."""
    desk = Desk(0, policies, wall=False)
    for key, value in changelog.items():
        desk.load(key, value)
    desk.restored()
    return desk


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
