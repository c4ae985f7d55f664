"""Callbacks, improvements, agents, reviews: the laws of the fold, and the naive fold says the same."""

import tomllib
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.desk import Desk
from streams.desk.policy import Policies, parse
from streams.models.codec import INPUTS, topic_of
from streams.models.instants import format_instant
from streams.models.rows import Identity, Row
from streams.models.standings import ActionRow, AgentStateRow, CallbackRow, ReviewRow
from tests.desk.compare import all_rows, decoded, keep, record, rows_of, warnings_of
from tests.desk.logs import MONDAY, STEP, lines
from tests.desk.test_laws import restored, summed, without_version
from tests.naive.fold import fold

AS_OF = MONDAY + 70 * STEP
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


def versions(texts: list[str]) -> Policies:
    return Policies([parse(text, f"policy {n}") for n, text in enumerate(texts)])


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
