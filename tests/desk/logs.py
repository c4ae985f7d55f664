"""Random logs and policies for the laws: few subjects, few instants, so that everything collides."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from streams.models.instants import format_instant

MONDAY = 1_791_763_200_000  # 2026-10-12T00:00:00Z
STEP = 600_000  # events fall on multiples of ten minutes: many at one instant

_team = st.sampled_from(["A", "B"])
_agent = st.sampled_from(["ann", "bob"])
_priority = st.sampled_from(["low", "normal", "high", "urgent"])
_metric = st.sampled_from(["first_response", "next_response", "resolution"])
_status = st.sampled_from(["new", "open", "pending", "on_hold", "solved", "closed"])
_segment = st.sampled_from(["new", "regular", "vip"])


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _all(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


TICKET: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "created": _some(priority=_priority, team=_team, segment=_segment, kind=st.sampled_from(["question", "complaint"])),
    "assigned": _some(team=_team, agent_id=_agent),
    "replied": _all(author=st.sampled_from(["agent", "customer", "bot"]), public=st.booleans(), auto=st.booleans()),
    "status_changed": _all(status=_status),
    "updated": _some(priority=_priority, segment=_segment, tags=st.lists(st.sampled_from(["x", "y"]), max_size=2)),
    "stage_changed": _all(stage=st.sampled_from(["soothe", "record"])),
    "merged": _all(into=st.just("t9")),
    "exempted": _all(metric=_metric, by=st.just("boss"), reason=st.just("storm")),
}
_LIKELY = [
    "created",
    "created",
    "assigned",
    "assigned",
    "replied",
    "replied",
    "status_changed",
    "status_changed",
    "updated",
]
CALL: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "offered": _some(queue=st.sampled_from(["q", "r"]), ivr_s=st.sampled_from([0, 30]), segment=_segment),
    "answered": _all(wait_s=st.sampled_from([5, 20, 60]), agent_id=_agent),
    "abandoned": _all(wait_s=st.sampled_from([3, 20, 60]), stage=st.sampled_from(["ivr", "queue"])),
    "transferred": _some(to_queue=st.sampled_from(["q", "r"]), to_team=_team),
    "ended": _all(talk_s=st.sampled_from([60, 90.5])),
}
SURVEY: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "offered": _some(ticket_id=st.just("t1")),
    "responded": _all(
        metric=st.just("csat"),
        score=st.integers(1, 5),
        scale_min=st.just(1),
        scale_max=st.just(5),
        ticket_id=st.just("t1"),
    ),
}


@st.composite
def _event(draw: st.DrawFn) -> tuple[str, int, dict[str, Any]]:
    """(type, steps after Monday, data)."""
    family = draw(st.sampled_from(["ticket"] * 6 + ["call"] * 2 + ["survey"]))
    steps = draw(st.integers(0, 60))
    if family == "ticket":
        name = draw(st.sampled_from(_LIKELY + list(TICKET)))
        data = draw(TICKET[name]) | {"ticket_id": draw(st.sampled_from(["t1", "t1", "t2"]))}
    elif family == "call":
        name = draw(st.sampled_from(list(CALL)))
        data = draw(CALL[name]) | {"call_id": "c1"}
    else:
        name = draw(st.sampled_from(list(SURVEY)))
        data = draw(SURVEY[name]) | {"survey_id": draw(st.sampled_from(["s1", "s2"]))}
    return f"{family}.{name}", steps, data


@st.composite
def logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A log in order of time; now and then the office closes ad hoc."""
    drawn = sorted(draw(st.lists(_event(), min_size=1, max_size=30)), key=lambda event: event[1])
    log = [
        {
            "specversion": "1.0",
            "id": f"e{n}",
            "source": "test",
            "type": kind,
            "time": format_instant(MONDAY + steps * STEP),
            "data": data,
        }
        for n, (kind, steps, data) in enumerate(drawn)
    ]
    if draw(st.integers(0, 3)) == 0:
        begin = draw(st.integers(0, 50))
        span = {"from": format_instant(MONDAY + begin * STEP), "to": format_instant(MONDAY + (begin + 7) * STEP)}
        event = {"specversion": "1.0", "id": "closed", "source": "test", "type": "desk.closed"}
        log.insert(0, {**event, "time": log[0]["time"], "data": {"calendar": "office", **span}})
    return log


_POLICY = """
version = "{version}"
{effective_from}
timezone = "UTC"
[calendars.always]
hours = "24x7"
[calendars.office]
timezone = "UTC"
[calendars.office.hours]
mon = ["01:00-03:00", "04:00-{closes}"]
[clocks]
first_response = {{ pause_on = [] }}
next_response = {{ pause_on = ["pending"] }}
resolution = {{ pause_on = {pause_on}, reopen = "{reopen}" }}
[[sla]]
name = "vip"
match = {{ segment = ["vip"], tags = ["x"] }}
calendar = "always"
warn_at = 0.5
first_response = "20m"
silence = "1h"
resolution = {{ urgent = "30m", high = "1h", normal = "2h" }}
[[sla]]
name = "team A"
match = {{ team = ["A"] }}
calendar = "{calendar}"
warn_at = {warn_at}
first_response = "{target}"
next_response = "30m"
silence = "{silence}"
resolution = {{ urgent = "1h", high = "2h", normal = "3h", low = "4h" }}
[[sla]]
name = "urgent, low"
match = {{ priority = ["urgent", "low"] }}
calendar = "always"
silence = "40m"
[[rules]]
rule = "transfer.loop"
raise_at = {transfers}
"""


@st.composite
def policies(draw: st.DrawFn) -> list[str]:
    """One or two versions of a policy, as TOML."""
    return [
        _POLICY.format(
            version=f"v{n}",
            effective_from="" if n == 0 else f'effective_from = "{format_instant(MONDAY + 25 * STEP)}"',
            pause_on=draw(st.sampled_from(['["pending"]', '["pending", "on_hold"]', '["new"]'])) if n == 0 else "[]",
            reopen=draw(st.sampled_from(["exclude_closed_time", "continue", "restart_cycle"])),
            calendar=draw(st.sampled_from(["always", "office"])),
            closes=draw(st.sampled_from(["06:00", "09:30"])),
            warn_at=draw(st.sampled_from(["0.75", "1.0"])),
            silence=draw(st.sampled_from(["20m", "1h", "2h", "1wd"])),
            transfers=draw(st.integers(1, 3)),
            target=draw(st.sampled_from(["10m", "50m"])),
        )
        for n in range(draw(st.integers(1, 2)))
    ]


def lines(log: list[dict[str, Any]]) -> list[bytes]:
    """A log as JSON lines."""
    return [msgspec.json.encode(event) for event in log]
