"""Rotas: who is on shift, and the gaps. Expert pools: who gets a message, by the tags of the warning."""

from datetime import UTC, datetime
from typing import Any

import pytest

from streams.desk.escalation.chain import Step, StoredWarning
from streams.desk.escalation.dispatch import addressee
from streams.desk.escalation.rota import gaps, on_shift
from streams.desk.policy.versions import parse

POLICY = """
version = "v"
timezone = "Asia/Shanghai"
[calendars.office.hours]
mon = ["09:00-18:00"]
[receivers]
day = { url_env = "DAY" }
night = { url_env = "NIGHT" }
lead = { url_env = "LEAD" }
ann = { url_env = "ANN", hours = "office" }
bob = { url_env = "BOB" }
[rotas.duty]
otherwise = "lead"
shifts = [
  { days = ["mon", "tue", "wed", "thu", "fri", "sat"], hours = "08:00-20:00", to = "day" },
  { days = ["sun", "mon"], hours = "20:00-08:00", to = "night" },
]
[rotas.bare]
shifts = [ { days = ["mon"], to = "day" } ]
[experts]
network = { tags = ["network", "vpn"], members = ["ann", "bob"] }
billing = { tags = ["billing"], members = ["lead"] }
"""
DESK = parse(POLICY, "p.toml")
ALL = {receiver.url_env for receiver in DESK.receivers.values()}


def instant(day: int, hour: int, minute: int = 0) -> int:
    """2026-11-<day> at that time UTC; the 2nd is a Monday. Shanghai is 8 hours ahead."""
    return int(datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("at", "who"),
    [
        (instant(2, 0), "day"),  # Monday 08:00 in Shanghai
        (instant(1, 23, 59), "night"),  # Monday 07:59, of Sunday's shift
        (instant(1, 12), "night"),  # Sunday 20:00
        (instant(1, 11, 59), "lead"),  # Sunday 19:59: nobody is on shift
        (instant(2, 12), "night"),  # Monday 20:00
        (instant(3, 12), "lead"),  # Tuesday 20:00
    ],
)
def test_who_is_on_shift(at: int, who: str) -> None:
    """
    Shanghai   sun ....20:00|--night--|08:00 mon --day-- 20:00|--night--|08:00 tue --day-- 20:00|.. lead ..
    """
    assert on_shift(DESK.rotas["duty"], at, DESK.timezone) == who


def test_the_gaps_of_a_week() -> None:
    assert list(gaps(DESK.rotas["duty"])) == [
        "tue 20:00 - wed 08:00",
        "wed 20:00 - thu 08:00",
        "thu 20:00 - fri 08:00",
        "fri 20:00 - sat 08:00",
        "sat 20:00 - sun 20:00",
    ]
    assert list(gaps(DESK.rotas["bare"])) == ["tue 00:00 - mon 00:00"]


def warning(at: int, **fields: Any) -> StoredWarning:
    return StoredWarning(warning_id="w1", rule="sla.breached", subject="s", severity="critical", raised_at=at, **fields)


def test_in_a_gap_without_otherwise_a_step_is_skipped_with_the_reason() -> None:
    found = addressee(Step(1, 0, "bare"), warning(0), DESK, instant(3, 4), ALL)
    assert found.reason == "nobody is on shift in bare"


def experts(at: int, turn: int = 0, **fields: str) -> tuple[str, str]:
    found = addressee(Step(1, 0, "experts", turn), warning(at, **fields), DESK, at, ALL)
    return found.receiver, found.reason


def test_experts_are_chosen_by_what_the_warning_is_about_and_take_turns() -> None:
    in_hours = instant(2, 3)  # Monday 11:00: ann is there
    assert {experts(in_hours, turn, category="vpn")[0] for turn in (0, 1)} == {"ann", "bob"}
    assert experts(in_hours, 0, category="vpn") == experts(in_hours, 2, category="vpn")
    assert experts(in_hours, product="billing") == ("lead", "")
    assert experts(in_hours, category="cooking") == ("", "no expert pool has a tag of the warning")


def test_an_expert_within_hours_comes_before_one_who_is_not() -> None:
    at_night = instant(2, 15)
    assert {experts(at_night, turn, category="network")[0] for turn in (0, 1)} == {"bob"}
