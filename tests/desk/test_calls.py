"""Calls as switchboards report them: late answers, lost answers, legs, transfers; figures reckoned by hand.

Times are seconds after 10:00:00; `w` waits, `=` talks.
"""

from collections import Counter
from typing import Any

import msgspec
import pytest

from streams.desk.calls.call import new_call
from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies, parse
from streams.models.codec import decode
from streams.models.entities import CallLegRow
from streams.models.envelope import Event
from streams.models.instants import format_instant, parse_instant
from streams.models.rows import FactRow, SpanRow

TEN = parse_instant("2026-10-12T10:00:00Z")
POLICY = """
version = "1"
timezone = "UTC"
[calls]
answer_within = "20s"
short_abandon = "5s"
max_wait = "2h"
max_talk = "2h"
"""


def call(seconds: float, kind: str, **data: Any) -> tuple[Event, int]:
    at = TEN + round(seconds * 1000)
    body = {"specversion": "1.0", "id": f"{kind}{at}{data}", "source": "t", "type": f"call.{kind}"}
    event = decode(msgspec.json.encode({**body, "time": format_instant(at), "data": {"call_id": "K", **data}}))
    assert isinstance(event, Event), event
    return event, at


class Folded:
    """A folded call: what it counts by (queue, team), its legs and its waiting spans."""

    def __init__(self, *events: tuple[Event, int], until: float | None = None) -> None:
        change_set = ChangeSet()
        self.call = new_call("K", Policies([parse(POLICY, "p.toml")]), change_set)
        for event, at in events:
            self.call.apply(event, at)
        if until is not None:
            self.call.pass_time(TEN + round(until * 1000) + 1)
        rows = list(change_set.live_rows().values())
        self.counts: dict[tuple[str, str], Counter[str]] = {}
        for row in rows:
            if isinstance(row, FactRow):
                self.counts.setdefault((row.queue, row.team), Counter()).update(row.counts)
        self.legs = sorted(
            (row.leg, row.queue, row.agent_id, (row.began_at - TEN) / 1000, row.talk_ms // 1000)
            for row in rows
            if isinstance(row, CallLegRow)
        )
        self.spans = sorted(
            (row.team, (row.from_at - TEN) / 1000, None if row.to_at is None else (row.to_at - TEN) / 1000)
            for row in rows
            if isinstance(row, SpanRow)
        )

    def total(self) -> Counter[str]:
        """All counts but times."""
        total = Counter[str]()
        for counts in self.counts.values():
            total.update({name: number for name, number in counts.items() if not name.endswith("_ms") and number})
        return total


OFFERED = call(0, "offered", queue="q", team="A")
ANSWERED_IN_TARGET = {"offered": 1, "answered": 1, "answered_in_target": 1, "legs": 1, "ended": 1}


def test_an_answer_stamped_after_the_end_answers() -> None:
    """
    0 wwwwwwwwww 10 == 12 ended    12.3 answered (wait 10)
    """
    folded = Folded(
        OFFERED, call(12, "ended", talk_s=2, agent_id="a1"), call(12.3, "answered", wait_s=10, agent_id="a1")
    )
    assert folded.total() == ANSWERED_IN_TARGET
    assert folded.legs == [(1, "q", "a1", 10, 2)]
    assert folded.call.outcome == "ended"


def test_an_end_with_talk_and_no_answer_derives_the_wait() -> None:
    """
    0 wwwwwwwwwwwwwwwww 25 ====== 60 ended (talk 35): waited 25 s, more than 20
    """
    folded = Folded(OFFERED, call(60, "ended", talk_s=35, agent_id="a1"))
    assert folded.total() == {"offered": 1, "answered": 1, "legs": 1, "ended": 1}
    assert folded.counts["q", "A"]["wait_ms"] == 25_000


def test_a_derived_leg_does_not_begin_before_the_call_queued() -> None:
    """
    0 ivr 5 ended at 8, talk 30 (a clock that is wrong): the leg began at 5
    """
    folded = Folded(call(0, "offered", queue="q", team="A", ivr_s=5), call(8, "ended", talk_s=30))
    assert folded.legs == [(1, "q", "", 5, 30)]
    assert folded.counts["q", "A"]["wait_ms"] == 0


def test_a_leg_that_begins_later_is_of_the_queue_then_in_force() -> None:
    """
    0 ivr (b ended, talk 1: a clock that is wrong) 5 to q2  7 queued: b's leg began, in q2
    """
    folded = Folded(
        call(0, "offered", queue="q", team="A", ivr_s=7),
        call(0, "answered", agent_id="a", wait_s=0),
        call(0, "ended", agent_id="b", talk_s=1),
        call(5, "transferred", to_queue="q2"),
    )
    assert folded.legs == [(1, "q", "a", 0, 0), (2, "q2", "b", 7, 1)]
    assert folded.counts["q2", "A"]["talk_ms"] == 1000


def test_an_answer_takes_an_abandonment_back() -> None:
    """
    0 wwwwwwww 9.5 abandoned (one phone), 10 answered (another) ===== 70 ended
    """
    folded = Folded(
        OFFERED,
        call(9.5, "abandoned", wait_s=9.5),
        call(10, "answered", wait_s=9, agent_id="a1"),
        call(70, "ended", talk_s=60, agent_id="a1"),
    )
    assert folded.total() == ANSWERED_IN_TARGET
    assert folded.spans == [("A", 0, 10)]


def test_an_end_without_talk_and_without_answer_is_an_abandonment_until_it_is_answered() -> None:
    """
    0 ww 3 ended, no talk: abandoned, short      4 answered (late): the end is its leg's
    """
    ended = call(3, "ended", talk_s=0)
    expected = {"offered": 1, "abandoned": 1, "abandoned_in_target": 1, "short_abandoned": 1}
    assert Folded(OFFERED, ended).total() == expected
    folded = Folded(OFFERED, ended, call(4, "answered", wait_s=3))
    assert folded.total() == ANSWERED_IN_TARGET
    assert folded.legs == [(1, "q", "", 3, 0)]


def test_nothing_takes_back_who_left_in_the_voice_menu() -> None:
    folded = Folded(OFFERED, call(2, "abandoned", wait_s=2, stage="ivr"), call(3, "answered", wait_s=3))
    assert folded.total() == {"offered": 1, "abandoned_ivr": 1}
    assert folded.spans == []


def test_two_legs_of_an_attended_transfer() -> None:
    """
    0 www 12 a1 ======= 132 transferred to q2/B, ended   139 a2 ====== 312 ended
    """
    folded = Folded(
        OFFERED,
        call(12, "answered", wait_s=12, agent_id="a1"),
        call(132, "transferred", to_queue="q2", to_team="B"),
        call(132, "ended", talk_s=120, agent_id="a1"),
        call(139, "answered", wait_s=7, agent_id="a2"),
        call(312, "ended", talk_s=173, agent_id="a2"),
    )
    assert folded.legs == [(1, "q", "a1", 12, 120), (2, "q2", "a2", 139, 173)]
    assert folded.counts["q", "A"]["transferred"] == folded.counts["q", "A"]["answered"] == 1
    assert folded.counts["q", "A"]["ended"] == 0
    assert folded.counts["q2", "B"] == Counter(legs=1, talk_ms=173_000, hold_ms=0, wrapup_ms=0, ended=1)


@pytest.mark.parametrize("over", [call(60, "ended", talk_s=55), call(60, "abandoned", wait_s=60)])
def test_a_transfer_after_the_end_counts_only_if_the_call_goes_on(over: tuple[Event, int]) -> None:
    """
    0 … 60 over, 61 transferred: nothing.      90 answered there: it counts, under q, and the leg is q2's
    """
    answered = [call(5, "answered", wait_s=5)] if over[0].data.call_id and "ended" in over[0].id else []
    moved = call(61, "transferred", to_queue="q2", to_team="B")
    stays = Folded(OFFERED, *answered, over, moved)
    assert stays.total()["transferred"] == 0
    assert (stays.call.queue, stays.call.team) == ("q", "A")
    goes_on = Folded(OFFERED, *answered, over, moved, call(90, "answered", wait_s=29, agent_id="a2"))
    assert goes_on.counts["q", "A"]["transferred"] == 1
    assert goes_on.legs[-1][1:3] == ("q2", "a2")
    assert goes_on.total()["answered"] == 1
    assert goes_on.total()["ended"] == 0


def test_a_call_that_overflows_waits_where_it_is() -> None:
    """
    0 wwwww(A)wwwww 30 transferred to B wwwww(B)wwwww 50 answered: counted under the first queue and team
    """
    folded = Folded(
        OFFERED, call(30, "transferred", to_queue="q2", to_team="B"), call(50, "answered", wait_s=50, agent_id="b")
    )
    assert folded.spans == [("A", 0, 30), ("B", 30, 50)]
    assert folded.counts["q", "A"]["answered"] == 1
    assert folded.legs[0][1] == "q2"


def test_an_end_that_names_another_agent_ends_no_leg_of_somebody_else() -> None:
    folded = Folded(
        OFFERED,
        call(5, "answered", wait_s=5, agent_id="a1"),
        call(50, "ended", talk_s=40, agent_id="a2"),
        call(60, "ended", talk_s=55),
    )
    assert folded.legs == [(1, "q", "a1", 5, 55), (2, "q", "a2", 10, 40)]
    assert folded.total()["ended"] == 1


def test_a_call_is_lost_only_if_nobody_answered() -> None:
    """
    0 wwww … 7200 lost           0 5 answered ==== … 7205 closed: it counts once, as answered
    """
    assert Folded(OFFERED, until=7200).total() == {"offered": 1, "lost": 1}
    answered = Folded(OFFERED, call(5, "answered", wait_s=5), until=7205)
    assert answered.total() == {"offered": 1, "answered": 1, "answered_in_target": 1}
    assert answered.call.outcome == "lost"
