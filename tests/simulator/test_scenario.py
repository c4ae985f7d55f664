"""Scenario files: their contents, their effects on the desk, and their errors."""

from importlib.resources import files

import pytest

from streams.simulator import Scenario, ScenarioError, World, duration, events, parse
from streams.simulator.kernel import DAY, HOUR, MINUTE
from streams.simulator.scenario import Announcement, Closure, Shortage, Surge

from .conftest import MONDAY


def test_a_file_of_everything() -> None:
    text = """
    [[outage]]
    at = "1d10h"
    for = "3h"
    contacts = 3.0
    category = "payment"
    [[policy_change]]
    at = 2026-10-13T09:00:00+08:00
    notice = "24h"
    for = "2d"
    title = "New return rules"
    tags = ["returns"]
    contacts = 1.5
    [[shortage]]
    at = "2d"
    for = "1d"
    absent = 0.4
    [[closure]]
    at = "2026-10-15T14:00:00+08:00"
    for = "90m"
    calendar = "office"
    """
    announced = MONDAY + DAY + 9 * HOUR
    closed = MONDAY + 3 * DAY + 14 * HOUR
    assert parse(text, "all.toml", MONDAY) == Scenario(
        (
            Surge(MONDAY + 34 * HOUR, MONDAY + 37 * HOUR, 3.0, "payment", True, "outage"),
            Surge(announced + DAY, announced + 3 * DAY, 1.5, "billing", False, "New return rules"),
        ),
        (Announcement(announced, announced + DAY, "New return rules", ("returns",)),),
        (Shortage(MONDAY + 2 * DAY, MONDAY + 3 * DAY, 0.4, ""),),
        (Closure(closed, closed + 90 * MINUTE, "office", ""),),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[outage]]\nat = '1d'\nfor = '3h'", "contacts"),
        ("[[outage]]\nat = '1d'\nfor = '3 hours'\ncontacts = 2.0", "'3 hours' is not a duration"),
        ("[[outage]]\nat = 'noon'\nfor = '3h'\ncontacts = 2.0", "'noon' is not a time"),
        ("[[outage]]\nat = '2026-10-12T09:00:00'\nfor = '3h'\ncontacts = 2.0", "has no offset"),
        ("[[outage]]\nat = '1d'\nfor = '3h'\ncontacts = 0.5", "at least 1"),
        ("[[shortage]]\nat = '1d'\nfor = '3h'\nabsent = 4.0", "share from 0 to 1"),
        ("[[flood]]\nat = '1d'", "flood"),
        ("outage = ", "Invalid value"),
        ("[[outage]]\nat = 5\nfor = '3h'\ncontacts = 2.0", "at is 5"),
        ("[[outage]]\nat = '1d'\nfor = '3h'\ncontacts = nan", "contacts is nan"),
        ("[[outage]]\nat = '1d'\nfor = '99999999d'\ncontacts = 2.0", "a hundred years"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_cause(text: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says) as error:
        parse(text, "mine.toml", MONDAY)
    assert "mine.toml" in str(error.value)


def test_a_shortage_of_an_unknown_team_is_refused() -> None:
    gap = Scenario(shortages=(Shortage(MONDAY, MONDAY + DAY, 0.5, "night-watch"),))
    with pytest.raises(ValueError, match="no team 'night-watch'"):
        World(1, MONDAY, scenario=gap)


@pytest.mark.parametrize(("text", "ms"), [("7d", 7 * DAY), ("1d12h30m", 36 * HOUR + 30 * MINUTE), ("90s", 90_000)])
def test_durations(text: str, ms: int) -> None:
    assert duration(text) == ms


def test_an_outage_multiplies_contacts_and_groups_its_tickets() -> None:
    """Tuesday 09:30-12:30 at four times the usual: three of four contacts are the outage's."""
    text = (files("streams.simulator") / "scenarios" / "outage.toml").read_text()
    scenario = parse(text, "outage", MONDAY)

    def tuesday(happening: Scenario) -> list[dict[str, str]]:
        return [
            event["data"]
            for event in events(World(4, MONDAY, MONDAY + 2 * DAY, agents=40, scenario=happening))
            if event["type"] == "ticket.created" and "2026-10-13T09:30" <= event["time"] < "2026-10-13T12:30"
        ]

    usual, surge = tuesday(Scenario()), tuesday(scenario)
    assert 3 < len(surge) / len(usual) < 5
    children = [data for data in surge if "parent_id" in data]
    assert len(children) > len(surge) / 2
    assert {data["category"] for data in children} == {"payment"}
    assert {data["parent_id"] for data in children} <= {data["ticket_id"] for data in surge}


def test_a_policy_change_is_announced_and_asked_about_once_in_force() -> None:
    """Announced Tuesday 10:00, in force Wednesday 10:00: then more about returns, not before."""
    text = (files("streams.simulator") / "scenarios" / "policy_change.toml").read_text()
    scenario = parse(text, "policy_change", MONDAY)
    run = list(events(World(4, MONDAY, MONDAY + 3 * DAY, agents=60, scenario=scenario)))
    (announced,) = [each for each in run if each["data"].get("title") == "New return rules" and
                    each["data"]["tags"] == ["returns", "consumer_rights"]]  # fmt: skip
    assert announced["time"] == announced["data"]["announced_at"] == "2026-10-13T10:00:00.000+08:00"
    assert announced["data"]["effective_at"] == "2026-10-14T10:00:00.000+08:00"

    def share(day: str) -> float:
        about = [
            each["data"].get("category")
            for each in run
            if each["type"] == "ticket.created" and f"{day}T10" <= each["time"] < f"{day}T20"
        ]
        return about.count("returns") / len(about)

    assert share("2026-10-14") > 1.8 * share("2026-10-13")
