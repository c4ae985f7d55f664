"""Warnings of tickets with one parent form one incident. Each law has its timeline (minutes after START)."""

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest

from streams.desk.policy.versions import Policies, parse
from streams.models.instants import MINUTE
from streams.models.topics import ACTIONS, DEAD_LETTERS, INCIDENTS, WARNINGS
from tests.desk.compare import decoded
from tests.desk.escalations import START, Bench, Made, action, progress, warning
from tests.desk.incident_pipeline import escalated
from tests.desk.logs import lines
from tests.naive.desk import ticket


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
    """t1 leads, is cleared by mistake, t2 continues; then t1 is open again, and, raised first, leads once more."""
    bench = Bench()
    bench.feed(of_parent(1), of_parent(2))
    bench.run(1)
    bench.feed(of_parent(1, cleared=1, version=2), of_parent(1, version=3, state="changed"))
    bench.run(11)
    bench.feed(of_parent(2, cleared=12, version=2))
    bench.run(30)
    assert bench.deliveries() == [(0, "w1-0/1"), (10, "w1-0/5"), (15, "w1-0/6")]


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
    bench.feed(of_parent(3, 1.5), warning(0, cleared=2, version=2))
    bench.run(12)
    assert bench.deliveries() == [(0, "w0-0/1"), (10, "w1-0/5")]
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


def test_whoever_was_raised_first_leads_whatever_comes_first() -> None:
    """
    t0 (own warning, does not wait)   2 ─step 1─ folded
    t1 (comes later)                  1 .......... leads ──step 2──      nobody is told of step 1 again
    """
    bench = Bench()
    bench.feed(warning(0, 2))
    bench.run(3)
    bench.feed(of_parent(1, 1))
    bench.run(20)
    assert bench.deliveries() == [(2, "w0-2/1"), (12, "w1-1/2"), (17, "w1-1/3")]
    assert bench.standing("w0-2") == {0: "folded", 1: "sent", 2: "skipped", 3: "skipped"}


def test_a_warning_with_a_parent_waits_for_the_other_desks_but_not_longer_than_ten_seconds() -> None:
    """
    desk 0       tells 1 min
    desk 1       tells 0            is dead
    t0           0  at once
    t1 (child)      raised 0.5 ...... joins 8 s later
    """
    bench = Bench(partitions=2, told=None)
    bench.feed(progress(1), progress(1, INCIDENTS), progress(0, INCIDENTS, 1))
    bench.feed(warning(7), of_parent(1, 0.5))
    bench.run(1.5, 1 / 60)
    (own, _), (child, _) = bench.deliveries()
    assert own == 0
    assert 0.5 < child <= 0.5 + 9 / 60
    bench.feed(progress(2.25, INCIDENTS, 0, 2), progress(2.25), progress(2.25, INCIDENTS, 1, 2))
    bench.feed(of_parent(3, 2, rule="ticket.silent", subject="ticket/t3", metric=""))
    bench.run(2.25, 1 / 60)
    assert bench.deliveries()[2:] == [(2, "w3-2/1")]  # all have told of it


def test_what_waits_survives_a_crash() -> None:
    bench = Bench(partitions=2, told=None)
    bench.feed(of_parent(1), of_parent(2, 0, cleared=0.05, version=2))
    bench.at(0)
    bench.snapshot()
    bench.crash()
    bench.run(1, 1 / 60)
    assert [message for _, message in bench.deliveries()] == ["w1-0/1"]
    assert bench.standing("w2-0")[0] == "folded"
    assert not [key for key in bench.log if key.startswith(b"w")]


def linked(n: int, *parents: tuple[float, str], at: float = 0, to: str, **fields: Any) -> Made:
    """A warning about ticket n that was under these parents in turn, as the incident of the parent `to` is told."""
    history = [(START + round(since * MINUTE), parent_id) for since, parent_id in parents]
    made = warning(n, at, parent_id=parents[-1][1], parents=history, state="changed", **fields)
    return made._replace(topic=INCIDENTS if to else WARNINGS, key=to.encode())


def test_a_warning_is_linked_afterwards_and_folded_from_then_on() -> None:
    """
    t0   0 ──1────────2─────3
    t1      1 ──1──── 6 folded                       its own steps 2 and 3 are skipped
    """
    bench = Bench()
    bench.feed(warning(0), warning(1, 1))
    bench.run(6)
    moved = (1, ""), (6, "t0")
    bench.feed(linked(1, *moved, at=1, to="", version=2), linked(1, *moved, at=1, to="t0", version=2))
    bench.run(20)
    assert bench.deliveries() == [(0, "w0-0/1"), (1, "w1-1/1"), (10, "w0-0/2"), (15, "w0-0/3")]
    assert bench.standing("w1-1") == {0: "folded", 1: "sent", 2: "skipped", 3: "skipped"}
    reasons = {event["reason"] for event in bench.events() if event["warning_id"] == "w1-1" and event["reason"]}
    assert reasons == {"linked to t0", "folded into w0-0"}


def test_a_warning_that_is_not_linked_any_more_goes_on_by_itself() -> None:
    """
    t0   0 ──1────────2─────3
    t1      1 folded  6 leads its own incident: told at once
    """
    bench = Bench()
    bench.feed(warning(0), of_parent(1, 1))
    bench.run(6)
    moved = (1, "t0"), (6, "")
    bench.feed(linked(1, *moved, at=1, to="", version=2), linked(1, *moved, at=1, to="t0", version=2))
    bench.run(30)
    assert bench.deliveries() == [
        (0, "w0-0/1"), (6, "w1-1/1001"), (10, "w0-0/2"), (15, "w0-0/3"), (16, "w1-1/1002"), (21, "w1-1/1003"),
    ]  # fmt: skip
    assert bench.standing("w1-1")[0] == "exhausted"


def test_a_warning_that_returns_when_its_chain_was_forgotten_begins_anew_and_repeats_no_message() -> None:
    """
    t1 in t0's   0 sent ── 4 linked to t9 ──── a day: forgotten ── 1510 back: sent, under a number of its own
    """
    bench = Bench()
    bench.feed(linked(1, (0, "t0"), to="t0"))
    bench.run(4)
    bench.feed(linked(1, (0, "t0"), (4, "t9"), to="t0", version=2))
    bench.run(1509)
    bench.feed(linked(1, (0, "t0"), (4, "t9"), (1510, "t0"), to="t0", version=3))
    bench.run(1511)
    sent = bench.deliveries()
    assert [at for at, _ in sent] == [0, 1510]
    assert len({message for _, message in sent}) == 2
    numbers = [row["seq"] for row in bench.events()]
    assert len(numbers) == len(set(numbers))


def test_a_leader_that_is_linked_elsewhere_leaves_its_incident_to_the_next() -> None:
    bench = Bench()
    bench.feed(of_parent(1), of_parent(2, 1))
    bench.run(4)
    moved = (0, "t0"), (4, "t9")
    bench.feed(linked(1, *moved, to="t0", version=2), linked(1, *moved, to="t9", version=2))
    bench.run(12)
    assert bench.deliveries() == [(0, "w1-0/1"), (4, "w1-0/1001"), (10, "w2-1/2")]


def test_an_action_is_meant_for_the_incident_in_which_the_warning_stands() -> None:
    """The chain that a warning left hands the action on; another partition has the one that it joined."""
    bench = Bench(partitions=2)
    bench.feed(warning(1))
    bench.run(2)
    bench.feed(linked(1, (0, ""), (2, "t5"), to="", version=2))
    bench.run(2.5)
    bench.feed(action("acknowledge", "w1-0", 3))
    bench.run(3)
    assert [output.partition for output in bench.outputs if output.topic == ACTIONS] == [1]
    assert not bench.events("warning.acknowledged")
    bench = Bench(partitions=2)
    bench.feed(action("acknowledge", "w1-0", 1), action("acknowledge", "w1-0", 3, n=2))  # the first was for the other
    bench.feed(linked(1, (0, ""), (2, "t5"), to="t5", version=2))
    bench.run(12)
    assert [event["at"] for event in bench.events("warning.acknowledged")] == [START + 3 * MINUTE]


def test_a_link_that_is_corrected_takes_the_warning_back() -> None:
    """A late event says that t1 was never under t0: that incident is told so."""
    bench = Bench()
    bench.feed(of_parent(1), of_parent(2, 1))
    bench.run(4)
    bench.feed(warning(1, version=2)._replace(topic=INCIDENTS, key=b"t0"), warning(1, version=2))
    bench.run(12)
    assert bench.standing("w2-1")[0] == "leads"
    assert bench.state.chains.get(("sla.breached", "t1/resolution/1", "")) is not None


def test_chains_of_release_0_1_0_go_on_where_they_are() -> None:
    """That release folded children where their own desk is, under a key without the parent."""
    bench = Bench()
    bench.feed(of_parent(1))
    bench.run(1)
    (key,) = [key for key in bench.log if key.startswith(b"i")]
    value = msgspec.msgpack.decode(bench.log.pop(key))
    bench.log[b"csla.breached\nt1/resolution/1"] = msgspec.msgpack.encode(value[:-2])
    bench.crash()
    bench.run(2)
    assert [key for key in bench.log if key[:1] in b"ci"] == [key]
    bench.feed(of_parent(1, cleared=3, version=2)._replace(topic=WARNINGS))
    bench.run(12)
    assert bench.deliveries() == [(0, "w1-0/1")]
    assert bench.standing("w1-0") == {1: "sent", 2: "skipped", 3: "skipped"}


def test_a_message_whose_key_is_no_parent_is_a_dead_letter() -> None:
    bench = Bench()
    bench.feed(of_parent(1)._replace(key=b"\xff"))
    bench.run(1)
    assert [output.topic for output in bench.outputs] == [DEAD_LETTERS]
    assert not bench.state.chains


def test_a_child_concerns_only_the_partition_of_its_parent() -> None:
    bench = Bench()
    bench.feed(of_parent(1)._replace(topic=WARNINGS))
    bench.run(1)
    assert not bench.state.chains
    assert bench.events() == []


DESK = """
version = "d"
timezone = "UTC"
[calendars.always]
hours = "24x7"
[[sla]]
name = "all"
calendar = "always"
first_response = "10m"
[[escalation]]
severity = ["critical"]
steps = [ { after = "0m", to = "lead" } ]
[receivers]
lead = { url_env = "DESKWATCH_LEAD_URL" }
"""


@pytest.mark.parametrize("partitions", [1, 4, 8])
@pytest.mark.parametrize("when", ["at creation", "an hour later", "at one instant"])
def test_an_outage_of_a_thousand_tickets_is_one_chain_in_any_number_of_partitions(partitions: int, when: str) -> None:
    """
    p                 0 ──── 10 leads
    t0 ... t999         1 ... 11 folded       linked an hour later: 1,000 chains of their own until then
    """
    later: dict[str, Any] = {"parent_id": "p"} if when == "at creation" else {}
    events = [ticket(0, "created", "p", ticket_id="p")]
    for n in range(1000):
        name, since = f"t{n}", 1 + n / 1000
        events.append(ticket(since, "created", name, ticket_id=name, **later))
        if not later:
            link_at = 61 + n / 1000 if when == "an hour later" else 70
            events.append(ticket(link_at, "updated", f"{name} linked", ticket_id=name, parent_id="p"))
    events.sort(key=lambda event: event["time"])
    log = decoded(lines([{"specversion": "1.0", **event} for event in events]))
    if when == "at creation":
        log += decoded(lines([{"specversion": "1.0", **ticket(70, "created", "end", ticket_id="end")}]))
    found = escalated(log, Policies([parse(DESK, "desk.toml")]), partitions, Random(partitions), 100)
    rows = [row for row in found.rows.values() if row.rule == "sla.breached"]
    last = {row.warning_id: row for row in sorted(rows, key=lambda row: row.seq)}
    assert Counter(row.state for row in last.values()) == {"folded": 1000, "skipped": 1}
    scheduled = sum(row.state == "scheduled" for row in rows)
    assert scheduled == (1 if later else 1001)
