"""On some simulated days, the views agree with one another, with the core, and with brute force.

DESKWATCH_TEST_LOG names a recorded log (JSON lines, .gz too) to be checked the same way.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams import policies as policy_files
from streams.desk.policy.versions import Policies
from streams.desk.tickets.ticket import Ticket
from streams.desk.track.partition import Desk
from streams.models.instants import MINUTE
from streams.models.topics import INPUTS
from streams.replay.log import place, read
from streams.simulator import World, encode, events, instant
from streams.simulator.kernel import DAY
from tests.sinks.desk import Database, Record

pytestmark = pytest.mark.embedded

RECORDED = os.environ.get("DESKWATCH_TEST_LOG")


def lines() -> list[bytes]:
    if RECORDED:
        return list(read([Path(RECORDED)]))
    start = instant("2026-10-12T00:00:00+08:00")
    return [encode(one) for one in events(World(seed=3, start=start, end=start + 3 * DAY, agents=20))]


@pytest.fixture(scope="module")
def given() -> Policies:
    return policy_files.load(policy_files.DEFAULT)


@pytest.fixture(scope="module")
def log() -> list[bytes]:
    return lines()


@pytest.fixture(scope="module")
def folded(new_database: Callable[[], Database], log: list[bytes], given: Policies) -> Database:
    return new_database().fold(log, given=given)


COUNTERS = ("created", "replied", "solved", "closed", "reopened", "resolution_met", "resolution_breached")


def test_live_windows_are_the_sums_of_the_facts(folded: Database) -> None:
    for dimension in ("team", "channel", "priority", "kind", "segment", "category", "product"):
        sums = ", ".join(f"sum({name}) AS sum_{name}" for name in COUNTERS)
        some = " OR ".join(f"sum_{name} != 0" for name in COUNTERS)
        windows = f"SELECT minute, value, {sums} FROM window_minutes WHERE dimension = '{dimension}' GROUP BY ALL"
        facts = f"SELECT minute, {dimension} AS value, {sums} FROM ticket_minutes GROUP BY ALL"
        pair = (f"SELECT * FROM ({query}) WHERE {some}" for query in (windows, facts))
        assert folded.rows("({}) EXCEPT ALL ({})".format(*pair)) == [], dimension
        assert folded.one(f"SELECT count() FROM ({facts}) WHERE {some}") == folded.one(
            f"SELECT count() FROM ({windows}) WHERE {some}"
        )


def test_live_queues_are_the_sums_of_the_calls(folded: Database) -> None:
    columns = (
        "sum(offered), sum(answered), sum(answered_in_target), sum(abandoned), sum(wait_s), sum(talk_s), sum(ended)"
    )
    live = f"SELECT minute, value, {columns} FROM window_minutes WHERE dimension = 'queue' GROUP BY ALL"
    facts = f"SELECT minute, queue, {columns} FROM call_minutes GROUP BY ALL"
    assert folded.one(f"SELECT count() FROM ({live})") > 0
    for one, other in ((live, facts), (facts, live)):
        assert folded.rows(f"{one} EXCEPT ALL {other}") == []


def test_outcomes_are_the_sums_of_the_minutes(folded: Database) -> None:
    """SPEC section 4: resolution_met is the number of cycles met, resolution_breached of those breached or late."""
    for metric in ("first_response", "next_response", "resolution"):
        counted = folded.one(
            f"SELECT sum({metric}_met), sum({metric}_breached), sum({metric}_late), sum({metric}_cancelled)"
            " FROM ticket_minutes"
        )
        standing = folded.one(
            "SELECT countIf(outcome = 'met'), countIf(outcome IN ('breached', 'late')), countIf(outcome = 'late'),"
            f" countIf(outcome = 'cancelled') FROM sla_outcomes WHERE metric = '{metric}'"
        )
        assert counted == standing, metric


@pytest.fixture(scope="module")
def desk(log: list[bytes], given: Policies) -> Desk:
    """The core itself, having seen the same log to the same end."""
    desk, latest = Desk(0, given, wall=False), -1
    for value in log:
        line = place(value)
        desk.feed(line.topic, [Record(value, line.topic)], 0)
        latest = latest if line.event is None else max(latest, line.event.at)
    for topic in INPUTS:
        desk.watermarks.advance(topic, latest)
    while desk.business_time < latest:
        desk.advance(None)
        desk.snapshot(1, {})
    return desk


def test_each_clock_stands_as_in_the_core(folded: Database, desk: Desk) -> None:
    expected: dict[tuple[str, str, int], tuple[Any, ...]] = {}
    for subject in desk.subjects.cache.all():
        if isinstance(subject.state, Ticket):
            for clock in subject.state.clocks.all:
                if clock.seq:
                    elapsed = clock.elapsed_at(desk.business_time)
                    key = subject.id, clock.metric, clock.cycle
                    expected[key] = clock.outcome(), elapsed, clock.target_ms, clock.due_at, clock.exempted
    rows = folded.rows(
        "SELECT ticket_id, metric, cycle, outcome, toInt64(elapsed_s * 1000), toInt64(target_s * 1000),"
        " toUnixTimestamp64Milli(due_at), exempted = 1 FROM sla_outcomes"
    )
    found = {row[:3]: row[3:] for row in rows}
    assert found.keys() == expected.keys()
    differing = {key: (found[key], expected[key]) for key in found if found[key] != expected[key]}
    assert differing == {}


def test_the_backlog_equals_brute_force(folded: Database) -> None:
    """Each stretch of a team is looked at for each minute of the team in which one began or ended."""
    spans = folded.rows("SELECT team, family, opened_at, from_at, to_at, at_risk, breached FROM span_rows FINAL")
    as_of = folded.one("SELECT min(as_of) FROM progress_rows FINAL WHERE topic_name = 'facts'")
    by_team: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for team, *span in spans:
        by_team[team].append(tuple(span))
    minutes = folded.rows(
        "SELECT team, toUnixTimestamp(minute), open, at_risk, breached_open, toInt64(oldest_s * 1000), waiting_calls,"
        " toInt64(longest_wait_s * 1000) FROM backlog_minutes ORDER BY minute, team"
    )
    assert minutes
    step = max(1, len(minutes) // 3000)
    for team, minute, *gauges in minutes[::step]:
        end = minute * 1000 + MINUTE
        here = [span for span in by_team[team] if span[2] < end and (span[3] is None or span[3] >= end)]
        tickets, calls = ([span for span in here if span[0] == family] for family in ("ticket", "call"))
        assert gauges == [
            len(tickets),
            sum(span[4] for span in tickets),
            sum(span[5] for span in tickets),
            end - min((span[1] for span in tickets), default=end),
            len(calls),
            end - min((span[1] for span in calls), default=end),
        ], (team, minute)
    changed = {
        (team, at - at % MINUTE)
        for team, of_team in by_team.items()
        for _, _, begins, ends, *_ in of_team
        if begins // MINUTE != (as_of if ends is None else ends) // MINUTE
        for at in (begins, as_of if ends is None else ends)
        if at // MINUTE < as_of // MINUTE
    }
    assert {(team, minute * 1000) for team, minute, *_ in minutes} == changed


def test_every_event_is_stored(folded: Database, log: list[bytes]) -> None:
    kinds = Counter(event.source + event.id for value in log if (event := place(value).event) is not None)
    assert folded.one("SELECT count() FROM events") == len(kinds)
