"""The logs of the benchmark: a repeated log has the same events, later and with other names."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.bench.log import TooShort, copied, of_tickets, open_tickets, repeated
from streams.models.instants import DAY, HOUR, WEEK, format_instant, parse_instant
from streams.replay.log import place
from streams.simulator import World, encode, events

MONDAY = parse_instant("2026-10-12T00:00:00+08:00")
LOG = [encode(event) for event in events(World(seed=3, start=MONDAY, end=MONDAY + 6 * HOUR + 2 * DAY, agents=4))]


def found(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


@given(st.integers(1, 4 * len(LOG)))
@settings(max_examples=20, deadline=None)
def test_there_are_as_many_as_asked_for_and_identities_are_unique(number: int) -> None:
    lines = list(repeated(LOG, number))
    assert len(lines) == number
    assert len({(event["source"], event["id"]) for event in found(lines)}) == number


def test_order_is_kept_and_every_line_is_an_event() -> None:
    """A log of 2 1/4 days: each copy begins a week after the former one's beginning.

    copy 0 |--|      copy 1 |--|      copy 2 |--|
           ^ Monday         ^ Monday         ^ Monday
    """
    placed = [place(line) for line in repeated(LOG, 3 * len(LOG))]
    times = [line.event.at for line in placed if line.event is not None]
    assert len(times) == len(placed)
    assert times == sorted(times)
    assert times[len(LOG)] - times[0] == times[2 * len(LOG)] - times[len(LOG)] == WEEK


def test_the_first_copy_is_the_log_itself() -> None:
    assert list(repeated(LOG, len(LOG))) == LOG
    assert list(repeated(LOG, 2 * len(LOG)))[: len(LOG)] == LOG
    assert list(repeated(LOG, 10)) == LOG[:10]


def test_copies_share_no_subject_and_no_customer_but_teams_and_agents() -> None:
    lines = found(list(repeated(LOG, 2 * len(LOG))))
    first, second = lines[: len(LOG)], lines[len(LOG) :]

    def named(events: list[dict[str, Any]], field: str) -> set[str]:
        return {event["data"][field] for event in events if field in event["data"]}

    for field in ("ticket_id", "call_id", "survey_id", "customer_id"):
        assert {f"{name}~1" for name in named(first, field)} == named(second, field)
    for field in ("team", "agent_id", "queue", "category"):
        assert named(first, field) == named(second, field)


def test_an_event_of_a_copy() -> None:
    data = {"callback_id": "CB-1", "customer_id": "K-7", "due_at": "2026-10-13T09:30:00.250+08:00", "segment": "vip"}
    event = {"id": "e1", "source": "/s", "type": "callback.due", "time": "2026-10-12T08:00:00Z", "subject": "CB-1"}
    copy = json.loads(copied(json.dumps({**event, "data": data}).encode(), "~2", 2 * WEEK))
    assert copy == {
        "id": "e1~2",
        "source": "/s",
        "type": "callback.due",
        "time": "2026-10-26T08:00:00Z",
        "subject": "CB-1~2",
        "data": {
            "callback_id": "CB-1~2",
            "customer_id": "K-7~2",
            "due_at": "2026-10-27T01:30:00.250Z",
            "segment": "vip",
        },
    }


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"id": 7, "time": "2026-10-12T08:00:00Z", "data": {}}', b'"x"'])
def test_what_is_no_event_stays_as_it_is(line: bytes) -> None:
    assert copied(line, "~1", WEEK) == line


def test_a_log_that_cannot_be_repeated_is_one_sentence() -> None:
    with pytest.raises(TooShort, match="holds no events"):
        list(repeated([], 1))
    with pytest.raises(TooShort, match="could be repeated"):
        list(repeated([b"{"], 2))
    with pytest.raises(TooShort, match="beyond 2100"):
        list(repeated(LOG[:2], 20_000))


def test_only_ticket_events_are_left() -> None:
    kinds = {event["type"].partition(".")[0] for event in found(of_tickets(LOG))}
    assert kinds == {"ticket"}


def test_tickets_that_stay_open() -> None:
    """created 0 s, assigned 20 s, replied 120 s; the next ticket one second later."""
    start = parse_instant("2026-10-12T00:00:00Z")
    lines = [place(line) for line in open_tickets(200, start)]
    times = [line.event.at for line in lines if line.event is not None]
    assert len(times) == 600
    assert times == sorted(times)
    assert {line.key for line in lines} == {f"T-{n:06}" for n in range(200)}
    seven = [json.loads(line.value) for line in lines if line.key == "T-000007"]
    assert [(event["type"], event["time"]) for event in seven] == [
        (f"ticket.{what}", format_instant(start + 7_000 + later).replace(".000Z", "Z"))
        for what, later in (("created", 0), ("assigned", 20_000), ("replied", 120_000))
    ]
