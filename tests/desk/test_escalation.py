"""Escalation chains, each law with its timeline in minutes after START. Time is the wall clock, except in a replay."""

from typing import Any, get_args

import msgspec
import pytest

from streams.desk.escalation.chain import StoredWarning
from streams.desk.escalation.notification import Renderer, render_notification
from streams.desk.escalation.sending import Outcome, Result
from streams.desk.policy.rules import RuleName
from streams.desk.texts import LANGUAGES
from tests.desk.escalations import POLICY, START, Bench, action, progress, reached, warning

MINUTE = 60_000


def test_a_chain_runs_to_its_end() -> None:
    """
    raised 0          10      15
      |1--------------2-------3  exhausted
    """
    bench = Bench()
    bench.feed(warning())
    bench.run(20)
    assert bench.deliveries() == [(0, "w1-0/1"), (10, "w1-0/2"), (15, "w1-0/3")]
    assert [message.receiver for message in bench.sent] == ["lead", "manager", "manager"]
    assert bench.standing("w1-0") == {0: "exhausted", 1: "sent", 2: "sent", 3: "sent"}
    (escalated,) = bench.events("warning.escalated")
    assert (escalated["at"], escalated["by"]) == (START, "lead")


def test_nothing_leaves_before_its_intent_is_in_a_checkpoint() -> None:
    bench = Bench()
    bench.feed(warning())
    bench.at(0)
    assert bench.state.messages() == []
    assert bench.state.urgent()
    (message,) = bench.snapshot()
    assert message.id == "w1-0/1"
    assert bench.events()[-1]["state"] == "sending"
    assert bench.snapshot() == []


def test_an_acknowledgement_stops_the_chain() -> None:
    """
    raised 0    ack 4
      |1---------|        (2 and 3 never)
    """
    bench = Bench()
    bench.feed(warning())
    bench.run(4)
    bench.feed(action("acknowledge", "w1-0", 4))
    bench.run(30)
    assert bench.deliveries() == [(0, "w1-0/1")]
    assert bench.standing("w1-0") == {1: "sent", 2: "acknowledged", 3: "acknowledged"}
    (acknowledged,) = bench.events("warning.acknowledged")
    assert (acknowledged["at"], acknowledged["by"]) == (START + 4 * MINUTE, "li")


def test_an_acknowledgement_lapses_and_the_chain_goes_on_where_it_stopped() -> None:
    """
    raised 0   5    ack 7 ................ lapses 27     35
      |--------1----|                         |----------2      2 was due 8 minutes after the acknowledgement
    """
    bench = Bench()
    bench.feed(warning(severity="warning"))
    bench.run(7)
    bench.feed(action("acknowledge", "w1-0", 7))
    bench.run(40)
    assert bench.deliveries() == [(5, "w1-0/1"), (35, "w1-0/2")]


def test_a_lapse_with_no_step_left_repeats_the_last_one() -> None:
    bench = Bench()
    bench.feed(warning(severity="warning"))
    bench.run(16)
    bench.feed(action("acknowledge", "w1-0", 16))
    bench.run(40)
    assert bench.deliveries() == [(5, "w1-0/1"), (15, "w1-0/2"), (36, "w1-0/3")]


def test_a_clearing_stops_the_chain() -> None:
    bench = Bench()
    bench.feed(warning())
    bench.run(4)
    bench.feed(warning(cleared=4, version=2))
    bench.run(30)
    assert bench.deliveries() == [(0, "w1-0/1")]
    assert bench.standing("w1-0") == {1: "sent", 2: "skipped", 3: "skipped"}


def test_raised_again_within_the_cool_down_it_goes_on_where_it_stopped() -> None:
    """
    raised 0    cleared 4 .......... raised 20   26      31
      |1---------|                      |--------2-------3
    """
    bench = Bench()
    bench.feed(warning())
    bench.run(4)
    bench.feed(warning(cleared=4, version=2))
    bench.run(20)
    bench.feed(warning(at=20, version=3))
    bench.run(40)
    assert bench.deliveries() == [(0, "w1-0/1"), (26, "w1-20/2"), (31, "w1-20/3")]


def test_raised_again_after_the_cool_down_it_begins_anew() -> None:
    bench = Bench()
    bench.feed(warning())
    bench.run(4)
    bench.feed(warning(cleared=4, version=2))
    bench.run(35)
    bench.feed(warning(at=35, version=3))
    bench.run(36)
    assert bench.deliveries() == [(0, "w1-0/1"), (35, "w1-35/1")]


def test_raised_and_cleared_in_one_checkpoint_nothing_is_sent() -> None:
    bench = Bench()
    bench.feed(warning(cleared=0))
    bench.run(30)
    assert bench.sent == []
    assert set(bench.standing("w1-0").values()) == {"skipped"}


def test_a_withdrawn_warning_leaves_nothing_to_go_on() -> None:
    bench = Bench()
    bench.feed(warning())
    bench.run(1)
    bench.feed(warning(version=2, is_deleted=1))
    bench.run(5)
    bench.feed(warning(at=5, version=3))
    bench.run(6)
    assert bench.deliveries() == [(0, "w1-0/1"), (5, "w1-5/1")]


def test_a_snooze_suspends_the_chain() -> None:
    """
    raised 0   4 snoozed ........ 34       40      45
      |1-------|                   |--------2-------3
    """
    bench = Bench()
    bench.feed(warning())
    bench.run(4)
    bench.feed(action("snooze", "w1-0", 4, for_s=1800))
    bench.run(50)
    assert bench.deliveries() == [(0, "w1-0/1"), (40, "w1-0/2"), (45, "w1-0/3")]


def test_a_disagreement_stops_the_chain_for_good_and_is_counted() -> None:
    bench = Bench()
    bench.feed(warning(severity="warning"))
    bench.run(7)
    bench.feed(action("disagree", "w1-0", 7, note="a test ticket"))
    bench.run(60)
    assert bench.deliveries() == [(5, "w1-0/1")]
    (disagreed,) = bench.events("warning.disagreed")
    assert (disagreed["by"], disagreed["note"]) == ("li", "a test ticket")


def test_an_action_that_comes_twice_counts_once() -> None:
    bench = Bench()
    bench.feed(warning(), action("disagree", "w1-0", 1), action("disagree", "w1-0", 1))
    bench.at(2)
    bench.snapshot()
    assert len(bench.events("warning.disagreed")) == 1


def test_steps_older_than_ten_minutes_are_skipped() -> None:
    bench = Bench()
    bench.feed(warning())
    bench.run(25, since=12)
    assert bench.standing("w1-0")[1] == "skipped"
    assert bench.deliveries() == [(12, "w1-0/2"), (15, "w1-0/3")]


def test_a_replay_sends_nothing() -> None:
    """
    log    raised 0 ..... 12        20 the end
    steps    1 skipped    2 skipped  3 skipped, each at its own instant
    """
    bench = Bench(wall=False)
    bench.feed(warning(), *reached(12))
    bench.at(0)
    bench.snapshot()
    assert bench.standing("w1-0") == {1: "skipped", 2: "skipped", 3: "scheduled"}
    bench.feed(*reached(20))
    bench.at(0)
    bench.snapshot()
    skipped = [(event["at"] - START) / MINUTE for event in bench.events() if event["state"] == "skipped"]
    assert skipped == [0, 10, 15]
    assert bench.state.messages() == []


def test_a_replay_skips_the_same_steps_however_fast_it_is() -> None:
    """Raised at 0, cleared at 12: step 2 was due before that, step 3 was not."""
    fast, slow = Bench(wall=False), Bench(wall=False)
    fast.feed(warning(cleared=12), *reached(60))
    fast.at(0)
    fast.snapshot()
    for records in ((warning(),), reached(5), reached(11), (warning(cleared=12, version=2),), reached(60)):
        slow.feed(*records)
        slow.at(0)
        slow.snapshot()
    for bench in (fast, slow):
        skipped = {event["step"]: event["reason"] for event in bench.events() if event["state"] == "skipped"}
        assert skipped == {1: "a replay sends nothing", 2: "a replay sends nothing", 3: "cleared: fulfilled"}


def test_a_replay_with_notify_sends() -> None:
    bench = Bench(wall=False, notify=True)
    bench.feed(warning(), *reached(1))
    bench.at(0)
    bench.send(bench.snapshot())
    bench.snapshot()
    assert [message.id for message in bench.sent] == ["w1-0/1"]


def test_the_time_of_a_replay_is_that_of_the_slowest_sender_of_warnings() -> None:
    bench = Bench(wall=False)
    bench.feed(warning(), *reached(60), progress(5, "risk-warnings/watch"))
    bench.at(0)
    bench.snapshot()
    assert bench.standing("w1-0") == {1: "skipped", 2: "scheduled", 3: "scheduled"}


def test_a_receiver_that_fails_is_tried_again_with_back_off_while_the_chain_goes_on() -> None:
    bench = Bench()
    bench.feed(warning())
    at = 0.0
    while at <= 30:
        bench.at(at)
        for message in bench.snapshot():
            bench.send([message], "failed" if message.receiver == "lead" else "sent")
        at += 1 / 60
    bench.snapshot()
    tries = [round((event["at"] - START) / 1000) for event in bench.events() if event["state"] == "failed"]
    assert tries == [0, 5, 15, 35, 75, 155, 275, 395, 515]  # 5 s, doubled each time, at most two minutes apart
    assert bench.deliveries() == [(10, "w1-0/2"), (15, "w1-0/3")]
    assert bench.standing("w1-0")[1] == "failed"
    assert bench.standing("w1-0")[0] == "exhausted"


def test_a_message_under_way_at_a_crash_is_unknown_and_never_sent_again() -> None:
    bench = Bench()
    bench.feed(warning())
    bench.at(0)
    assert len(bench.snapshot()) == 1  # handed to a sender, and then:
    bench.crash()
    bench.run(30)
    assert bench.standing("w1-0")[1] == "unknown"
    assert [message.id for message in bench.sent] == ["w1-0/2", "w1-0/3"]


def test_an_idempotent_receiver_gets_it_again() -> None:
    bench = Bench(POLICY.replace('LEAD_URL"', 'LEAD_URL", idempotent = true'))
    bench.feed(warning())
    bench.at(0)
    (first,) = bench.snapshot()
    bench.crash()
    bench.run(1)
    assert [message.id for message in bench.sent] == [first.id]
    assert bench.standing("w1-0")[1] == "sent"


def test_a_step_that_was_never_tried_falls_due_again() -> None:
    bench = Bench()
    bench.feed(warning())
    bench.at(0)
    for message in bench.snapshot():
        bench.state.settle(message, Outcome(Result.UNSENT, "the worker ends"), bench.now)
    bench.snapshot()
    bench.crash()
    bench.run(1)
    assert bench.deliveries() == [(0, "w1-0/1")]


def test_quiet_hours_are_the_receivers() -> None:
    """
    office   09:00-18:00, it is 10:00 on Tuesday: closed 480 min later, open again at 1380
    raised                  490 (18:10)             1380 (Wednesday 09:00)
    """
    bench = Bench(POLICY.replace('LEAD_URL"', 'LEAD_URL", hours = "office"'))
    bench.feed(warning(at=490))
    bench.run(491, since=490)
    assert bench.deliveries() == []
    assert [event["reason"] for event in bench.events() if event["step"] == 1] == ["", "quiet hours"]
    bench.run(1381, since=1379)
    assert (1380, "w1-490/1") in bench.deliveries()


def test_a_step_that_waits_for_quiet_hours_is_not_late_when_the_chain_goes_on() -> None:
    """
    office   09:00-18:00: closed from 480 to 1380
    raised     490    cleared 600 .. raised 610, snoozed until 640      1380 sent
    """
    bench = Bench(POLICY.replace('LEAD_URL"', 'LEAD_URL", hours = "office"'))
    bench.feed(warning(at=490))
    bench.run(491, since=490)
    bench.feed(warning(at=490, cleared=600, version=2))
    bench.run(600, since=599)
    bench.feed(warning(at=610, version=3), action("snooze", "w1-610", 611, for_s=1800))
    bench.run(650, since=610)
    bench.run(1381, since=1379)
    assert (1380, "w1-610/1") in bench.deliveries()


def test_without_an_address_a_step_is_skipped_with_the_reason() -> None:
    bench = Bench(addresses={"DESKWATCH_MANAGER_URL"})
    bench.feed(warning())
    bench.run(11)
    reasons = {event["step"]: event["reason"] for event in bench.events() if event["state"] == "skipped"}
    assert reasons == {1: "no address: DESKWATCH_LEAD_URL is not set"}
    assert bench.deliveries() == [(10, "w1-0/2")]


def test_another_severity_has_another_chain() -> None:
    """
    warning 0     5     critical 7       10      15
      |-----------1-------|3-------------4-------5     2 of the old chain is skipped
    """
    bench = Bench()
    bench.feed(warning(severity="warning"))
    bench.run(7)
    bench.feed(warning(severity="critical", version=2, state="changed"))
    bench.run(20)
    assert bench.deliveries() == [(5, "w1-0/1"), (7, "w1-0/3"), (10, "w1-0/4"), (15, "w1-0/5")]
    assert bench.standing("w1-0")[2] == "skipped"


def test_a_burst_becomes_digests() -> None:
    """
    due      100 at 0     10 at 1                   5 messages in 2 minutes, then a digest
    sent     D (100)      (wait)           2: D (10)
    """
    bench = Bench()
    bench.feed(*(warning(n) for n in range(100)))
    bench.run(0.5)
    (first,) = bench.sent
    assert first.receiver == "lead"
    assert len(first.steps) == 100
    assert first.title == "100 warnings"
    assert "and 50 more" in first.body
    assert "[w0-0/1]" in first.body
    bench.feed(*(warning(n, at=1) for n in range(200, 210)))
    bench.run(1.5)
    assert len(bench.sent) == 1
    bench.run(2.5)
    assert [message.id for message in bench.sent] == ["digest/lead/0/1", "digest/lead/0/2"]
    assert len(bench.deliveries()) == 110


def test_few_messages_are_sent_one_by_one() -> None:
    bench = Bench()
    bench.feed(*(warning(n) for n in range(5)))
    bench.run(1)
    assert [message.digest for message in bench.sent] == [""] * 5


def test_a_digest_that_was_under_way_at_a_crash_is_unknown_step_by_step() -> None:
    bench = Bench()
    bench.feed(*(warning(n) for n in range(30)))
    bench.at(0)
    assert len(bench.snapshot()) == 1
    bench.crash()
    bench.run(5)
    assert bench.sent == []
    assert {bench.standing(f"w{n}-0")[1] for n in range(30)} == {"unknown"}


def test_an_action_on_a_warning_of_another_partition_is_handed_on() -> None:
    bench = Bench(partitions=3)
    bench.feed(action("acknowledge", "w1-0"))
    bench.snapshot()
    assert [output.partition for output in bench.outputs] == [1, 2]
    (copy, _) = bench.outputs
    other = Bench(partitions=3)
    other.feed(warning())
    other.feed(action("acknowledge", "w1-0")._replace(value=copy.value, headers=copy.headers))
    other.run(20)
    assert other.sent == []
    assert len(other.events("warning.acknowledged")) == 1
    unknown = Bench(partitions=3)
    unknown.feed(action("acknowledge", "w1-0")._replace(value=copy.value, headers=copy.headers))
    unknown.snapshot()
    assert unknown.outputs == []


def test_an_action_that_comes_before_its_warning_is_kept_through_a_crash() -> None:
    bench = Bench()
    bench.feed(action("acknowledge", "w1-0", 1))
    bench.snapshot()
    bench.crash()
    bench.feed(warning())
    bench.run(20)
    assert bench.sent == []
    assert len(bench.events("warning.acknowledged")) == 1


def test_a_message_that_is_no_action_is_a_dead_letter() -> None:
    bench = Bench()
    bench.feed(action("acknowledge", "", 1), action("snooze", "w", 1), action("shrug", "w"))
    bench.snapshot()
    assert [output.topic for output in bench.outputs] == ["dead-letters"] * 3


def test_a_warning_that_comes_twice_or_late_changes_nothing() -> None:
    bench = Bench()
    bench.feed(warning(version=5))
    bench.run(1)
    bench.feed(warning(cleared=5, version=6))
    bench.run(6)
    before = len(bench.outputs)
    bench.feed(warning(version=5), warning(cleared=5, version=6))
    bench.run(30)
    assert len(bench.outputs) == before


def test_a_cleared_chain_is_forgotten_after_a_day() -> None:
    bench = Bench()
    bench.feed(warning())
    bench.run(1)
    bench.feed(warning(cleared=5, version=2))
    bench.at(24 * 60 + 4)
    bench.snapshot()
    assert len(bench.state.chains) == 1
    bench.at(24 * 60 + 6)
    bench.snapshot()
    assert not bench.state.chains
    assert bench.state.chains.of_warning("w1-0") is None
    assert {key[:1] for key in bench.log} == {b"h", b"f"}


def test_the_message_explains_the_warning_in_the_receivers_language() -> None:
    bench = Bench(board_url="http://board/")
    bench.feed(warning(team="after-sales", due_at=START, url="http://helpdesk/t1"))
    bench.run(11)
    english, chinese = bench.sent
    assert english.title == "[critical] SLA breached: ticket t1, resolution, team after-sales"
    assert english.body.splitlines() == [
        "Rule: SLA breached (sla.breached)",
        "About: ticket t1, resolution, team after-sales",
        "Time used: 9 min of 8 min",
        "Since: 2026-11-03 10:00:00",
        "Due: 2026-11-03 10:00:00",
        "Clears when: the ticket is solved",
        "Ticket: http://helpdesk/t1",
        "Board: http://board/warnings/w1-0",
        "Message: w1-0/1",
    ]
    assert chinese.title == "[严重] SLA 已超时：工单 t1，解决，团队 after-sales"
    assert chinese.body.endswith("消息编号：w1-0/2")


def warning_of(rule: str, subject: str, **fields: Any) -> StoredWarning:
    return StoredWarning(warning_id="w", rule=rule, subject=subject, severity="warning", raised_at=START, **fields)


def test_a_checkpoint_has_the_form_of_release_0_1_0() -> None:
    """Of the warning it keeps only the fields that chains use, by name, and only those that are not empty."""
    bench = Bench(told=None)
    bench.feed(warning(cycle=1, policy_version="v", priority="high", team="a"), action("acknowledge", "w9", n=2))
    bench.at(0)
    bench.snapshot()
    stored = {key: msgspec.msgpack.decode(value) for key, value in bench.log.items()}
    kept = {"ticket_id": "t1", "metric": "resolution", "elapsed_ms": 9 * MINUTE, "target_ms": 8 * MINUTE, "team": "a"}
    about = {"warning_id": "w1-0", "rule": "sla.breached", "subject": "t1/resolution/1", "severity": "critical"}
    steps = [
        [1, 0, "lead", 0, "sending", START, "lead", 1, 0, ""],
        [2, 10 * MINUTE, "manager", 0, "scheduled", START + 10 * MINUTE, "", 0, 0, ""],
        [3, 15 * MINUTE, "manager", 1, "scheduled", START + 15 * MINUTE, "", 0, 0, ""],
    ]
    assert stored == {
        b"csla.breached\nt1/resolution/1": [
            {**about, **kept, "state": "raised", "raised_at": START, "version": 1},
            START, "v", "critical", steps, 4, None, None, 0, False, False, [], False, False, 0, START, False,
        ],
        b"ew9": [action("acknowledge", "w9", n=2).value],
        b"flead": [[START], None, 0],
        b"h": [{}, START, {}],
    }  # fmt: skip


def test_keys_that_a_fenced_owner_wrote_are_written_again() -> None:
    bench = Bench()
    bench.feed(warning(), action("acknowledge", "w9", n=2))
    bench.run(1)
    before = dict(bench.log)
    written = {*before, b"csla.breached\ngone", b"egone"}
    bench.log |= dict.fromkeys(written, b"another owner's")
    bench.state.rewrite_keys(written)
    assert bench.state.unsaved()
    bench.snapshot()
    assert bench.log == before


@pytest.mark.parametrize("rule", get_args(RuleName))
def test_every_rule_is_explained_in_both_languages(rule: str) -> None:
    warning = warning_of(rule, "team/billing", dimension="team", value="billing")
    for language in LANGUAGES:
        title, body = render_notification(warning, "w/1", Renderer(language, "UTC", ""))
        assert rule in body  # beside its name
        assert rule not in title
        assert "clears_" not in body


def test_the_message_about_a_window_rule_has_its_figures_and_one_about_a_customer_its_signals() -> None:
    measures = {"value": 0.31, "lower": 0.2249, "n": 42.0, "raise_at": 0.15, "clear_at": 0.1, "window_s": 3600.0}
    high = warning_of("breach_rate.high", "team/billing", measures=measures, value="billing")
    _title, body = render_notification(high, "w/1", Renderer("en", "UTC", ""))
    assert "Figures: value 0.31, lower bound 0.2249, cases 42, limit 0.15, clears at 0.1" in body
    assert "Clears when: the value is back at 0.1 or better" in body
    reasons = [("breach", 20.0, "settle it"), ("new", 3.0, "wait")]
    risk = warning_of("complaint.risk", "customer/c9", customer_id="c9", reasons=reasons)
    _title, body = render_notification(risk, "w/1", Renderer("zh", "UTC", ""))
    assert "- SLA 超时：20 分；尽快办结超时工单，并说明原因" in body
    assert "- new：3 分；wait" in body
