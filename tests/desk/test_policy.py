"""Policies: sections, the target of a ticket, the sequence of versions, closures, files."""

import re
from datetime import datetime
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.desk.calendars.business_time import Calendar
from streams.desk.policy.file import PolicyError
from streams.desk.policy.sla_targets import CACHED_CHOICES, CACHED_LENGTH, Target
from streams.desk.policy.versions import Policies, parse
from streams.models.dimensions import Dimensions
from streams.models.envelope import METRICS, Priority
from streams.policies import DEFAULT, load

MINUTE = 60_000
HOUR = 3_600_000
DAY = 24 * HOUR

TEXT = """
version = "2026-11-22"
effective_from = "2026-11-22T00:00:00+08:00"
timezone = "Asia/Shanghai"

[calendars.always]
hours = "24x7"

[calendars.office]
holidays = ["CN", 2026-12-31]
extra_working_days = "2026-11-29"
[calendars.office.hours]
mon = ["09:00-12:00", "13:30-18:00"]
tue = ["09:00-12:00", "13:30-18:00"]
wed = ["09:00-12:00", "13:30-18:00"]
thu = ["09:00-12:00", "13:30-18:00"]
fri = ["09:00-12:00", "13:30-18:00"]

[clocks]
first_response = { pause_on = ["on_hold"] }
resolution = { pause_on = ["pending", "on_hold"], reopen = "continue" }

[[sla]]
name = "vip-complaints"
match = { segment = ["vip"], kind = ["complaint"] }
calendar = "always"
warn_at = 0.5
first_response = "15m"
resolution = { urgent = "2h", high = "4h", normal = "1d" }
silence = "24h"

[[sla]]
name = "tagged"
match = { tags = ["law", "press"] }
calendar = "always"
resolution = "15cd"

[[sla]]
name = "desk"
match = { team = ["desk"], priority = ["high", "normal"] }
calendar = "office"
first_response = "4h"
resolution = "3wd"

[calls]
answer_within = "15s"

[csat]
positive_from = 0.8

[windows]
rolling = ["1h", "5m"]
hold = "30d"
"""

KINDS = ("question", "incident", "problem", "task", "complaint", "order", "refund")


def at(text: str) -> int:
    """An RFC 3339 time in ms."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def dims(
    *, team: str = "", channel: str = "web", priority: str = "normal", kind: str = "question", segment: str = ""
) -> Dimensions:
    return Dimensions(team, channel, priority, kind, segment, "category", "product")


def target(metric: str, dimensions: Dimensions, *tags: str) -> Target:
    found = parse(TEXT, "desk.toml").target(metric, dimensions, tags)
    assert found is not None
    return found


def version(name: str, effective_from: str | None = None) -> str:
    line = f'effective_from = "{effective_from}"\n' if effective_from else ""
    return f'version = "{name}"\n{line}timezone = "UTC"\n[calendars.always]\nhours = "24x7"\n'


class TestSections:
    def test_what_is_given(self) -> None:
        policy = parse(TEXT, "desk.toml")
        assert policy.version == "2026-11-22"
        assert policy.effective_from == at("2026-11-21T16:00:00+00:00")
        assert policy.timezone == policy.calendars["always"].timezone == policy.calendars["office"].timezone
        assert policy.clocks["first_response"].pause_on == {"on_hold"}
        assert policy.clocks["resolution"].pause_on == {"pending", "on_hold"}
        assert policy.clocks["resolution"].reopen == "continue"
        assert policy.calls.answer_within_ms == 15_000
        assert policy.csat.positive_from_ppm == 800_000
        assert policy.windows_ms == (5 * MINUTE, HOUR)
        assert policy.hold_ms == 30 * DAY
        assert re.fullmatch("[0-9a-f]{64}", policy.digest)
        assert policy.digest != parse(TEXT + "# changed", "desk.toml").digest

    def test_what_is_left_out(self) -> None:
        policy = parse(version("v"), "v.toml")
        assert policy.effective_from is None
        assert {metric: set(rule.pause_on) for metric, rule in policy.clocks.items()} == {
            "first_response": set(),
            "next_response": {"pending"},
            "resolution": {"pending", "on_hold"},
        }
        assert policy.clocks["resolution"].reopen == "exclude_closed_time"
        assert (policy.calls.answer_within_ms, policy.calls.short_abandon_ms) == (20_000, 5_000)
        assert (policy.calls.max_wait_ms, policy.calls.max_talk_ms) == (2 * HOUR, 2 * HOUR)
        assert policy.calls.service_level == "answered_of_answered_and_abandoned"
        csat = policy.csat
        assert (csat.positive_from_ppm, csat.very_positive_from_ppm, csat.negative_to_ppm) == (
            750_000,
            1_000_000,
            500_000,
        )
        assert policy.windows_ms == (5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY)
        assert (policy.lateness_ms, policy.hold_ms) == (DAY, 90 * DAY)

    def test_a_calendars_days(self) -> None:
        """CN, a day off of the desk's own, and a worked Sunday."""
        calendar = parse(TEXT, "desk.toml").calendars["office"]
        for day, hours in (("2026-10-01", 0), ("2026-12-31", 0), ("2026-12-30", 7.5), ("2026-11-29", 7.5)):
            midnight = at(f"{day}T00:00+08:00")
            assert calendar.between(midnight, midnight + DAY) == hours * HOUR, day

    def test_effective_from_may_be_a_toml_time(self) -> None:
        text = version("v", "x").replace('"x"', "2026-11-22T00:00:00.1239+08:00")
        assert parse(text, "v.toml").effective_from == at("2026-11-21T16:00:00.123+00:00")

    def test_the_contracts_example(self) -> None:
        """Every section of the file at once: rules, risk index, escalation, receivers, goals, scorecard."""
        policy = load(DEFAULT).versions[0]
        rule = policy.rules[0]
        assert (rule.rule, rule.by, rule.window_ms, rule.raise_at, rule.clear_at) == (
            "breach_rate.high", "team", HOUR, 0.15, 0.10,
        )  # fmt: skip
        assert (rule.min_n, rule.severity, rule.cooldown_ms) == (20, "warning", 30 * MINUTE)
        breach = policy.risk_index.breach
        assert breach is not None
        assert (breach.points, breach.half_life_ms, breach.cap) == (20, 72 * HOUR, 40)
        assert [(step.after_ms, step.to, step.repeat) for step in policy.escalation[0].steps] == [
            (0, "shift-lead", 1),
            (15 * MINUTE, "manager", 2),
        ]
        assert policy.receivers["shift-lead"].url_env == "DESKWATCH_SHIFT_LEAD_URL"
        assert policy.goals["csat"].benchmark == 0.95
        assert policy.scorecard.csat == 0.4


class TestTargets:
    def test_the_first_match_wins_at_its_priority(self) -> None:
        vip = {"segment": "vip", "kind": "complaint", "team": "desk"}
        found = target("resolution", dims(priority="high", **vip))
        assert (found.version, found.sla, found.calendar_name, found.warn_ppm) == (
            "2026-11-22", "vip-complaints", "always", 500_000,
        )  # fmt: skip
        assert found.resolve(5)[1] == 4 * HOUR
        assert found.resolve(5)[0].round_the_clock
        assert target("first_response", dims(priority="low", **vip)).resolve(5)[1] == 15 * MINUTE
        assert target("silence", dims(**vip)).resolve(5)[1] == 24 * HOUR

    def test_no_target_no_clock(self) -> None:
        policy = parse(TEXT, "desk.toml")
        vip = dims(segment="vip", kind="complaint", priority="low", team="desk")
        assert policy.target("resolution", vip) is None  # matched, but no target for low: the next SLA is not asked
        assert policy.target("next_response", vip) is None
        assert policy.targets(dims()).sla == ""
        assert all(policy.target(metric, dims()) is None for metric in METRICS)

    def test_every_key_must_hold_and_any_tag(self) -> None:
        policy = parse(TEXT, "desk.toml")
        assert policy.targets(dims(team="desk")).sla == "desk"
        assert policy.targets(dims(team="desk", priority="urgent")).sla == ""
        assert policy.targets(dims(team="desk"), ("x", "press")).sla == "tagged"
        assert policy.targets(dims(segment="vip")).sla == ""

    def test_working_days(self) -> None:
        """Fri 2026-11-20 17:00 + 3wd: Mon, Tue, Wed 18:00 = 1 h of Friday + 3 x 7.5 h."""
        start = at("2026-11-20T17:00+08:00")
        calendar, ms = target("resolution", dims(team="desk")).resolve(start)
        assert ms == HOUR + int(3 * 7.5 * HOUR)
        assert calendar.due(start, ms) == at("2026-11-25T18:00+08:00")

    def test_calendar_days_pass_closures_by(self) -> None:
        policies = Policies([parse(TEXT, "desk.toml")]).with_closures({"always": [(0, 1 << 60)]})
        found = policies.versions[0].target("resolution", dims(), ("law",))
        assert found is not None
        start = at("2026-11-20T17:00+08:00")
        calendar, ms = found.resolve(start)
        assert calendar.due(start, ms) == at("2026-12-05T17:00+08:00")

    def test_days_are_of_24_hours(self) -> None:
        assert target("resolution", dims(segment="vip", kind="complaint")).resolve(0)[1] == DAY

    def test_same_choice_same_object(self) -> None:
        policy = parse(TEXT, "desk.toml")
        assert policy.targets(dims(team="desk")) is policy.targets(dims(team="desk", channel="email"))

    def test_signature_changes_with_what_retargets(self) -> None:
        policy = parse(TEXT, "desk.toml")
        high, urgent = (
            policy.target("resolution", dims(segment="vip", kind="complaint", priority=p)) for p in ("high", "urgent")
        )
        closed = policy.with_closures({"always": [(5, 6)]}).target(
            "resolution", dims(segment="vip", kind="complaint", priority="high")
        )
        assert high is not None
        assert urgent is not None
        assert closed is not None
        assert high.signature != urgent.signature
        assert high.signature == closed.signature

    def test_hostile_dimensions_take_no_memory(self) -> None:
        policy = parse(TEXT, "desk.toml")
        for i in range(2 * CACHED_CHOICES):
            policy.targets(dims(team=f"team-{i}"))
        remembered = policy.table._remembered
        assert len(remembered) <= CACHED_CHOICES
        assert policy.targets(dims(team="desk"), ("x" * CACHED_LENGTH,)).sla == "desk"
        assert all(len(tags) == 0 for _, tags in remembered)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["desk", "other", ""]),
                st.sampled_from(get_args(Priority)),
                st.sampled_from(KINDS),
            )
        )
    )
    def test_what_is_remembered_is_what_is_chosen(self, tickets: list[tuple[str, str, str]]) -> None:
        policy = parse(TEXT, "desk.toml")
        for team, priority, kind in tickets:
            by_desk = "desk" if team == "desk" and priority in ("high", "normal") else ""
            expected = "vip-complaints" if kind == "complaint" else by_desk
            assert policy.targets(dims(team=team, priority=priority, kind=kind, segment="vip")).sla == expected


class TestVersions:
    """
    versions   |---- first (its effective_from does not matter) ----|-- second --|-- third -->
    switches                                                        1000 s       2000 s
    """

    FIRST = version("first")
    SECOND = version("second", "1970-01-01T00:16:40+00:00")
    THIRD = version("third", "1970-01-01T08:33:20+08:00")

    def test_each_holds_from_its_instant_on(self) -> None:
        policies = Policies([parse(text, f"{i}.toml") for i, text in enumerate((self.THIRD, self.FIRST, self.SECOND))])
        assert policies.switches == (1_000_000, 2_000_000)
        for t, name, switched in (
            (-5, "first", 0),
            (999_999, "first", 0),
            (1_000_000, "second", 1),
            (1_999_999, "second", 1),
            (2_000_000, "third", 2),
            (1 << 60, "third", 2),
        ):
            assert (policies.at(t).version, policies.switched(t)) == (name, switched)

    def test_the_first_holds_before_its_instant_too(self) -> None:
        policies = Policies([parse(text, "x.toml") for text in (self.SECOND, self.THIRD)])
        assert policies.switches == (2_000_000,)
        assert policies.at(0).version == "second"

    def test_two_of_a_kind_are_refused(self) -> None:
        with pytest.raises(PolicyError, match=r"^b\.toml: version: expected a name of its own, found that of a\.toml$"):
            Policies([parse(self.FIRST, "a.toml"), parse(version("first", "2026-01-01T00:00Z"), "b.toml")])
        with pytest.raises(PolicyError, match=r"^b\.toml: effective_from: expected an instant of its own, .* a\.toml$"):
            Policies([parse(self.FIRST, "a.toml"), parse(version("other"), "b.toml")])
        with pytest.raises(PolicyError, match=r"^b\.toml: effective_from: "):
            Policies([parse(version(n, "2026-01-01T00:00Z"), f"{n}.toml") for n in "ab"])
        with pytest.raises(PolicyError, match="at least one version"):
            Policies([])

    def test_closures_reach_every_version_that_knows_the_calendar(self) -> None:
        policies = Policies([parse(self.FIRST, "a.toml"), parse(TEXT, "b.toml")])
        start = at("2026-11-23T09:00+08:00")
        span = (start, start + HOUR)
        closed = policies.with_closures({"always": iter([span]), "office": [span], "unknown": [span]})
        for before, after in zip(policies.versions, closed.versions, strict=True):
            assert before.calendars["always"].between(start, start + DAY) == DAY
            assert after.calendars["always"].between(start, start + DAY) == DAY - HOUR
        found = closed.at(start).target("first_response", dims(team="desk"))
        assert found is not None
        calendar, ms = found.resolve(start)
        assert calendar.due(start, ms) == start + int(6.5 * HOUR)  # 09:00 closed to 10:00, lunch, 4 h open: 15:30
        assert closed.switches == policies.switches


class TestFiles:
    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "desk.toml").write_text(TEXT)
        assert load(tmp_path / "desk.toml").at(0).version == "2026-11-22"

    def test_a_directory(self, tmp_path: Path) -> None:
        (tmp_path / "b.toml").write_text(TEXT)
        (tmp_path / "a.toml").write_text(version("old"))
        (tmp_path / "notes.txt").write_text("not a policy")
        policies = load(tmp_path)
        assert [policy.version for policy in policies.versions] == ["old", "2026-11-22"]
        assert policies.versions[1].file == str(tmp_path / "b.toml")

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match="at least one policy file"):
            load(tmp_path)
        with pytest.raises(PolicyError, match=r"none\.toml: expected a readable file or directory: No such file"):
            load(tmp_path / "none.toml")
        (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(PolicyError, match="expected text in UTF-8"):
            load(tmp_path / "x.toml")

    def test_the_default_has_a_clock_for_every_ticket(self) -> None:
        policy = load(DEFAULT).versions[0]
        for kind in KINDS:
            for priority in get_args(Priority):
                for segment in ("", "new", "regular", "vip"):
                    choice = policy.targets(dims(kind=kind, priority=priority, segment=segment))
                    assert choice.first_response is not None
                    assert choice.resolution is not None

    def test_the_default_calendar_is_chinas_office(self) -> None:
        calendar: Calendar = load(DEFAULT).versions[0].calendars["office"]
        assert calendar.between(at("2026-10-10T00:00+08:00"), at("2026-10-11T00:00+08:00")) == int(7.5 * HOUR)
