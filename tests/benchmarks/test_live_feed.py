"""What `deskwatch bench live` feeds: the rate, the steps, the breaches."""

from collections import Counter

from streams.bench.live_feed import STEPS_MS, Due, event, steady, storm
from streams.models.codec import decode
from streams.models.envelope import Event
from streams.models.instants import MINUTE


def test_once_warm_so_many_events_come_a_second_in_order() -> None:
    fed = list(steady(400, 20_000))
    assert fed == sorted(fed, key=lambda due: due.at)
    by_second = Counter(due.at // 1000 for due in fed)
    # 100 tickets a second with four steps each, of which 2 % are not answered.
    assert all(397 <= by_second[second] <= 399 for second in range(13, 20))


def test_each_step_has_its_distance_from_the_creation() -> None:
    steps = {due.what: due.at for due in steady(40, 20_000) if due.ticket_id == "T-7"}
    assert {what: at - steps["created"] for what, at in steps.items()} == STEPS_MS


def test_one_ticket_in_fifty_is_never_answered() -> None:
    answered = {due.ticket_id for due in steady(400, 20_000) if due.what == "replied"}
    assert "T-50" not in answered
    assert {"T-49", "T-51"} <= answered


def test_a_storm_is_created_evenly_within_a_minute() -> None:
    fed = list(storm(600))
    assert (len(fed), fed[0].at, fed[1].at, fed[-1].at) == (600, 0, 100, MINUTE - 100)


def test_each_is_an_event() -> None:
    for what in STEPS_MS:
        found = decode(event(Due(1500, what, "S-1"), 1_790_000_000_000))
        assert isinstance(found, Event)
        assert found.at == 1_790_000_001_500
