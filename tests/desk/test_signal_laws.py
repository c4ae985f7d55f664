"""Callbacks, improvements, agents, reviews: the laws of the fold, and equality with the naive fold."""

import tomllib
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.track.partition import Desk
from streams.desk.track.subject import ID_SET_THRESHOLD
from streams.models.entities import ActionRow, AgentStateRow, CallbackRow, ReviewRow
from streams.models.instants import DAY, MINUTE, format_instant
from streams.models.rows import Identity, Row
from streams.models.topics import INPUTS
from tests.desk.compare import all_rows, decoded, keep, record, rows_of, warnings_of
from tests.desk.laws import AS_OF, assert_that_nothing_changes, restored, versions, without_version
from tests.desk.logs import MONDAY, STEP, lines
from tests.naive.fold import fold

RULES = ("callback.overdue", "action.overdue", "agent.overbreak")
POLICY = """
version = "v1"
timezone = "UTC"
[callbacks]
within = "{within}"
[agents]
limits = {{ break = "20m", wrapup = "{wrapup}" }}
"""
NEXT = 'effective_from = "2026-10-12T04:00:00Z"\n'

_team = st.sampled_from(["A", "B"])
_due = st.integers(0, 60).map(lambda steps: format_instant(MONDAY + steps * STEP))
_yes = st.booleans()


def _data(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


_CALLBACK = {"callback_id": st.sampled_from(["b1", "b2"])}
_ACTION = {"action_id": st.just("a1")}
_REVIEW = {"review_id": st.sampled_from(["q1", "q2"]), "passed": _yes, "ticket_id": st.sampled_from(["t1", "t2"])}
_STATE = {"agent_id": st.just("ann"), "state": st.sampled_from(["available", "break", "wrapup", "meal"])}
KINDS = {
    "callback.due": _data(_CALLBACK, due_at=_due, segment=st.sampled_from(["vip", "new"])),
    "callback.rescheduled": _data(_CALLBACK, due_at=_due),
    "callback.done": _data(_CALLBACK, reached=_yes, recorded=_yes),
    "action.opened": _data(_ACTION, due_at=_due),
    "action.done": _data(_ACTION),
    "review.completed": _data(_REVIEW, team=_team, agent_id=st.just("bob")),
    "agent.state_changed": _data(_STATE, team=_team),
    "ticket.created": _data({"ticket_id": st.just("t1")}, team=_team),
    "ticket.assigned": _data({"ticket_id": st.just("t1")}, team=_team, agent_id=st.sampled_from(["ann", "bob"])),
}
_LIKELY = [*KINDS, "agent.state_changed", "agent.state_changed", "callback.due", "callback.rescheduled"]


@st.composite
def signal_logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    log = []
    for n in range(draw(st.integers(1, 20))):
        kind, steps = draw(st.sampled_from(_LIKELY)), draw(st.integers(0, 40))
        event = {"specversion": "1.0", "id": f"e{n}", "source": "test", "type": kind, "data": draw(KINDS[kind])}
        log.append({**event, "time": format_instant(MONDAY + steps * STEP)})
    return sorted(log, key=lambda event: event["time"])


@st.composite
def signal_policies(draw: st.DrawFn) -> list[str]:
    texts = [
        POLICY.format(within=draw(st.sampled_from(["1h", "5h"])), wrapup=draw(st.sampled_from(["10m", "30m"])))
        for _ in range(draw(st.integers(1, 2)))
    ]
    return [text.replace('"v1"\n', f'"v{n}"\n{NEXT if n else ""}') for n, text in enumerate(texts)]


def shown(rows: dict[Identity, Row], kind: type[Row], like: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a kind, with the columns that the naive fold shows."""
    found = [row for row in rows.values() if isinstance(row, kind)]
    dicts = [{name: getattr(row, name) for name in row.__struct_fields__} for row in found]
    names = like[0] if like else []
    return [
        {name: row[name] for name in names} for row in sorted(dicts, key=lambda row: [str(v) for v in row.values()])
    ]


@settings(max_examples=400, deadline=None)
@given(signal_logs(), signal_policies())
def test_the_core_says_what_the_naive_fold_says(log: list[dict[str, Any]], texts: list[str]) -> None:
    rows = rows_of(decoded(lines(log)), versions(texts), AS_OF)
    naive = fold(log, [tomllib.loads(text) for text in texts], AS_OF)
    kinds: dict[str, type[Row]] = {
        "callbacks": CallbackRow,
        "actions": ActionRow,
        "agent_states": AgentStateRow,
        "reviews": ReviewRow,
    }
    for view, kind in kinds.items():
        found = shown(rows, kind, naive[view])
        by = str
        assert sorted(found, key=by) == sorted(naive[view], key=by), view
    by_subject = sorted(naive["signal_warnings"], key=lambda row: (row["subject"], row["rule"], row["raised_at"]))
    assert warnings_of(rows.values(), *RULES) == by_subject


@settings(max_examples=200, deadline=None)
@given(signal_logs(), signal_policies(), st.randoms(use_true_random=False), st.integers(1, 9))
def test_order_repetition_checkpoints_and_restores_change_nothing(
    log: list[dict[str, Any]], texts: list[str], random: Random, every: int
) -> None:
    assert_that_nothing_changes(log, texts, random, every)


DAYS = 12
SHORT = POLICY.format(within="1h", wrapup="30m") + '[windows]\nhold = "1d"\n'


@st.composite
def agent_logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Agents over some days, in the order in which the events come: up to a day late."""
    log = []
    for n in range(draw(st.integers(1, 60))):
        at = MONDAY + draw(st.integers(0, DAYS * 24)) * 60 * MINUTE
        data = draw(KINDS["agent.state_changed"]) | {"agent_id": draw(st.sampled_from(["ann", "bob"]))}
        event = {"specversion": "1.0", "id": f"e{n}", "source": "test", "type": "agent.state_changed", "data": data}
        log.append((at + draw(st.sampled_from([0, 0, 0, 5, 24])) * 60 * MINUTE, {**event, "time": format_instant(at)}))
    return [event for _, event in sorted(log, key=lambda each: each[0])]


@settings(max_examples=200, deadline=None)
@given(agent_logs(), st.randoms(use_true_random=False))
def test_what_an_agent_did_long_ago_is_forgotten_and_that_changes_nothing(
    log: list[dict[str, Any]], random: Random
) -> None:
    as_of = MONDAY + (DAYS + 10) * DAY
    at_once = rows_of(decoded(lines(log)), versions([SHORT]), as_of)
    desk, standing, changelog = Desk(0, versions([SHORT]), wall=False), {}, {}  # type: ignore[var-annotated]
    latest = 0
    for n, (event, raw) in enumerate(decoded(lines(log))):
        for again in range(1 + (random.random() > 0.7)):
            desk.feed("signals", [record(raw, "signals", 2 * n + again)], 0)
        latest = max(latest, event.at)
        for name in INPUTS:
            desk.watermarks.advance(name, latest)
        desk.advance(None)
        if random.random() > 0.6:
            keep(standing, all_rows(desk))
            changelog.update(desk.snapshot(n + 1, {}).entries)
            desk = restored(changelog, versions([SHORT]))
    for name in INPUTS:
        desk.watermarks.advance(name, as_of)
    desk.advance(None)
    keep(standing, all_rows(desk))
    changelog.update(desk.snapshot(len(log) + 1, {}).entries)
    assert without_version(standing) == without_version(at_once)
    for agent in desk.subjects.cache.all():  # the state that lasts, with what repeats it or moves the agent
        assert len({event.data.state for event in agent.events()}) == 1
    held = {agent.key(n): raw for agent in desk.subjects.cache.all() for n, raw in enumerate(agent.raws)}
    assert {key: value for key, value in changelog.items() if key[:1] == b"g" and value is not None} == held


def test_a_late_event_from_before_what_is_held_of_an_agent_changes_nothing() -> None:
    """
    hold 1 d    available(team A) ── break ── meal, held since ─────> three days on
                            └ late: released              └ late: counted
    """
    hours = [(0, "available", "A"), (1, "break", None), (2, "meal", None)]
    head = {"specversion": "1.0", "source": "test", "type": "agent.state_changed"}
    desk = Desk(0, versions([SHORT]), wall=False)
    for n, (hour, state, team) in enumerate([*hours, (1, "offline", None), (2.5, "meal", "B"), (2, "meal", None)]):
        data = {"agent_id": "ann", "state": state, **({"team": team} if team else {})}
        time, event_id = format_instant(MONDAY + int(hour * 60) * MINUTE), f"e{n if n < 5 else 2}"
        (raw,) = lines([{**head, "id": event_id, "time": time, "data": data}])
        if n == 3:
            for name in INPUTS:
                desk.watermarks.advance(name, MONDAY + 4 * DAY)
            desk.advance(None)
            keep({}, all_rows(desk))
            desk.snapshot(1, {})
        desk.feed("signals", [record(raw, "signals", n)], 0)
    assert desk.totals["released"] == 2
    spans = sorted((row.from_at, row.state, row.team) for row in all_rows(desk) if isinstance(row, AgentStateRow))
    assert [(at - MONDAY) // MINUTE for at, _, _ in spans] == [120, 150]
    assert [(state, team) for _, state, team in spans] == [("meal", "A"), ("meal", "B")]


def test_of_many_events_each_is_known_again() -> None:
    desk = Desk(0, versions([SHORT]), wall=False)
    log = [
        {
            "specversion": "1.0", "source": "test", "id": f"e{n}", "type": "agent.state_changed",
            "time": format_instant(MONDAY + n * MINUTE), "data": {"agent_id": "ann", "state": ("meal", "break")[n % 2]},
        }
        for n in range(2 * ID_SET_THRESHOLD)
    ]  # fmt: skip
    records = [record(raw, "signals", n) for n, (_, raw) in enumerate(decoded(lines(log)) * 2)]
    assert desk.feed("signals", records, 0) == len(records)
    all_rows(desk)  # which counts what came
    assert (desk.totals["events"], desk.totals["duplicates"]) == (len(records), len(log))
