"""Laws of incidents: who leads, and what is written of it, depend on neither partitions, arrival nor checkpoints."""

from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.desk.policy.versions import Policies, parse
from streams.models.escalations import ChainEvent
from streams.models.rows import WarningRow
from tests.desk.compare import decoded
from tests.desk.incident_pipeline import IncidentPipeline, escalated
from tests.desk.logs import lines
from tests.naive.desk import ticket

POLICIES = Policies(
    [
        parse(
            """
version = "d"
timezone = "UTC"
[calendars.always]
hours = "24x7"
[[sla]]
name = "all"
calendar = "always"
warn_at = 0.5
first_response = { urgent = "4m", high = "8m", normal = "8m", low = "16m" }
resolution = "12m"
[[rules]]
rule = "sla.at_risk"
severity = "warning"
cooldown = "6m"
[[rules]]
rule = "sla.breached"
severity = "critical"
cooldown = "6m"
[[escalation]]
severity = ["critical"]
steps = [ { after = "0m", to = "lead" }, { after = "3m", to = "boss", repeat = 2, every = "5m" } ]
[[escalation]]
severity = ["warning"]
steps = [ { after = "1m", to = "lead" } ]
[receivers]
lead = { url_env = "DESKWATCH_LEAD_URL" }
boss = { url_env = "DESKWATCH_BOSS_URL" }
""",
            "laws.toml",
        )
    ]
)
NAMES = ("p", "q", "a", "b", "c", "d", "e")
minutes = st.integers(0, 40)
names = st.sampled_from(NAMES)
some_parent = st.sampled_from(["", "p", "q", "nobody"])
doings = st.one_of(
    st.tuples(st.just("create"), st.integers(0, 10), names, some_parent),
    st.tuples(st.just("link"), minutes, names, some_parent),
    st.tuples(st.just("link"), minutes, names, some_parent),
    st.tuples(st.sampled_from(["reply", "solved", "open"]), minutes, names, some_parent),
    st.tuples(st.just("priority"), minutes, names, st.sampled_from(["urgent", "normal", "low"])),
)
stories = st.lists(doings, min_size=1, max_size=25)
Story = list[tuple[str, int, str, str]]


def log_of(story: Story) -> list[Any]:
    """The events of a story in the order of time; every ticket is created by minute 10."""
    created = {name: ("create", 0 if name in "pq" else 2, name, "p" if name in "ab" else "") for name in NAMES}
    created |= {doing[2]: doing for doing in story if doing[0] == "create"}
    events = []
    for n, (what, at, name, value) in enumerate([*created.values(), *(each for each in story if each[0] != "create")]):
        about: dict[str, Any] = {"ticket_id": name, "id_": f"e{n}"}
        match what:
            case "create":
                events.append(ticket(at, "created", **about, **({"parent_id": value} if value else {})))
            case "link":
                events.append(ticket(at, "updated", **about, parent_id=value))
            case "priority":
                events.append(ticket(at, "updated", **about, priority=value))
            case "reply":
                events.append(ticket(at, "replied", **about, author="agent"))
            case _:
                events.append(ticket(at, "status_changed", **about, status=what))
    events.append(ticket(60, "created", ticket_id="end", id_="end"))
    events.sort(key=lambda event: event["time"])
    return decoded(lines([{"specversion": "1.0", **event} for event in events]))


@settings(max_examples=120, deadline=None)
@given(stories, st.sampled_from([1, 2, 4, 8]), st.integers(0, 1 << 32), st.booleans())
@example([("link", 20, "c", "p")], 4, 1, False)
@example([("create", 0, "a", ""), ("link", 9, "a", "p"), ("link", 11, "a", ""), ("link", 13, "a", "p")], 8, 2, False)
def test_the_same_is_escalated_whatever_the_partitions_and_the_order(
    story: Story, partitions: int, seed: int, cut: bool
) -> None:
    """`cut`: the log ends with the story's last event, which may be a link or what clears a warning."""
    log = log_of(story)
    if cut:
        log.pop()
    calm = escalated(log, POLICIES, 1, Random(0))
    wild = escalated(log, POLICIES, partitions, Random(seed), 40 * partitions)
    assert wild.rows == calm.rows


@settings(max_examples=120, deadline=None)
@given(stories, st.integers(0, 1 << 32))
def test_of_the_open_warnings_of_an_incident_only_the_first_is_not_folded(story: Story, seed: int) -> None:
    """The most severe; of equal ones the least (raised_at, warning_id)."""
    pipeline = escalated(log_of(story), POLICIES, 4, Random(seed), 100)
    leading = [warning for warning in open_warnings(pipeline) if stands(pipeline, warning) != ChainEvent.FOLDED]
    assert {row.warning_id for row in leading} == {
        min((each.raised_at, each.warning_id) for each in open_warnings(pipeline) if incident(each) == one)[1]
        for one in {incident(each) for each in open_warnings(pipeline)}
    }


def open_warnings(pipeline: IncidentPipeline) -> list[WarningRow]:
    return [row for row in pipeline.warnings.values() if row.cleared_at is None and not row.is_deleted]


def incident(warning: WarningRow) -> tuple[str, str]:
    """Of one rule all warnings have one severity here."""
    ticket_id, _, clock = warning.subject.partition("/")
    return warning.rule, f"{warning.parent_id or ticket_id}/{clock}"


def stands(pipeline: IncidentPipeline, warning: WarningRow) -> str:
    """What was last said of the chain, or of a step; "": it goes on for an earlier warning, and no step is left."""
    last = max((seq for warning_id, seq in pipeline.rows if warning_id == warning.warning_id), default=-1)
    return pipeline.rows[warning.warning_id, last].state if last >= 0 else ""


@settings(max_examples=100, deadline=None)
@given(stories)
def test_no_step_has_a_number_twice(story: Story) -> None:
    """Each step falls due in one chain only."""
    rows = sorted(escalated(log_of(story), POLICIES, 4, Random(0)).rows.values(), key=lambda row: (row.at, row.seq))
    tried: dict[tuple[str, int], str] = {}
    for row in rows:
        if row.step and row.reason == "a replay sends nothing":
            assert (row.warning_id, row.step) not in tried
            tried[row.warning_id, row.step] = row.state
