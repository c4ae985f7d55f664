"""A policy that changes at a restart: future versions are followed; a changed past is refused, or restated.

A   |──────────────────────>        followed so far, up to the restart R
B   |─────────|────R───────>        a changed past: refused, or restated as if followed from the start
C   |──────────────R──|────>        a future version: as if it had been there from the start
"""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.policy.restatement import PolicyRefused
from streams.desk.policy.versions import Policies, parse
from streams.desk.track.partition import Desk
from streams.desk.track.snapshot_header import FORMAT, CheckpointRefused, SnapshotHeader
from streams.models.codec import topic_of
from streams.models.instants import format_instant
from streams.models.records import Output
from streams.models.restatements import RULES
from streams.models.rows import FactRow, Identity, Row
from streams.models.topics import INPUTS
from tests.desk.compare import all_rows, decoded, keep, ledger_of, record, rows_of
from tests.desk.laws import AS_OF, summed, versions, without_version
from tests.desk.logs import MONDAY, STEP, lines, logs, policies

SWITCH = MONDAY + 25 * STEP
SECTIONS = (
    '[calls]\nanswer_within = "20s"\n[csat]\npositive_from = 0.75\n',
    '[calls]\nanswer_within = "60s"\nmax_wait = "30m"\n[csat]\npositive_from = 0.5\nnegative_to = 0.25\n',
)
Changelog = dict[bytes, bytes | None]


def restarted(changelog: Changelog, given: Policies, *, restate: bool = False) -> Desk:
    desk = Desk(0, given, wall=False, restate=restate)
    for key, value in changelog.items():
        if value is not None:
            desk.load(key, value)
    desk.restored()
    return desk


class Run:
    """A desk that is fed, saved and restarted; the rows that stand."""

    def __init__(self, given: Policies) -> None:
        self.desk = Desk(0, given, wall=False)
        self.standing: dict[Identity, Row] = {}
        self.changelog: Changelog = {}
        self.written: list[Output] = []
        self.snapshots = 0

    def snapshot(self) -> None:
        self.snapshots += 1
        keep(self.standing, all_rows(self.desk))
        taken = self.desk.snapshot(self.snapshots, {})
        self.changelog.update(taken.entries)
        self.written += taken.outputs

    def feed(self, log: list[dict[str, Any]], first: int = 0) -> None:
        for n, (event, raw) in enumerate(decoded(lines(log)), first):
            topic = topic_of(event)
            while not self.desk.feed(topic, [record(raw, topic, n)], 0):
                self.snapshot()
            for name in INPUTS:
                self.desk.watermarks.advance(name, event.at)
            self.desk.advance(None)
            if not n % 4:
                self.snapshot()

    def finish(self) -> None:
        for name in INPUTS:
            self.desk.watermarks.advance(name, AS_OF)
        while self.desk.business_time < AS_OF:
            self.desk.advance(None)
            self.snapshot()

    def restart(self, given: Policies, *, restate: bool = False) -> None:
        self.snapshot()
        self.desk = restarted(self.changelog, given, restate=restate)


def expect(run: Run, log: list[dict[str, Any]], given: Policies) -> None:
    wanted = rows_of(decoded(lines(log)), given, AS_OF)
    assert without_version(run.standing) == without_version(wanted)
    assert summed(run.standing) == summed(wanted)


@settings(max_examples=60, deadline=None)
@given(logs(), policies().filter(lambda texts: len(texts) == 2))
def test_a_version_that_is_still_to_come_may_be_added_at_any_restart(
    log: list[dict[str, Any]], texts: list[str]
) -> None:
    before = [event for event in log if event["time"] < format_instant(SWITCH)]
    run = Run(versions(texts[:1]))
    run.feed(before)
    run.restart(versions(texts))
    run.feed(log[len(before) :], len(before))
    run.finish()
    expect(run, log, versions(texts))


@settings(max_examples=80, deadline=None)
@given(logs(), policies(), policies(), st.integers(0, 30), st.randoms(use_true_random=False))
def test_a_restated_policy_is_as_if_it_had_been_there_from_the_start(
    log: list[dict[str, Any]], former: list[str], texts: list[str], at: int, random: Random
) -> None:
    former, texts = [text + SECTIONS[0] for text in former], [text + SECTIONS[1] for text in texts]
    run = Run(versions(former))
    run.feed(log[:at])
    run.restart(versions(texts), restate=True)
    run.desk.full = lambda: random.random() < 0.4
    for _ in range(random.randint(0, 6)):  # stopped half-way, and continued
        run.desk.advance(None)
        run.restart(versions(texts), restate=True)
        run.desk.full = lambda: random.random() < 0.4
    while run.desk.policy.given is not run.desk.policy.followed:
        run.desk.advance(None)
        run.snapshot()
    run.restart(versions(texts))  # and needs no leave any more
    run.feed(log[at:], at)
    run.finish()
    expect(run, log, versions(texts))


POLICY = """
version = "{version}"
{since}
timezone = "UTC"
[calendars.always]
hours = "24x7"
[clocks]
first_response = {{ pause_on = [] }}
next_response = {{ pause_on = ["pending"] }}
resolution = {{ pause_on = ["pending"] }}
[[sla]]
name = "all"
match = {{}}
calendar = "always"
warn_at = 0.75
resolution = "{target}"
{more}
"""


def policy(version: str, since: str = "", target: str = "2h", more: str = "") -> str:
    since = since and f'effective_from = "{since}"'
    return POLICY.format(version=version, since=since, target=target, more=more)


def event(kind: str, at: int, **data: Any) -> dict[str, Any]:
    head = {"specversion": "1.0", "id": f"{kind}/{at}", "source": "t", "type": kind, "time": format_instant(at)}
    return {**head, "data": data}


HOUR = 3_600_000
CREATED = event("ticket.created", MONDAY + 10 * HOUR, ticket_id="t1")


def test_the_ledger_holds_both_versions() -> None:
    """
    ticket     created 10:00 ──────── 11:00 ── 11:07:30 ──── 11:30
    policy     a: 2h                  b: 1h30m
    ledger     activated a 2h         retargeted b           breached b
                                               at risk b (75 % of 90 min)
    """
    run = Run(versions([policy("a")]))
    run.feed([CREATED])
    run.restart(versions([policy("a"), policy("b", "2026-10-12T11:00:00Z", "90m")]))
    run.finish()
    found = [
        (row["transition"], format_instant(row["at"])[11:19], row["policy_version"], row["target_ms"] // 60_000)
        for row in ledger_of(run.standing.values())
    ]
    assert found == [
        ("activated", "10:00:00", "a", 120),
        ("retargeted", "11:00:00", "b", 90),
        ("at_risk", "11:07:30", "b", 90),
        ("breached", "11:30:00", "b", 90),
    ]


def test_calls_and_surveys_are_restated_too() -> None:
    call = {"call_id": "c1", "queue": "q"}
    answer = {"survey_id": "s1", "metric": "csat", "score": 4, "scale_min": 1, "scale_max": 7}
    log = [
        event("call.offered", MONDAY, **call),
        event("call.answered", MONDAY + 60_000, **call, wait_s=60),
        event("survey.responded", MONDAY + 120_000, **answer),
    ]
    texts = [versions([policy("a") + section]) for section in SECTIONS]

    def counts(given: Policies) -> dict[str, int]:
        run = Run(texts[0])
        run.feed(log)
        run.restart(given, restate=True)
        run.finish()
        expect(run, log, given)
        rows = (row.counts for row in run.standing.values() if isinstance(row, FactRow))
        return {name: number for row in rows for name, number in row.items()}

    assert counts(texts[0])["negative"] == 1
    assert "answered_in_target" not in counts(texts[0])
    assert counts(texts[1])["answered_in_target"] == counts(texts[1])["positive"] == 1


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (
            [policy("a"), policy("b", "2026-10-12T09:00:00Z")],
            r"version b \(1.toml\) takes effect in the past, from 2026",
        ),
        ([policy("a", target="3h")], r"version a \(0.toml\), in force up to now, was changed"),
        ([policy("b")], "version a, in force up to now, is gone"),
    ],
)
def test_another_past_is_refused_in_one_sentence(texts: list[str], says: str) -> None:
    run = Run(versions([policy("a")]))
    run.feed([CREATED])
    with pytest.raises(PolicyRefused, match=says) as refused:
        run.restart(Policies([parse(text, f"{n}.toml") for n, text in enumerate(texts)]))
    assert "partition 0 has come to 2026-10-12T10:00:00.000Z: let it take effect later" in str(refused.value)
    assert "--restate" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_version_that_was_followed_may_not_be_put_off() -> None:
    texts = [policy("a"), policy("b", "2026-10-12T10:00:00Z", "90m")]
    run = Run(versions(texts))
    run.feed([CREATED])
    with pytest.raises(PolicyRefused, match="version b, in force up to now, takes effect later"):
        run.restart(versions([texts[0], policy("b", "2026-10-12T12:00:00Z", "90m")]))


def test_other_days_are_refused_even_as_a_restatement() -> None:
    run = Run(versions([policy("a")]))
    run.feed([CREATED])
    with pytest.raises(PolicyRefused, match="another timezone"):
        run.restart(versions([policy("a").replace('"UTC"', '"Asia/Shanghai"')]), restate=True)


def test_comments_and_goals_change_nothing() -> None:
    run = Run(versions([policy("a")]))
    run.feed([CREATED])
    other = versions(["# ours\n" + policy("a", more="[goals]\ncsat = { goal = 0.9 }")])
    run.restart(other)
    assert run.desk.policy.followed is other


def test_a_checkpoint_of_the_first_format_is_read() -> None:
    """It had no policy in it, and a shorter head; its rules are those of the first release."""
    run = Run(versions([policy("a")]))
    run.feed([CREATED])
    run.snapshot()
    head = msgspec.msgpack.decode(run.changelog[b"h"] or b"")
    old = {key: value for key, value in run.changelog.items() if key[:1] != b"v"}
    old[b"h"] = msgspec.msgpack.encode(head[:7])
    run.desk = restarted(old, versions([policy("a")]))
    said = run.desk.said_rows()
    assert said is not None
    for output in run.written:
        if output.topic in said.topics:
            said.load(output.value)
    said.finish(None)
    run.finish()
    del run.standing["restatement", "track", 0, RULES]
    expect(run, [CREATED], versions([policy("a")]))
    assert msgspec.msgpack.decode(run.changelog[b"h"] or b"", type=SnapshotHeader).format == FORMAT


def test_a_checkpoint_of_a_newer_release_is_refused_in_one_sentence() -> None:
    run = Run(versions([policy("a")]))
    run.feed([CREATED])
    run.snapshot()
    head = msgspec.msgpack.decode(run.changelog[b"h"] or b"")
    head[3], head[7] = "another type", FORMAT + 1
    newer = {**run.changelog, b"h": msgspec.msgpack.encode(head), b"?new": b"an entry of its own"}
    with pytest.raises(CheckpointRefused, match="written by a newer release") as refused:
        restarted(newer, versions([policy("a")]))
    assert "\n" not in str(refused.value)
