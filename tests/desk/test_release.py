"""A release with other rules takes a desk over: its rows become those of a fold by these rules from the start.

rules 1      said: t1 ledger, facts, the ticket as it stands       some other rows than those of this release
             checkpoint ──┐ panes: the sums of the facts said
rules 2                   └─ reads back, walks t1 t2 ..., stopped half-way and taken over ──> the rows of a fresh fold
"""

from functools import partial
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.customers import partition as customers
from streams.desk.customers.partition import Customers
from streams.desk.output import release, said_rows
from streams.desk.output.change_set import ChangeSet, apply_diff
from streams.desk.policy.versions import Policies
from streams.desk.saved import HEADER
from streams.desk.stage import StageHeader
from streams.desk.track.held_rows import names_of
from streams.desk.track.partition import Desk
from streams.desk.track.snapshot_header import SnapshotHeader
from streams.desk.track.subject import NoEventAnyMore
from streams.models import messages
from streams.models.customer_facts import CustomerFact
from streams.models.entities import CallLegRow, CallRow, CustomerRow, ReviewRow, SurveyRow, TicketRow
from streams.models.instants import DAY, format_instant
from streams.models.restatements import RULES, FormerSubjectRow, RestatementRow
from streams.models.rows import FactRow, Identity, LedgerRow, PaneRow, ProgressRow, Row, WarningRow
from streams.models.topics import FACTS
from tests.desk.compare import decoded, record
from tests.desk.customer_logs import AS_OF as CUSTOMERS_AS_OF
from tests.desk.customer_logs import logs as customer_logs
from tests.desk.customer_logs import policies as customer_policies
from tests.desk.laws import AS_OF, versions
from tests.desk.logs import MONDAY, lines, logs, policies
from tests.desk.pipeline import Part, Pipeline, rows_in, run
from tests.desk.test_signal_laws import signal_logs

POLICY = ['version = "v1"\ntimezone = "UTC"']
NOT_FOLDED = (PaneRow, ProgressRow, RestatementRow, FormerSubjectRow)
Rows = dict[Identity, Any]


def by_former_rules(part: Part, rules: int = 1) -> None:
    """The checkpoint is one of another release."""
    kind: Any = SnapshotHeader if isinstance(part.state, Desk) else StageHeader
    header = msgspec.msgpack.decode(part.changelog[HEADER] or b"", type=kind)
    assert header.rules == RULES
    part.changelog[HEADER] = msgspec.msgpack.encode(msgspec.structs.replace(header, rules=rules))


def altered(row: Any, random: Random) -> Any:
    """A row as other rules might have written it, under the same identity."""
    match row:
        case LedgerRow():
            return msgspec.structs.replace(row, by_agent="", elapsed_ms=row.elapsed_ms + 1)
        case FactRow():
            return msgspec.structs.replace(row, team="Z", counts={**row.counts, "replied": random.randint(0, 3)})
        case TicketRow() | CallRow() | SurveyRow() | CustomerRow():
            return msgspec.structs.replace(row, segment="former")
        case WarningRow():
            return msgspec.structs.replace(row, severity="info")
    return row


def another(row: Any) -> Any:
    """A row beside it that these rules do not write."""
    match row:
        case LedgerRow():
            return msgspec.structs.replace(row, seq=row.seq + 100)
        case FactRow() if row.family != "survey":
            return msgspec.structs.replace(row, counter="former", counts={"replied": 2})
        case WarningRow():
            return msgspec.structs.replace(row, warning_id=row.warning_id + "x")
    return None


def by_id_alone(row: Any) -> Any:
    """A row of a survey or review as the rules 1 wrote it: its subject does not tell a ticket from a call."""
    if isinstance(row, SurveyRow | ReviewRow) or (isinstance(row, FactRow) and row.family in ("survey", "review")):
        return msgspec.structs.replace(row, subject=row.subject.partition("/")[2])
    return row


def former_rows(rows: Rows, random: Random, share: float) -> Rows:
    """The rows that stand, some of them altered, some left out, and others added."""
    made: Rows = {}
    for row in map(by_id_alone, rows.values()) if share else rows.values():
        chance = random.random()
        if chance >= share / 3:
            kept = altered(row, random) if chance < share else msgspec.structs.replace(row)
            made[kept.identity()] = kept
        if random.random() < share / 3 and (more := another(row)) is not None:
            made[more.identity()] = more
    return made


def say_former_rows(pipeline: Pipeline, random: Random, share: float) -> None:
    """Let all partitions have written other rows, as of now, with panes that agree with them."""
    for n in range(pipeline.partitions):
        for part, source in ((pipeline.desks[n], "track"), (pipeline.customers[n], "customers")):
            pipeline.snapshot(part, n)
            rows = {row.identity(): row for row in said_by(pipeline, n, source)}
            change_set = part.state.stage.change_set if source == "customers" else part.state._parts.change_set
            apply_diff(change_set, rows, former_rows(rows, random, share))
            pipeline.snapshot(part, n)
            by_former_rules(part)


def publish_former_facts(pipeline: Pipeline, random: Random, share: float) -> None:
    """Let the desks have published other facts, which a desk's rows explain: the customers hold these."""
    for n, desk in enumerate(pipeline.desks):
        for row in list(said_by(pipeline, n, "track")):
            if not isinstance(row, TicketRow | CallRow) or random.random() >= share:
                continue
            subject = f"t{row.ticket_id}" if isinstance(row, TicketRow) else f"c{row.call_id}"
            former = msgspec.structs.replace(row, customer_id=random.choice(["anna", "bela", "carl", "dora"]))
            desk.state._parts.change_set.put(former)
            at = row.created_at if isinstance(row, TicketRow) else row.offered_at
            fact = CustomerFact(former.customer_id, subject, at, "tax", known_at=at or 0, held_until=1 << 50, version=1)
            home = pipeline.customers[pipeline.homes.of(former.customer_id)]
            home.changelog[f"f{fact.customer_id}\0{subject}".encode()] = msgspec.msgpack.encode(fact)
        pipeline.snapshot(desk, n)
        by_former_rules(desk)


def said_by(pipeline: Pipeline, n: int, source: str) -> list[Any]:
    """The rows that stand of one sender in one partition, by their messages."""
    standing: Rows = {}
    for output in pipeline.written[n]:
        if msgspec.json.decode(output.value)["source"] == f"/deskwatch/{source}":
            for row in rows_in(output.value):
                if row.identity() not in standing or row.version > standing[row.identity()].version:
                    standing[row.identity()] = row
    known = [row for row in standing.values() if not isinstance(row, NOT_FOLDED) and not row.is_deleted]
    return [msgspec.structs.replace(row, version=0) for row in known]


def take_over(
    pipeline: Pipeline, random: Random, given: Policies | None = None, others: bool = True
) -> list[RestatementRow]:
    """All are started again with this release (and this policy), stopped half-way, and go on.

    `others`: now and then by another release, after which this one begins anew.
    """
    for n in range(pipeline.partitions):
        for part, kind in ((pipeline.desks[n], Desk), (pipeline.customers[n], Customers)):
            if given is not None:
                new: Any = partial(Desk, wall=False) if kind is Desk else Customers
                part.new = partial(new, n, given, homes=pipeline.homes, restate=True)
            part.restore(1)
            while (state := part.state).said_rows() is not None or state.policy.followed is not state.policy.given:
                state.full = lambda: random.random() > 0.6
                state.advance(None)
                pipeline.snapshot(part, n)
                if random.random() < 0.3:
                    if others and random.random() < 0.2 and state.said_rows() is not None:
                        by_former_rules(part, RULES + 1)  # that release did not come to an end
                    part.restore(1)
                if random.random() < 0.2:
                    pipeline.send(*random.choice(pipeline.sent))  # by a fenced owner that wakes up late
            part.restore(1)  # with room again
    return [row for row in pipeline.rows.values() if isinstance(row, RestatementRow)]


def follow(pipeline: Pipeline, log: list[dict[str, Any]]) -> None:
    """A log in its order, each event followed by the time."""
    for event, raw in decoded(lines(log)):
        pipeline.come(event, raw)
        for n in range(pipeline.partitions):
            pipeline.feed_desk(n, 1 << 30)
            pipeline.advance_desk(n, event.at)
            pipeline.snapshot(pipeline.desks[n], n)
            pipeline.feed_customers(n, 1 << 30)


def check(
    log: list[dict[str, Any]],
    texts: list[str],
    at: int,
    as_of: int,
    random: Random,
    partitions: int = 1,
    share: float = 0.5,
    former: list[str] | None = None,
) -> list[RestatementRow]:
    """The rows are those of a fresh fold, whatever was said at event `at`; returns what the takeovers did."""
    expected = run(decoded(lines(log)), versions(texts), as_of)
    pipeline = Pipeline(versions(former or texts), partitions)
    limits = customers.BATCH_SIZE, said_rows.MAX_UNPACKED_BYTES, release.MAX_AT_ONCE
    try:
        customers.BATCH_SIZE, said_rows.MAX_UNPACKED_BYTES = 1, random.choice([0, 2000, 1 << 20])
        release.MAX_AT_ONCE = random.choice([1, 3, 1000])
        follow(pipeline, log[:at])
        say_former_rows(pipeline, random, share)
        publish_former_facts(pipeline, random, share)
        found = take_over(pipeline, random, None if former is None else versions(texts))
    finally:
        customers.BATCH_SIZE, said_rows.MAX_UNPACKED_BYTES, release.MAX_AT_ONCE = limits
    follow(pipeline, log[at:])
    pipeline.finish(as_of)
    assert pipeline.standing() == expected.standing()
    assert pipeline.sums() == expected.sums()
    assert [(row.rules_from, row.rules_to) for row in found] == [(1, RULES)] * 2 * partitions
    return found


RANDOM = st.randoms(use_true_random=False)


@settings(max_examples=120, deadline=None)
@given(logs(), policies(), st.integers(0, 30), RANDOM)
def test_tickets_calls_and_surveys_get_the_rows_of_these_rules(
    log: list[dict[str, Any]], texts: list[str], at: int, random: Random
) -> None:
    check(log, texts, at, AS_OF, random)


@settings(max_examples=80, deadline=None)
@given(signal_logs(), st.integers(0, 30), RANDOM)
def test_callbacks_actions_and_agents_get_the_rows_of_these_rules(
    log: list[dict[str, Any]], at: int, random: Random
) -> None:
    check(log, POLICY, at, AS_OF, random)


@settings(max_examples=100, deadline=None)
@given(customer_logs(), customer_policies(), st.integers(0, 30), RANDOM, st.integers(1, 3))
def test_customers_get_the_rows_of_these_rules(
    log: list[dict[str, Any]], texts: list[str], at: int, random: Random, partitions: int
) -> None:
    check(log, texts, at, CUSTOMERS_AS_OF, random, partitions)


@settings(max_examples=80, deadline=None)
@given(logs(), policies(), policies(), st.integers(0, 30), RANDOM)
def test_another_policy_may_come_with_the_release(
    log: list[dict[str, Any]], former: list[str], texts: list[str], at: int, random: Random
) -> None:
    """First all subjects under the policy that they follow, then all under the new one."""
    check(log, texts, at, AS_OF, random, former=former)


@settings(max_examples=80, deadline=None)
@given(st.one_of(logs(), customer_logs(), signal_logs()), customer_policies(), RANDOM)
def test_rows_that_are_the_same_by_both_rules_are_not_written_again(
    log: list[dict[str, Any]], texts: list[str], random: Random
) -> None:
    for row in check(log, texts, len(log), CUSTOMERS_AS_OF, random, 2, 0.0):
        assert (row.corrected, row.withdrawn, row.added, row.kept) == (0, 0, 0, 0)


def event(n: int, name: str, day: float, **data: Any) -> dict[str, Any]:
    head = {"specversion": "1.0", "id": f"e{n}", "source": "test", "type": name}
    return {**head, "time": format_instant(MONDAY + round(day * DAY)), "data": data}


SHORT_HOLD = [POLICY[0] + '\n[windows]\nhold = "3d"\n']
OLD_AND_NEW = [  # t1 was released, t2 is held
    event(0, "ticket.created", 0, ticket_id="t1", customer_id="anna", team="A"),
    event(1, "ticket.status_changed", 0.5, ticket_id="t1", status="solved"),
    event(2, "ticket.created", 10, ticket_id="t2", customer_id="bela", team="A"),
]


FORGOTTEN = [  # Anna comes back after her history was over; Bob's first states are forgotten
    event(0, "ticket.created", 0, ticket_id="t1", customer_id="anna", kind="complaint", severity="critical"),
    event(1, "ticket.status_changed", 0.5, ticket_id="t1", status="solved"),
    *(
        event(2 + n, "agent.state_changed", day, agent_id="bob", state=state)
        for n, (day, state) in enumerate([(0, "available"), (0.1, "break"), (3, "available"), (20, "meal")])
    ),
    *(event(10 + n, "ticket.created", n, ticket_id=f"o{n}") for n in range(1, 20)),
    event(40, "ticket.created", 20, ticket_id="t2", customer_id="anna", kind="complaint", severity="critical"),
]
EARLY = 'raise_at = 30\nclear_at = 25\ncomplaint = { points = 25, half_life = "3d", cap = 50 }\n'
EARLY += 'severity = { points = 20, half_life = "3d", cap = 40 }\n'


def test_what_was_forgotten_keeps_its_rows() -> None:
    """
    anna   t1, warned, solved │ forgotten │ t2, warned          bob   available, break │ forgotten │ meal
    """
    texts = [SHORT_HOLD[0] + '[agents]\nlimits.break = "1h"\n[risk_index]\n' + EARLY]
    pipeline = Pipeline(versions(texts), 1)
    follow(pipeline, FORGOTTEN)
    say_former_rows(pipeline, Random(1), 0.0)
    before, sums = pipeline.standing(), pipeline.sums()
    assert sorted(
        row.subject for row in before.values() if isinstance(row, WarningRow) and row.raised_at < MONDAY + DAY
    ) == ["agent/bob", "customer/anna"]
    assert any(isinstance(row, FactRow) and row.counter == "fcr" for row in before.values())
    assert pipeline.desks[0].state.subjects.cache.get("gbob").numbers is not None
    for row in take_over(pipeline, Random(2)):
        assert (row.corrected, row.withdrawn, row.added) == (0, 0, 0)
    assert (pipeline.standing(), pipeline.sums()) == (before, sums)


def test_released_subjects_keep_their_rows_and_are_named() -> None:
    expected = run(decoded(lines(OLD_AND_NEW)), versions(SHORT_HOLD), MONDAY + 10 * DAY).standing()
    pipeline = Pipeline(versions(SHORT_HOLD), 1)
    follow(pipeline, OLD_AND_NEW)
    say_former_rows(pipeline, Random(1), 0.0)
    rows = [row for row in said_by(pipeline, 0, "track") if isinstance(row, TicketRow)]
    for row in rows:
        pipeline.desks[0].state._parts.change_set.put(msgspec.structs.replace(row, segment="former"))
    pipeline.snapshot(pipeline.desks[0], 0)
    by_former_rules(pipeline.desks[0])
    (track, _) = sorted(take_over(pipeline, Random(2)), key=lambda row: row.stage, reverse=True)
    assert (track.subjects, track.corrected, track.kept, track.as_of) == (1, 1, 1, MONDAY + 10 * DAY)
    standing = pipeline.standing()
    assert standing["standing", "t1"].segment == "former"  # type: ignore[attr-defined]
    assert standing["standing", "t2"] == expected["standing", "t2"]
    assert [row.name for row in pipeline.rows.values() if isinstance(row, FormerSubjectRow)] == ["tt1"]


def test_a_subject_older_than_the_topics_keeps_its_rows() -> None:
    """
    topics                |── kept a year ──>
    t1      created ──────┼──── its first rows are not there any more
    t2                    |   created
    """
    log = [
        event(0, "ticket.created", 0, ticket_id="t1", team="A"),
        event(1, "ticket.created", 2, ticket_id="t2", team="A"),
    ]
    pipeline = Pipeline(versions(POLICY), 1)
    follow(pipeline, log)
    say_former_rows(pipeline, Random(1), 1.0)
    before = pipeline.standing()
    pipeline.desks[0].since = MONDAY + DAY
    take_over(pipeline, Random(2))
    after, expected = pipeline.standing(), run(decoded(lines(log)), versions(POLICY), MONDAY + 2 * DAY).standing()
    assert {key: row for key, row in after.items() if "t1" in key} == {
        key: row for key, row in before.items() if "t1" in key
    }
    assert {key: row for key, row in after.items() if "t2" in key} == {
        key: row for key, row in expected.items() if "t2" in key
    }
    assert [row.name for row in pipeline.rows.values() if isinstance(row, FormerSubjectRow)] == ["tt1"]


CREATED = [event(n, "ticket.created", 0, ticket_id=f"t{n}", team="A") for n in range(4)]
CLOSED = event(9, "desk.closed", 1, calendar="office", **{"from": "2026-10-14T09:00:00Z", "to": "2026-10-14T10:00:00Z"})


def test_a_closure_that_was_being_applied_is_applied_to_its_end() -> None:
    """
    closure        t0 t1 │ checkpoint │ t2 t3
    restatement          └ t0 t1 under the closure, t2 t3 without it ──> then the closure goes on
    """
    texts = [OFFICE_CLOCK]
    pipeline = Pipeline(versions(texts), 1)
    follow(pipeline, CREATED)
    desk = pipeline.desks[0]
    steps = iter([False, False])
    desk.state.full = lambda: next(steps, True)
    ((closed, raw),) = decoded(lines([CLOSED]))
    pipeline.come(closed, raw)
    assert desk.state.feed("signals", [record(raw, "signals")], 0) == 0
    pipeline.snapshot(desk, 0)
    assert desk.state._parts.closures.under_way is not None
    say_former_rows(pipeline, Random(1), 0.5)
    take_over(pipeline, Random(2))
    pipeline.finish(MONDAY + 4 * DAY)
    expected = run(decoded(lines([*CREATED, CLOSED])), versions(texts), MONDAY + 4 * DAY)
    assert pipeline.standing() == expected.standing()
    assert pipeline.sums() == expected.sums()


OFFICE_CLOCK = """
version = "v1"
timezone = "UTC"
[calendars.office]
timezone = "UTC"
[calendars.office.hours]
wed = ["08:00-18:00"]
[[sla]]
name = "all"
calendar = "office"
resolution = "3h"
"""


def merged_into_itself(pipeline: Pipeline) -> None:
    """A stored event that this release refuses: t1's second, and the only one of t8, each with its row."""
    desk = pipeline.desks[0]
    for ticket, number in (("t1", 1), ("t8", 0)):
        merge = event(20, "ticket.merged", 0.5, ticket_id=ticket, into=ticket)
        desk.changelog[f"t{ticket}\0{number}".encode()] = msgspec.json.encode(merge)
        row = next(row for row in said_by(pipeline, 0, "track") if isinstance(row, TicketRow))
        desk.state._parts.change_set.put(msgspec.structs.replace(row, ticket_id=ticket, merged_into=ticket))
    pipeline.snapshot(desk, 0)


def test_a_stored_event_that_is_none_any_more_is_dropped() -> None:
    expected = run(decoded(lines(CREATED)), versions(POLICY), MONDAY + DAY)
    for seed in range(20):
        pipeline = Pipeline(versions(POLICY), 1)
        follow(pipeline, CREATED)
        merged_into_itself(pipeline)
        by_former_rules(pipeline.desks[0])
        (track,) = take_over(pipeline, Random(seed), others=False)
        assert track.refused == 2
        assert {key for key in pipeline.desks[0].changelog if pipeline.desks[0].changelog[key] is not None} == {
            key for key in expected.desks[0].changelog if expected.desks[0].changelog[key] is not None
        }
        pipeline.finish(MONDAY + DAY)
        assert pipeline.standing() == expected.standing()
        assert pipeline.sums() == expected.sums()


def test_by_the_same_rules_no_stored_event_is_refused() -> None:
    pipeline = Pipeline(versions(POLICY), 1)
    follow(pipeline, CREATED)
    merged_into_itself(pipeline)
    with pytest.raises(NoEventAnyMore, match="merged into itself"):
        pipeline.desks[0].restore(1)


ANSWER = {"metric": "csat", "score": 2, "scale_min": 1, "scale_max": 5, "customer_id": "anna"}
SAME_ID = [  # a ticket, a call and a survey, all of them x
    event(0, "ticket.created", 0, ticket_id="x"),
    event(1, "call.offered", 0, call_id="x"),
    event(2, "survey.responded", 0.1, survey_id="x", ticket_id="x", **ANSWER),
    event(3, "survey.responded", 0.2, survey_id="x", call_id="x", **ANSWER),
    event(4, "survey.responded", 0.3, survey_id="x", **ANSWER),
    event(5, "review.completed", 0.4, review_id="x", ticket_id="x", passed=True),
    event(6, "review.completed", 0.5, review_id="x", call_id="x", passed=False),
]


def test_surveys_about_a_ticket_and_a_call_of_one_id_are_told_apart() -> None:
    for seed in range(10):
        check(SAME_ID, POLICY, 5, MONDAY + DAY, Random(seed))


def test_only_rows_of_what_is_walked_are_kept_and_only_until_the_end() -> None:
    """
    said c1 c2      held c1      c2 is not kept      at the end, nothing is
    """
    legs: list[Row] = [CallLegRow(call_id, 1, "q", "A", "ann", 0, 1, 1, 0, 0) for call_id in ("c1", "c2")]
    said = said_rows.SaidRows((FACTS,), messages.SOURCE, names_of, lambda name: walk.is_pending(name))
    walk = release.ReleaseRestatement("track", 0, said, ChangeSet(), release.silently)
    walk.restore(RULES - 1, None)
    walk.begin(["cc1"])
    for output in messages.messages(0, 1, legs):
        said.load(output.value)
    said.finish(None)
    assert said.take("cc2") == {}
    assert walk.go_on(lambda _name: None, lambda: False, 0)  # nobody takes the rows of c1
    assert said.take("cc1") == {}
