"""The complaint-risk index: its laws, and the worked example of docs/complaint-risk.md."""

import re
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import policies
from streams.desk.customers.history import fold
from streams.desk.customers.risk_index import Risk
from streams.desk.customers.risk_warning import RULE
from streams.desk.policy.sections import RiskIndex, Signal
from streams.desk.policy.versions import Policies, parse
from streams.desk.texts import LANGUAGES, text
from streams.models.customer_facts import CustomerFact, PolicyChange, Solved
from streams.models.entities import CustomerRow
from streams.models.instants import DAY, HOUR
from streams.models.rows import FactRow, WarningRow

SHIPPED = policies.load(policies.DEFAULT)
INDEX = SHIPPED.versions[0].risk_index
NAMES = [name for name in INDEX.__struct_fields__ if isinstance(getattr(INDEX, name), Signal)]
DOCS = Path(__file__).parents[2] / "docs" / "complaint-risk.md"

ROUNDING = 1e-12  # the signals are added up in the order in which each came first

Given = tuple[int, str, float]  # hours, signal, weight
_given = st.tuples(st.integers(0, 500), st.sampled_from(NAMES), st.sampled_from([0.25, 0.5, 1.0]))
_signals = st.lists(_given, max_size=25)


def risk_of(given: list[Given], vip: bool = False, index: RiskIndex = INDEX) -> Risk:
    risk = Risk(index)
    risk.vip = vip
    for hours, name, weight in sorted(given):
        risk.add(name, hours * HOUR, weight)
    return risk


@given(_signals, st.booleans(), st.integers(500, 5000))
def test_bounded_and_additive(given: list[Given], vip: bool, hours: int) -> None:
    risk = risk_of(given, vip)
    score, parts = risk.score(hours * HOUR), risk.parts(hours * HOUR)
    assert 0 <= score <= 100
    assert score == pytest.approx(min(100, sum(points for _, points in parts)), abs=len(NAMES) * 0.1)
    for name in NAMES:
        assert risk.points(name, hours * HOUR) <= getattr(INDEX, name).cap


@given(_signals, _given, st.booleans(), st.integers(500, 5000))
@hypothesis.example([*((0, "sla_share", 0.25),) * 3, *((0, "low_survey", 0.25),) * 2, *((148, "breach", 1.0),) * 2],
         (0, "breach", 0.25), False, 621)  # fmt: skip
def test_monotone_in_each_signal(given: list[Given], more: Given, vip: bool, hours: int) -> None:
    """One more signal, at any time, and being a VIP, never lower the index, then or later, but for rounding."""
    at = hours * HOUR
    heavier = (more[0], more[1], more[2] * 2)
    for higher, lower in (
        (risk_of([*given, more], vip), risk_of(given, vip)),
        (risk_of(given, True), risk_of(given, False)),
        (risk_of([*given, heavier]), risk_of([*given, more])),
    ):
        assert higher.score(at) >= lower.score(at) - ROUNDING


@given(_signals, st.integers(0, 90))
def test_it_only_falls_and_falls_to_is_the_first_instant(given: list[Given], limit: int) -> None:
    risk, at = risk_of(given), 500 * HOUR
    reached = risk.falls_to(limit, at)
    least = max(limit, 0.05)
    assert risk.score(reached) <= least
    assert reached == at or risk.score(reached - 1) > least
    scores = [risk.score(at + hours * HOUR) for hours in range(0, 400, 7)]
    assert scores == sorted(scores, reverse=True)


def test_another_policy_goes_on_from_what_is_left() -> None:
    """
    breach 20 points |--- 72 h: 10 left ---| half-life 24 h, cap 8: 8 ---- 24 h: 4 left
    """
    other = msgspec.structs.replace(INDEX, breach=Signal(20, DAY, 8), transfer=None)  # type: ignore[arg-type]
    risk = risk_of([(0, "breach", 1.0), (0, "transfer", 1.0)])
    risk.switch(other, 72 * HOUR)
    assert risk.points("breach", 96 * HOUR) == 4.0
    assert set(risk.levels) == {"breach"}


def test_the_texts_say_what_would_lower_each_signal() -> None:
    for name in (*NAMES, "vip"):
        words = [text(f"lower_{name}", language) for language in LANGUAGES]
        assert len(set(words)) == 2
        assert f"lower_{name}" not in words


# The worked example

COLUMNS = ("complaint", "severity", "breach", "transfer", "repeat_contact")
T0 = 1_791_763_200_000  # 2026-10-12T00:00:00Z


def example(vip: bool = False) -> list[CustomerFact]:
    """The customer of the documentation: a major complaint, a day between one thing and the next."""
    signals = [
        ("complaint", T0, 1.0),
        ("severity", T0, 0.5),
        ("breach", T0 + DAY, 1.0),
        ("transfer", T0 + 2 * DAY, 1.0),
    ]
    signals += [("breach", T0 + 4 * DAY, 1.0)] + ([("vip", T0, 1.0)] if vip else [])
    ticket = CustomerFact(
        "c9", "tt1", T0, "tax", team="after-sales", url="https://desk/t1", signals=signals, known_at=T0
    )
    return [ticket, CustomerFact("c9", "cc1", T0 + 3 * DAY, "tax", known_at=T0 + 3 * DAY)]


def folded(facts: list[CustomerFact], clock: int, *changes: PolicyChange, given: Policies = SHIPPED) -> dict[Any, Any]:
    rows = fold(["c9"], facts, changes, given, clock).rows.values()
    return {row.rule if isinstance(row, WarningRow) else type(row): row for row in rows}


def test_the_worked_example() -> None:
    lines = [line for line in DOCS.read_text().splitlines() if re.match(r"\| \d+ h", line)]
    assert len(lines) == 5
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        at = T0 + int(cells[0].split()[0]) * HOUR
        expected = {name: float(cell) for name, cell in zip(COLUMNS, cells[2:7], strict=True) if cell}
        row: CustomerRow = folded(example(), at)[CustomerRow]
        now = {name: points * 2 ** ((since - at) / half_life) for name, points, since, half_life in row.signals}
        assert {name: round(points, 1) for name, points in now.items()} == expected
        score = float(re.findall(r"\*\*(.*)\*\*", cells[7])[0])
        assert round(sum(now.values()), 1) == score
        warning = folded(example(), at).get(RULE)
        assert (warning is not None) == ("raised" in cells[7])


def test_the_worked_example_is_raised_and_cleared() -> None:
    raised: WarningRow = folded(example(), T0 + 5 * DAY)[RULE]
    assert (raised.state, raised.raised_at, raised.severity) == ("raised", T0 + 4 * DAY, "critical")
    assert (raised.ticket_id, raised.team, raised.url) == ("t1", "after-sales", "https://desk/t1")
    assert (raised.subject, raised.customer_id) == ("customer/c9", "c9")
    assert raised.measures == {"value": 70.9, "raise_at": 60, "clear_at": 40}
    assert [reason[:2] for reason in raised.reasons] == [
        ("breach", 30.0), ("complaint", 20.5), ("repeat_contact", 9.1), ("severity", 8.2), ("transfer", 3.1),
    ]  # fmt: skip
    cleared: WarningRow = folded(example(), T0 + 30 * DAY)[RULE]
    assert (cleared.state, cleared.warning_id, cleared.cleared_by) == ("cleared", raised.warning_id, "decayed")
    assert cleared.cleared_at is not None
    minutes = (cleared.cleared_at - cleared.raised_at) // 60_000
    (documented,) = re.findall(r"cleared (\d+) days, (\d+) hours and (\d+) minutes later", DOCS.read_text())
    assert tuple(map(int, documented)) == (minutes // 1440, minutes // 60 % 24, minutes % 60)


def test_a_vip_is_raised_earlier() -> None:
    warning: WarningRow = folded(example(vip=True), T0 + DAY)[RULE]
    assert (warning.raised_at, warning.measures["value"], warning.segment) == (T0 + DAY, 80.0, "vip")
    assert sum(points for _, points, _ in warning.reasons) == pytest.approx(80.0, abs=0.3)
    assert "80.0 at 24 h" in DOCS.read_text()


def test_a_policy_change_in_force_is_named() -> None:
    """
    effective 1 d |----- 30 d -----|
    contacts     0 d: no   3 d: yes        40 d: no
    """
    change = PolicyChange("k", "n1", "New returns", ["tax"], T0, T0 + DAY)
    row: CustomerRow = folded(example(), T0 + 5 * DAY, change)[CustomerRow]
    assert row.counts["policy_change"] == 1
    warning: WarningRow = folded(example(), T0 + 3 * DAY, change)[RULE]
    assert (warning.state, warning.raised_at, warning.cause) == ("raised", T0 + 3 * DAY, "New returns")
    assert ("policy_change", 8.0) in [reason[:2] for reason in warning.reasons]
    assert folded(example(), T0 + 3 * DAY).get(RULE) is None


def test_a_call_and_the_ticket_opened_on_it_are_one_contact() -> None:
    call = CustomerFact("c9", "cc1", T0, "tax", about="t1", known_at=T0)
    ticket = CustomerFact("c9", "tt1", T0 + HOUR, "tax", known_at=T0 + HOUR)
    row: CustomerRow = folded([call, ticket], T0 + DAY)[CustomerRow]
    assert (row.contacts, row.calls, row.tickets, row.counts) == (1, 1, 1, {})


def test_a_rise_after_the_clearing_waits_for_the_cool_down() -> None:
    """
    index   80        (60 h: 40)  80
    warning |== 10 h ==|  rest until 10 h later: raised again, if it still is over the limit
    """
    text_of = 'version = "1"\ntimezone = "UTC"\n[[rules]]\nrule = "complaint.risk"\ncooldown = "10h"\n[risk_index]\n'
    text_of += 'breach = { points = 80, half_life = "5h", cap = 80 }\nraise_at = 60\nclear_at = 40\n'
    given = Policies([parse(text_of, "p")])
    # At 10 h it has fallen to 20; it may not be cleared before, though it fell to 40 at 5 h. At 11 h it rises to 80
    # again, at 20 h (the end of the rest) it would be 23; at 18 h a third breach: 80, at 20 h 60.6.
    fact = CustomerFact("c9", "tt1", T0, signals=[("breach", T0 + hours * HOUR, 1.0) for hours in (0, 11, 18)])
    rows = fold(["c9"], [fact], (), given, T0 + 20 * HOUR + 1).rows.values()
    warnings = sorted((row for row in rows if isinstance(row, WarningRow)), key=lambda row: row.raised_at)
    assert [((row.raised_at - T0) / HOUR, row.state) for row in warnings] == [(0, "cleared"), (20, "raised")]
    assert warnings[0].cleared_at == T0 + 10 * HOUR
    assert warnings[1].measures["value"] == 60.6


def test_what_becomes_known_when_a_life_is_over_changes_nothing_before() -> None:
    """
    t1     |contact ... a hold and a week|
    t2       |contact, the day after           known to be theirs now: no repeat, and t1 stays solved at first contact
    """
    hold = SHIPPED.at(T0).hold_ms
    late = T0 + hold + 8 * DAY
    solved = Solved(T0, False, "", "", "", "", "", "tax", "", "")
    first = CustomerFact("c9", "tt1", T0, "tax", solved=solved, known_at=T0)
    second = CustomerFact("c9", "tt2", T0 + DAY, "tax", known_at=late)
    alone = folded([second], late)[CustomerRow]
    assert (alone.contacts, alone.first_contact_at, alone.counts) == (1, T0 + DAY, {})
    both = folded([first, second], late)
    assert both[CustomerRow] == alone
    assert both[FactRow].counts == {"fcr_yes": 1}
    in_time = folded([first, msgspec.structs.replace(second, known_at=late - DAY)], late)
    assert in_time[FactRow].counts == {"fcr_no": 1}
    assert in_time[CustomerRow].counts == {"fcr_no": 1, "repeat_contact": 1}


def test_whoever_is_forgotten_stands_no_longer() -> None:
    fact = CustomerFact("c9", "tt1", T0, "tax", known_at=T0)
    forgotten_at = T0 + SHIPPED.at(T0).hold_ms + 8 * DAY
    assert not fold(["c9"], [fact], (), SHIPPED, forgotten_at).over
    over = fold(["c9"], [fact], (), SHIPPED, forgotten_at + 1)
    assert (over.over, over.rows) == (True, {})
    held = msgspec.structs.replace(fact, held_until=forgotten_at)
    assert not fold(["c9"], [held], (), SHIPPED, forgotten_at + 1).over
