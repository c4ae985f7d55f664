"""Warnings of tickets with one parent form one incident. Each law has its timeline (minutes after START)."""

from typing import Any

from streams.desk.policy.versions import Policies, parse
from streams.models.instants import MINUTE
from streams.models.topics import WARNINGS
from tests.desk.compare import decoded
from tests.desk.escalations import START, Bench, Made, action, warning
from tests.desk.logs import lines
from tests.desk.pipeline import Pipeline
from tests.naive.desk import at, ticket

DESK = """
version = "d"
timezone = "UTC"
[calendars.always]
hours = "24x7"
[[sla]]
name = "all"
calendar = "always"
first_response = "10m"
"""


def of_parent(n: int, at: float = 0, **fields: Any) -> Made:
    """A warning about ticket n, whose parent is ticket t0."""
    return warning(n, at, parent_id="t0", **fields)


def test_a_childs_warning_is_folded_into_its_parents() -> None:
    """
    t0 0          10      15
      |1----------2-------3
    t1    5 folded
    """
    bench = Bench()
    bench.feed(warning(0))
    bench.run(4)
    bench.feed(of_parent(1, 5))
    bench.run(20)
    assert bench.deliveries() == [(0, "w0-0/1"), (10, "w0-0/2"), (15, "w0-0/3")]
    assert bench.standing("w1-5") == {0: "folded"}
    (folded,) = [event for event in bench.events() if event["warning_id"] == "w1-5"]
    assert (folded["at"], folded["reason"]) == (START + 5 * MINUTE, "folded into w0-0")


def test_without_the_parents_the_first_childs_warning_leads_for_all() -> None:
    bench = Bench(board_url="http://board")
    bench.feed(of_parent(1), of_parent(2), of_parent(3))
    bench.run(1)
    bench.feed(warning(0, 1))
    bench.run(12)
    assert bench.deliveries() == [(0, "w1-0/1"), (10, "w1-0/2")]
    first, second = bench.sent
    assert "Parent ticket: t0" in first.body
    assert "Other warnings of this incident: 2" in first.body
    assert "父工单：t0" in second.body
    assert "同一事件的其他预警：3 条" in second.body


def test_another_rule_or_clock_of_a_child_is_another_incident() -> None:
    bench = Bench()
    bench.feed(
        warning(0),
        of_parent(1, rule="sla.at_risk"),
        of_parent(2, subject="t2/first_response/1", metric="first_response"),
        of_parent(3, rule="ticket.silent", subject="ticket/t3", metric=""),
        of_parent(4, rule="ticket.silent", subject="ticket/t4", metric=""),
    )
    bench.run(1)
    assert sorted(bench.deliveries()) == [(0, "w0-0/1"), (0, "w1-0/1"), (0, "w2-0/1"), (0, "w3-0/1")]
    assert bench.standing("w4-0") == {0: "folded"}


def test_when_the_leader_is_cleared_another_goes_on_where_it_stopped() -> None:
    """
    t0 0     4 cleared
      |1-----|
    t1   2 folded .. leads 4 ---- 10      14 cleared
                      |-----------2-------|
    t2      3 folded ................ leads 14 15
                                          |----3
    """
    bench = Bench()
    bench.feed(warning(0), of_parent(1, 2), of_parent(2, 3))
    bench.run(4)
    bench.feed(warning(0, cleared=4, version=2))
    bench.run(13.5)
    bench.feed(of_parent(1, 2, cleared=14, version=2))
    bench.run(30)
    assert bench.deliveries() == [(0, "w0-0/1"), (10, "w1-2/2"), (15, "w2-3/3")]
    assert bench.standing("w0-0") == {1: "sent", 2: "skipped", 3: "skipped"}
    assert bench.standing("w2-3")[0] == "exhausted"


def test_a_child_that_is_cleared_while_it_is_folded_changes_nothing() -> None:
    bench = Bench()
    bench.feed(warning(0), of_parent(1), of_parent(1, cleared=3, version=2))
    bench.feed(warning(0, cleared=5, version=2))
    bench.run(20)
    assert bench.sent == []
    assert bench.standing("w1-0") == {0: "folded"}


def test_a_more_severe_warning_takes_the_lead() -> None:
    """
    t0 (warning)  0     5    8 folded
                  |-----1----|
    t1 (critical)            8       10      15       2 of the former chain is skipped
                             |3------4-------5
    """
    bench = Bench()
    bench.feed(warning(0, severity="warning"))
    bench.run(7.75)
    bench.feed(of_parent(1, 8))
    bench.run(20)
    assert bench.deliveries() == [(5, "w0-0/1"), (8, "w1-8/3"), (10, "w1-8/4"), (15, "w1-8/5")]
    assert bench.standing("w0-0") == {0: "folded", 1: "sent", 2: "skipped"}


def test_a_folded_warning_that_becomes_more_severe_takes_the_lead() -> None:
    bench = Bench()
    bench.feed(warning(0, severity="warning"), of_parent(1, severity="warning"))
    bench.run(6)
    bench.feed(of_parent(1, version=2, state="changed"))
    bench.run(7)
    assert bench.deliveries() == [(5, "w0-0/1"), (6, "w1-0/3")]


def test_an_action_on_one_warning_counts_for_the_incident() -> None:
    bench = Bench()
    bench.feed(warning(0), of_parent(1))
    bench.run(4)
    bench.feed(action("acknowledge", "w1-0", 4))
    bench.run(6)
    bench.feed(of_parent(2, 6), warning(0, cleared=7, version=2))
    bench.run(40)
    assert bench.deliveries() == [(0, "w0-0/1")]
    (acknowledged,) = bench.events("warning.acknowledged")
    assert acknowledged["warning_id"] == "w1-0"
    assert bench.standing("w1-0") == {0: "leads", 2: "acknowledged", 3: "acknowledged"}


def test_the_next_child_within_the_cool_down_goes_on_where_the_incident_stopped() -> None:
    """
    t1 0     4 cleared
      |1-----|
    t2                   20 ---- 26      31       step 2 was due six minutes after the clearing
                         |-------2-------3
    """
    bench = Bench()
    bench.feed(of_parent(1))
    bench.run(4)
    bench.feed(of_parent(1, cleared=4, version=2))
    bench.run(19.75)
    bench.feed(of_parent(2, 20))
    bench.run(40)
    assert bench.deliveries() == [(0, "w1-0/1"), (26, "w2-20/2"), (31, "w2-20/3")]


def test_after_the_cool_down_the_next_child_begins_anew() -> None:
    bench = Bench()
    bench.feed(of_parent(1))
    bench.run(4)
    bench.feed(of_parent(1, cleared=4, version=2))
    bench.run(34.75)
    bench.feed(of_parent(2, 35))
    bench.run(36)
    assert bench.deliveries() == [(0, "w1-0/1"), (35, "w2-35/1")]


def test_a_chain_that_leads_again_uses_no_number_twice() -> None:
    """t1 leads, is cleared by mistake, t2 continues; then t1 is open again, folded, and leads once more."""
    bench = Bench()
    bench.feed(of_parent(1), of_parent(2))
    bench.run(1)
    bench.feed(of_parent(1, cleared=1, version=2), of_parent(1, version=3, state="changed"))
    bench.run(11)
    bench.feed(of_parent(2, cleared=12, version=2))
    bench.run(30)
    assert bench.deliveries() == [(0, "w1-0/1"), (10, "w2-0/2"), (15, "w1-0/6")]


def test_steps_planned_for_another_severity_use_no_number_twice() -> None:
    """
    t0 (warning)   0    5    5.5 folded   6 stands again      13 critical  15
                   |----1----|            |3                  |5 6---------7
    t1 (critical)            5.5 leads    6 withdrawn
                             |3-----------|
    """
    bench = Bench()
    bench.feed(warning(0, severity="warning"))
    bench.run(5)
    bench.feed(of_parent(1, 5.5), warning(0, severity="warning", cleared=6, version=2))
    bench.run(6)
    bench.feed(of_parent(1, 5.5, is_deleted=1, version=2), warning(0, severity="warning", version=3, state="changed"))
    bench.run(13)
    bench.feed(warning(0, version=4, state="changed"))
    bench.run(30)
    assert bench.deliveries() == [
        (5, "w0-0/1"), (5.5, "w1-5.5/3"), (6, "w0-0/3"), (13, "w0-0/5"), (13, "w0-0/6"), (15, "w0-0/7"),
    ]  # fmt: skip


def test_an_incident_is_restored_by_another_worker() -> None:
    bench = Bench()
    bench.feed(of_parent(1), of_parent(2), warning(0))
    bench.run(1)
    bench.crash()
    bench.feed(of_parent(3, 1.5), of_parent(1, cleared=2, version=2))
    bench.run(12)
    assert bench.deliveries() == [(0, "w1-0/1"), (10, "w0-0/2")]
    assert "同一事件的其他预警：2 条" in bench.sent[-1].body  # t2 and t3


def test_an_outage_of_a_thousand_tickets_is_one_chain() -> None:
    bench = Bench()
    bench.feed(warning(0))
    bench.feed(*(of_parent(n, n / 1000) for n in range(1, 1001)))
    bench.run(20)
    assert bench.deliveries() == [(0, "w0-0/1"), (10, "w0-0/2"), (15, "w0-0/3")]
    bench.feed(*(of_parent(n, n / 1000, cleared=20, version=2) for n in range(1, 1001)))
    bench.feed(warning(0, cleared=20, version=2))
    bench.run(21)
    assert len(bench.sent) == 3
    bench.at(21 + 24 * 60)
    bench.snapshot()
    assert not bench.state.chains


def test_the_desk_names_the_parent_and_escalation_reads_it() -> None:
    """Two children in two partitions of the desk: one partition of `risk-warnings`, one incident."""
    policy = parse(DESK, "desk.toml")
    pipeline = Pipeline(Policies([policy]), 2)
    for event, raw in decoded(lines([opened("p"), *(opened(f"c{n}", parent_id="p") for n in range(4))])):
        pipeline.come(event, raw)
    assert all(pipeline.events)  # both partitions have tickets
    pipeline.finish(at(30))
    warnings = [output for _, outputs in pipeline.sent for output in outputs if output.topic == WARNINGS]
    raised = [output for output in warnings if b'"warning.raised"' in output.value]
    assert {output.key for output in raised} == {b"p"}
    bench = Bench()
    bench.feed(*(Made(output.value) for output in raised))
    bench.run((at(30) - START) / MINUTE)
    escalated = {event["subject"]: event["state"] for event in bench.events() if event["rule"] == "sla.breached"}
    assert sorted(escalated) == [f"{ticket}/first_response/1" for ticket in ("c0", "c1", "c2", "c3", "p")]
    assert sorted(escalated.values())[:4] == ["folded"] * 4


def opened(ticket_id: str, **data: Any) -> dict[str, Any]:
    return {"specversion": "1.0", **ticket(1, "created", f"e-{ticket_id}", ticket_id=ticket_id, **data)}
