"""Irregular calls: the core and the naive fold agree on what they count, on their legs and on where they waited."""

import tomllib
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.models.entities import CallLegRow, CallRow
from streams.models.instants import format_instant, parse_instant
from streams.models.rows import Row, SpanRow
from tests.desk.compare import decoded, minutes_of, rows_of
from tests.desk.laws import AS_OF, assert_that_nothing_changes, versions
from tests.desk.logs import lines
from tests.naive.fold import fold

POLICY = """
version = "1"
timezone = "UTC"
[calls]
answer_within = "20s"
short_abandon = "5s"
max_wait = "3m"
max_talk = "4m"
"""
MONDAY = parse_instant("2026-10-12T00:00:00Z")
NAMES = {"outcome", "queue", "team", "answered_at", "ended_at"}
LEG = ("leg", "queue", "team", "agent_id", "began_at", "ended_at", "talk_ms", "hold_ms", "wrapup_ms")

agents = st.sampled_from([{}, {"agent_id": "a"}, {"agent_id": "b"}])
seconds = st.sampled_from([0, 1, 9, 30, 90])
moves = st.fixed_dictionaries({}, optional={"to_queue": st.sampled_from("qr"), "to_team": st.sampled_from("AB")})
kinds = st.one_of(
    st.tuples(st.just("answered"), st.builds(lambda who, s: {**who, "wait_s": s}, agents, seconds)),
    st.tuples(st.just("ended"), st.builds(lambda who, s: {**who, "talk_s": s}, agents, seconds)),
    st.tuples(st.just("ended"), st.builds(lambda who, s: {**who, "talk_s": s, "wrapup_s": 3}, agents, seconds)),
    st.tuples(st.just("transferred"), moves),
    st.tuples(st.just("abandoned"), st.builds(lambda s: {"wait_s": s}, seconds)),
    st.tuples(st.just("abandoned"), st.builds(lambda s: {"wait_s": s, "stage": "ivr"}, seconds)),
)  # fmt: skip
INSTANTS = (0, 5, 10, 10, 20, 60, 100, 200, 300, 600)


@st.composite
def calls(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The events of one call, some at the same instants, some from before its offer."""
    offered = ("offered", {"queue": "p", "team": "A", "ivr_s": draw(st.sampled_from([0, 0, 7]))})
    found = [(draw(st.sampled_from((0, 0, 20))), offered)]
    found += [(draw(st.sampled_from(INSTANTS)), draw(kinds)) for _ in range(draw(st.integers(1, 7)))]
    if draw(st.booleans()):
        found.append((600, ("transferred", {"to_queue": "z"})))
    return [
        {
            "specversion": "1.0", "id": f"e{n}", "source": "s", "type": f"call.{kind}",
            "time": format_instant(MONDAY + at * 1000), "data": {"call_id": "C", **data},
        }
        for n, (at, (kind, data)) in enumerate(found)
    ]  # fmt: skip


def standing(rows: list[Row]) -> dict[str, Any]:
    """How the call stands, as the naive fold says it."""
    (row,) = (row for row in rows if isinstance(row, CallRow))
    told = {name: getattr(row, name) for name in NAMES}
    if told["outcome"] == "ivr":
        told["outcome"] = "abandoned_ivr"
    if told["outcome"] in ("abandoned_ivr", "abandoned", "lost"):
        told["ended_at"] = None
    return told


@settings(max_examples=1500, deadline=None)
@given(calls())
def test_an_irregular_call(log: list[dict[str, Any]]) -> None:
    events = sorted(decoded(lines(log)), key=lambda pair: pair[0].at)
    rows = list(rows_of(events, versions([POLICY]), AS_OF).values())
    naive = fold(log, [tomllib.loads(POLICY)], AS_OF)
    assert minutes_of(rows, "call_minutes") == naive["call_minutes"]
    legs = sorted((row for row in rows if isinstance(row, CallLegRow)), key=lambda row: row.leg)
    assert [{name: getattr(row, name) for name in LEG} for row in legs] == [
        {name: row[name] for name in LEG} for row in naive["call_legs"]
    ]
    assert standing(rows) == {name: naive["calls"][0][name] for name in NAMES}
    spans = sorted((row for row in rows if isinstance(row, SpanRow)), key=lambda row: row.from_at)
    if standing(rows)["outcome"] != "abandoned_ivr":
        waits = [(row["team"], row["from_at"], row["to_at"]) for row in naive["call_waits"]]
        merged = [(row.team, row.from_at, row.to_at) for row in spans]
        assert merged == waits


@settings(max_examples=300, deadline=None)
@given(calls(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_order_repetition_checkpoints_and_restores_change_nothing(
    log: list[dict[str, Any]], random: Random, every: int
) -> None:
    assert_that_nothing_changes(log, [POLICY], random, every)
