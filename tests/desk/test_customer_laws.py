"""The laws of the stage customers: only the events, the policy and the time matter."""

import tomllib
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.desk.customers import partition as customers
from streams.desk.policy.versions import Policies
from streams.models.entities import CustomerRow
from streams.models.rows import FactRow, WarningRow
from tests.desk.compare import decoded, minutes_of
from tests.desk.customer_logs import AS_OF, logs, policies
from tests.desk.laws import versions
from tests.desk.logs import lines
from tests.desk.pipeline import Pipeline, run
from tests.naive.fold import TICKET_COUNTERS, fold


def _event(n: int, kind: str, time: str, **data: str | int) -> dict[str, Any]:
    instant = f"2026-10-12T{time}:00Z"
    return {"specversion": "1.0", "id": f"e{n}", "source": "test", "type": kind, "time": instant, "data": data}


OFFERED_TWICE = [  # the second offer is none: Anna did not call
    _event(0, "ticket.created", "00:00", ticket_id="t1", customer_id="anna"),
    _event(1, "ticket.status_changed", "01:00", ticket_id="t1", status="solved"),
    _event(2, "call.offered", "06:00", call_id="c1"),
    _event(3, "call.offered", "06:00", call_id="c1", customer_id="anna"),
]
ENDED_AFTER_ALL = [  # the call was given up, so its end counts for nothing; but it names the customer
    _event(0, "ticket.created", "00:00", ticket_id="t1", customer_id="anna"),
    _event(1, "ticket.status_changed", "01:00", ticket_id="t1", status="solved"),
    _event(2, "call.offered", "06:00", call_id="c1", customer_id="anna"),
    _event(3, "call.abandoned", "06:01", call_id="c1", wait_s=60),
    _event(4, "call.ended", "06:02", call_id="c1", talk_s=60, customer_id="bela"),
]


@settings(max_examples=150, deadline=None)
@given(logs(), policies())
@example(ENDED_AFTER_ALL, ['version = "v"\ntimezone = "UTC"'])
@example(OFFERED_TWICE, ['version = "v"\ntimezone = "UTC"'])
def test_first_contact_resolution_is_what_the_naive_fold_says(log: list[dict[str, Any]], texts: list[str]) -> None:
    rows = run(decoded(lines(log)), versions(texts), AS_OF).standing().values()
    naive = fold(log, [tomllib.loads(text) for text in texts], AS_OF)["ticket_minutes"]
    found = minutes_of(rows, "ticket_minutes")
    assert "fcr_yes" in TICKET_COUNTERS
    assert found == naive


@settings(max_examples=150, deadline=None)
@given(logs(), policies(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_repetition_cuts_restores_and_partitions_change_nothing(
    log: list[dict[str, Any]], texts: list[str], random: Random, partitions: int
) -> None:
    expected = run(decoded(lines(log)), versions(texts), AS_OF)
    shuffled = decoded(lines(log)) * 2
    random.shuffle(shuffled)
    pipeline = Pipeline(versions(texts), partitions)
    for event, raw in shuffled:
        pipeline.come(event, raw)
        for _ in range(random.randint(0, 4)):
            pipeline.wander(random, event.at)
    pipeline.finish(AS_OF)
    assert pipeline.standing() == expected.standing()
    assert pipeline.sums() == expected.sums()
    assert pipeline.seen_all()
    assert {part.state.business_time for part in pipeline.customers} == {AS_OF}


@settings(max_examples=120, deadline=None)
@given(logs(), policies(), policies(), st.integers(0, 40), st.randoms(use_true_random=False), st.integers(1, 3))
def test_a_restated_policy_is_as_if_it_had_been_there_from_the_start(
    log: list[dict[str, Any]], former: list[str], texts: list[str], at: int, random: Random, partitions: int
) -> None:
    expected = run(decoded(lines(log)), versions(texts), AS_OF)
    pipeline = Pipeline(versions(former), partitions)
    batch = customers.BATCH_SIZE
    try:
        customers.BATCH_SIZE = 1
        for k, (event, raw) in enumerate(decoded(lines(log))):
            if k == at:
                pipeline.restate(versions(texts), random)
            pipeline.come(event, raw)
            for n in range(partitions):
                pipeline.feed_desk(n, 1 << 30)
                pipeline.advance_desk(n, event.at)
                pipeline.snapshot(pipeline.desks[n], n)
                if random.random() < 0.7:
                    pipeline.feed_customers(n, 1 << 30)
        if at >= len(log):
            pipeline.finish(AS_OF).restate(versions(texts), random)
    finally:
        customers.BATCH_SIZE = batch
    pipeline.finish(AS_OF)
    assert pipeline.standing() == expected.standing()
    assert pipeline.sums() == expected.sums()


@settings(max_examples=80, deadline=None)
@given(logs(), policies("3d"), st.randoms(use_true_random=False), st.integers(1, 3))
def test_a_customer_that_was_forgotten_begins_anew(
    log: list[dict[str, Any]], texts: list[str], random: Random, partitions: int
) -> None:
    """In order, with short holds: whether a customer was forgotten meanwhile makes no difference.

    Without links: one that comes after a customer was forgotten does not bring the facts back.
    """
    log, found = [event for event in log if event["type"] != "customer.linked"], []
    for share in (0.0, 0.5, 0.9):  # of the instants at which the stage is fed; and now and then restored
        pipeline = Pipeline(versions(texts), partitions)
        for event, raw in decoded(lines(log)):
            pipeline.come(event, raw)
            for n in range(partitions):
                pipeline.feed_desk(n, 1 << 30)
                pipeline.advance_desk(n, event.at)
                pipeline.snapshot(pipeline.desks[n], n)
                if random.random() < share:
                    pipeline.feed_customers(n, 1 << 30)
                    pipeline.snapshot(pipeline.customers[n], n)
                    if random.random() < share / 4:
                        pipeline.customers[n].restore(1)
        found.append(pipeline.finish(AS_OF))
    assert found[0].standing() == found[1].standing() == found[2].standing()
    assert found[0].sums() == found[1].sums() == found[2].sums()


@settings(max_examples=150, deadline=None)
@given(logs(least=10), policies())
def test_warnings_never_flap_and_indexes_are_bounded(log: list[dict[str, Any]], texts: list[str]) -> None:
    given_policies = versions(texts)
    rows = run(decoded(lines(log)), given_policies, AS_OF).standing().values()
    by_customer: dict[str, list[WarningRow]] = {}
    for row in rows:
        if isinstance(row, WarningRow) and row.rule == "complaint.risk":
            by_customer.setdefault(row.customer_id, []).append(row)
            policy = given_policies.at(row.raised_at)
            assert policy.risk_index.raise_at <= row.measures["value"] <= 100 or row.state != "raised"
            assert row.severity == "critical"
            assert all(lowered_by and not lowered_by.startswith("lower_") for _, _, lowered_by in row.reasons)
        if isinstance(row, CustomerRow):
            assert all(0 <= points <= 50 for _, points, _, _ in row.signals)
    for warnings in by_customer.values():
        warnings.sort(key=lambda row: row.raised_at)
        for row in warnings:
            if row.cleared_at is not None:
                assert row.cleared_at - row.raised_at >= _cooldown(given_policies, row.cleared_at)
        for earlier, later in pairwise(warnings):
            assert earlier.cleared_at is not None
            assert later.raised_at - earlier.cleared_at >= _cooldown(given_policies, earlier.cleared_at)


def _cooldown(given_policies: Policies, at: int) -> int:
    (rule,) = given_policies.at(at).rules
    return rule.cooldown_ms


def test_the_harness_sees_what_differs() -> None:
    """A pipeline that lost a link would fail the law: its rows are others."""
    head = {"specversion": "1.0", "source": "t"}
    created = {
        **head,
        "id": "1",
        "type": "ticket.created",
        "time": "2026-10-12T00:00:00Z",
        "data": {"ticket_id": "t1", "customer_id": "bela"},
    }
    linked = {**head, "id": "2", "type": "customer.linked", "time": "2026-10-12T00:00:00Z",
              "data": {"customer_id": "bela", "other_id": "anna"}}  # fmt: skip
    policy = versions(['version = "1"\ntimezone = "UTC"'])
    alone, joined = (
        [row for row in run(decoded(map(msgspec.json.encode, log)), policy, AS_OF, 3).standing().values()
         if isinstance(row, CustomerRow | FactRow)] for log in ([created], [created, linked])
    )  # fmt: skip
    assert [row.customer_id for row in alone if isinstance(row, CustomerRow)] == ["bela"]
    assert [row.customer_id for row in joined if isinstance(row, CustomerRow)] == ["anna"]


RISKY = 'version = "v"\ntimezone = "UTC"\n[risk_index]\n' + "\n".join(
    f'{name} = {{ points = 20, half_life = "14d", cap = 60 }}' for name in ("low_survey", "negative_sentiment")
)


def test_an_event_is_one_of_its_ticket_only() -> None:
    """Two answers and two scores about two tickets have one id: each names the customer, and counts."""
    log = []
    for ticket_id in ("t1", "t2"):
        about: dict[str, str | int] = {"ticket_id": ticket_id, "customer_id": "anna"}
        answer: dict[str, str | int] = {"survey_id": "s", "metric": "csat", "score": 1, "scale_min": 1, "scale_max": 5}
        log.append(_event(1, "survey.responded", "01:00", **about, **answer))
        log.append({**_event(2, "sentiment.scored", "02:00"), "data": {**about, "score": -0.5}})
    for partitions in (1, 2):
        rows = run(decoded(lines(log)), versions([RISKY]), AS_OF, partitions=partitions).standing().values()
        (anna,) = (row for row in rows if isinstance(row, CustomerRow))
        assert (anna.counts["low_survey"], anna.counts["negative_sentiment"]) == (2, 2)
