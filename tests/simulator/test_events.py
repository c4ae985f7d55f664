"""A week of the simulated desk against the contract, and against the statistics of a real desk."""

from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.simulator import World, encode, events, instant
from streams.simulator.kernel import DAY, HOUR, Event

from .conftest import MONDAY
from .contract import TYPES, faults


def test_every_event_keeps_to_the_contract(week: list[Event]) -> None:
    assert [(event, found) for event in week if (found := faults(event))] == []


@given(
    seed=st.integers(0, 10**9),
    agents=st.integers(4, 30),
    contacts=st.none() | st.floats(1, 3000),
    start=st.integers(0, 14 * DAY),
    zone=st.sampled_from(["Asia/Shanghai", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
@settings(max_examples=15, deadline=None)
def test_any_desk_keeps_to_the_contract(seed: int, agents: int, contacts: float | None, start: int, zone: str) -> None:
    start += MONDAY
    world = World(seed, start, start + 12 * HOUR, agents, contacts, ZoneInfo(zone))
    last = start
    for event in events(world):
        assert faults(event) == []
        at = instant(event["time"])
        assert last <= at < start + 12 * HOUR
        last = at


def test_every_type_appears_in_a_week(week: list[Event]) -> None:
    assert {event["type"] for event in week} == set(TYPES)


@pytest.mark.parametrize("seed", range(3))
def test_every_type_appears_in_a_week_of_any_seed(seed: int) -> None:
    start = MONDAY + 3 * DAY  # from a Thursday
    assert {each["type"] for each in events(World(seed, start, start + 7 * DAY, agents=40))} == set(TYPES)


def test_times_never_go_back_and_stay_within_the_run(world: World, week: list[Event]) -> None:
    times = [instant(event["time"]) for event in week]
    assert times == sorted(times)
    assert world.start <= times[0]
    assert world.end is not None
    assert times[-1] < world.end


def test_the_desk_speaks_in_its_own_zone(week: list[Event]) -> None:
    assert {event["time"][-6:] for event in week} == {"+08:00"}


def test_identities_are_unique(week: list[Event]) -> None:
    assert len({(event["source"], event["id"]) for event in week}) == len(week)


def test_the_order_of_ids_is_the_order_of_events(week: list[Event]) -> None:
    """Readers break a tie in time by the id, as text."""
    ids = [event["id"] for event in week]
    assert ids == sorted(ids)


def test_same_seed_same_bytes_other_seed_other_events() -> None:
    def run(seed: int) -> bytes:
        return b"\n".join(map(encode, events(World(seed, MONDAY, MONDAY + DAY, agents=10))))

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_nothing_happens_to_a_ticket_or_call_before_it_exists(week: list[Event]) -> None:
    known: set[str] = set()
    for event in week:
        data = event["data"]
        if event["type"] in ("ticket.created", "call.offered"):
            assert event["subject"] not in known
            known.add(event["subject"])
        named = {data.get("ticket_id"), data.get("call_id"), data.get("into"), data.get("parent_id")} - {None}
        assert named <= known, event


def test_a_call_is_offered_then_answered_or_abandoned_then_ended(week: list[Event]) -> None:
    story: defaultdict[str, list[str]] = defaultdict(list)
    for event in week:
        if event["type"].startswith("call."):
            story[event["subject"]].append(event["type"].removeprefix("call."))
    allowed = {
        ("offered",), ("offered", "abandoned"), ("offered", "answered"), ("offered", "answered", "ended"),
        ("offered", "answered", "transferred"), ("offered", "answered", "transferred", "ended"),
        ("offered", "answered", "transferred", "answered"),
        ("offered", "answered", "transferred", "answered", "ended"),
    }  # fmt: skip
    assert {tuple(steps) for steps in story.values()} <= allowed


def test_a_customer_waits_as_long_as_the_event_says(week: list[Event]) -> None:
    """offered ──ivr_s──> queued ──wait_s──> answered (the first time) or abandoned"""
    queued: dict[str, int] = {}
    for event in week:
        if event["type"] == "call.offered":
            queued[event["subject"]] = instant(event["time"]) + round(event["data"]["ivr_s"] * 1000)
        elif event["type"] in ("call.answered", "call.abandoned") and event["subject"] in queued:
            waited = instant(event["time"]) - queued.pop(event["subject"])
            assert waited == round(event["data"]["wait_s"] * 1000)


def test_an_agent_has_one_contact_at_a_time(week: list[Event]) -> None:
    states: dict[str, str] = {}
    for event in week:
        if event["type"] == "agent.state_changed":
            agent, state = event["data"]["agent_id"], event["data"]["state"]
            before = states.get(agent, "offline")
            assert before != state, event
            if before == "offline":
                assert state in ("available", "on_contact")
            states[agent] = state


def test_no_ticket_has_two_events_of_a_type_at_one_instant(week: list[Event]) -> None:
    tickets = [(each["subject"], each["type"], each["time"]) for each in week if each["type"].startswith("ticket.")]
    assert len(set(tickets)) == len(tickets)


def test_contacts_are_as_many_as_asked_for() -> None:
    """Poisson: 7 x 2,000 contacts, so three standard deviations are 2.5 %."""
    run = events(World(1, MONDAY, MONDAY + 7 * DAY, agents=40, contacts_a_day=2000))
    contacts = sum(
        event["type"] == "call.offered" or (event["type"] == "ticket.created" and event["data"]["channel"] != "phone")
        for event in run
    )
    assert contacts == pytest.approx(14_000, rel=0.035)  # duplicates add one in a hundred


def test_the_day_has_a_peak_of_at_least_twice_the_mean(week: list[Event]) -> None:
    for chosen in ("", "ticket.created", "call.offered"):
        hours = Counter(int(event["time"][11:13]) for event in week if event["type"].startswith(chosen))
        assert max(hours.values()) >= 2 * sum(hours.values()) / 24


def test_the_week_has_quiet_days(week: list[Event]) -> None:
    days = Counter(event["time"][:10] for event in week if event["type"] == "call.offered")
    assert days["2026-10-12"] > 1.3 * days["2026-10-17"]
    assert days["2026-10-12"] > 1.3 * days["2026-10-18"]


def test_three_to_eight_per_cent_of_solved_tickets_are_reopened(week: list[Event]) -> None:
    status: dict[str, str] = {}
    solved, reopened = set(), set()
    for event in week:
        if event["type"] == "ticket.status_changed":
            ticket, to = event["subject"], event["data"]["status"]
            assert to != status.get(ticket, "new")
            if to == "solved":
                solved.add(ticket)
            elif to not in ("closed", "solved") and status.get(ticket) in ("solved", "closed"):
                reopened.add(ticket)
            status[ticket] = to
    assert 0.03 <= len(reopened) / len(solved) <= 0.08


def test_ten_to_thirty_per_cent_of_surveys_are_answered_some_late_some_twice(week: list[Event]) -> None:
    offered: dict[str, int] = {}
    answers: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for event in week:
        at = instant(event["time"])
        if event["type"] == "survey.offered":
            offered[event["data"]["survey_id"]] = at
        elif event["type"] == "survey.responded":
            survey = event["data"]["survey_id"]
            answers[survey, event["data"]["metric"]].append(at - offered[survey])
    assert 0.10 <= len(answers) / len(offered) <= 0.30
    assert any(delays[0] > DAY for delays in answers.values())
    assert any(len(delays) > 1 for delays in answers.values())


def test_customers_come_back(week: list[Event]) -> None:
    visits = Counter(
        event["data"].get("customer_id", "") for event in week if event["type"] in ("ticket.created", "call.offered")
    )
    visits.pop("", None)
    again = sum(count for count in visits.values() if count > 1)
    assert 0.2 < again / visits.total() < 0.8


def test_all_channels_priorities_kinds_segments_and_authors_occur(week: list[Event]) -> None:
    seen: defaultdict[str, set[object]] = defaultdict(set)
    for event in week:
        for name in ("channel", "priority", "kind", "segment", "author", "status", "stage", "public", "auto", "metric"):
            if name in event["data"]:
                seen[f"{event['type']}:{name}"].add(event["data"][name])
    created = TYPES["ticket.created"][1]
    for name in ("channel", "priority", "kind", "segment"):
        assert seen[f"ticket.created:{name}"] == created[name]
    assert seen["ticket.replied:author"] == {"customer", "agent", "bot", "system"}
    assert seen["ticket.replied:public"] == {True, False}
    assert seen["ticket.status_changed:status"] == {"open", "pending", "on_hold", "solved", "closed"}
    assert len(seen["ticket.stage_changed:stage"]) == 6
    assert seen["call.abandoned:stage"] == {"ivr", "queue", "ring"}
    assert seen["survey.responded:metric"] == {"csat", "nps", "ces", "resolution"}


@pytest.mark.parametrize(
    ("zone_start", "offsets"),
    [("2026-10-24T00:00:00+02:00", {"+02:00", "+01:00"}), ("2026-03-28T00:00:00+01:00", {"+01:00", "+02:00"})],
)
def test_a_desk_whose_clocks_change(zone_start: str, offsets: set[str]) -> None:
    """Berlin, the nights of 2026-10-25 (25 h) and 2026-03-29 (23 h): the offset follows, times still never go back."""
    start = instant(zone_start)
    run = list(events(World(1, start, start + 60 * HOUR, agents=10, zone=ZoneInfo("Europe/Berlin"))))
    assert {event["time"][-6:] for event in run} == offsets
    times = [instant(event["time"]) for event in run]
    assert times == sorted(times)
