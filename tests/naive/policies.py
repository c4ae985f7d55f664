"""The policy: which version is in force, which SLA matches, what its target is."""

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.naive.calendars import DAY_MS, Calendar, Span
from tests.naive.fields import DESKS_OWN
from tests.naive.log import Event, instant
from tests.naive.scores import exact

UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS, "cd": DAY_MS}
METRICS = ("first_response", "next_response", "resolution")
ALWAYS = -(10**15)


def duration_ms(text: str) -> int:
    """ "90s", "15m", "8h", "2d", "90cd" in milliseconds."""
    match = re.fullmatch(r"(\d+)(s|m|h|d|cd)", text)
    if not match:
        raise ValueError(f"{text} is no duration")
    return int(match[1]) * UNIT_MS[match[2]]


class Terms(NamedTuple):
    """What a clock is held to. Two that are equal are the same: nothing is retargeted."""

    version: str
    sla: str
    calendar: str
    target_ms: int
    warn_at: Fraction | None

    def warn_ms(self) -> int | None:
        """The elapsed time at which the clock is at risk: ceil(warn_at x target), warn_at in millionths."""
        if self.warn_at is None:
            return None
        return -(-round(self.warn_at * 1_000_000) * self.target_ms // 1_000_000)


class Policy:
    """One version of the policy."""

    def __init__(self, spec: dict[str, Any], closures: dict[str, list[Span]]) -> None:
        self.spec = spec
        self.version = str(spec.get("version", ""))
        self.effective_from = instant(spec["effective_from"]) if "effective_from" in spec else ALWAYS
        self.zone = ZoneInfo(spec.get("timezone", "UTC"))
        self.hold_ms = duration_ms(spec.get("windows", {}).get("hold", "90cd"))
        self.calendars = {
            name: Calendar(calendar, spec.get("timezone", "UTC"), closures.get(name, []))
            for name, calendar in spec.get("calendars", {}).items()
        }

    def pauses(self, metric: str, status: str | None) -> bool:
        """[clocks]: the statuses in which a clock stands still."""
        return status in self.spec.get("clocks", {}).get(metric, {}).get("pause_on", [])

    def reopen(self) -> str:
        """[clocks]: what reopening does to the resolution clock."""
        mode = self.spec.get("clocks", {}).get("resolution", {}).get("reopen", "exclude_closed_time")
        return str(mode)

    def call_ms(self, name: str, default: str) -> int:
        """[calls]: a duration."""
        return duration_ms(self.spec.get("calls", {}).get(name, default))

    def callback_ms(self) -> int:
        """[callbacks]: by when a callback is due."""
        return duration_ms(self.spec.get("callbacks", {}).get("within", "3d"))

    def limit_ms(self, state: str) -> int | None:
        """[agents] limits: the longest time in a state."""
        limits = {"break": "15m", "meal": "60m"} | self.spec.get("agents", {}).get("limits", {})
        return duration_ms(limits[state]) if state in limits else None

    def csat(self, name: str, default: str) -> Fraction:
        """[csat]: a threshold of the normalised score."""
        return exact(self.spec.get("csat", {}).get(name, default))

    def terms(self, dims: dict[str, str], tags: list[str], metric: str, started_at: int) -> Terms | None:
        """The first SLA that matches wins; no match, or no target for the priority: None."""
        for sla in self.spec.get("sla", []):
            if all(matches(key, values, dims, tags) for key, values in sla.get("match", {}).items()):
                target = sla.get(metric)
                if isinstance(target, dict):
                    target = target.get(dims["priority"])
                if target is None:
                    return None
                warn_at = exact(sla["warn_at"]) if "warn_at" in sla else None
                target_ms = self.target_ms(self.calendars[sla["calendar"]], target, started_at)
                return Terms(self.version, sla["name"], sla["calendar"], target_ms, warn_at)
        return None

    def silence(self, dims: dict[str, str], tags: list[str]) -> tuple[str, str, str, str] | None:
        """The longest silence: (version, SLA, calendar, duration) of the first SLA that matches, if it has one."""
        for sla in self.spec.get("sla", []):
            if all(matches(key, values, dims, tags) for key, values in sla.get("match", {}).items()):
                if "silence" in sla:
                    return self.version, sla["name"], sla["calendar"], sla["silence"]
                return None
        return None

    def silent_at(self, silence: tuple[str, str, str, str], told_at: int) -> int | None:
        """When the silence since an instant gets longer than allowed."""
        calendar = self.calendars[silence[2]]
        return calendar.due(told_at, self.target_ms(calendar, silence[3], told_at))

    def transfers(self) -> float:
        """How many team changes are too many."""
        limits = [rule["raise_at"] for rule in self.spec.get("rules", []) if rule["rule"] == "transfer.loop"]
        return float(limits[0]) if limits else 3

    def target_ms(self, calendar: Calendar, target: str, started_at: int) -> int:
        """A target in business time; "3wd" and "15cd" resolved from the instant the clock started."""
        if target.endswith("wd"):
            end = calendar.close_of_working_day(started_at, int(target.removesuffix("wd")))
            return calendar.business_ms(started_at, end)
        if target.endswith("cd"):
            return calendar.business_ms(started_at, started_at + duration_ms(target))
        return duration_ms(target)


def matches(key: str, values: Any, dims: dict[str, str], tags: list[str]) -> bool:
    """match: the value is in the list; tags: any of them is; the desk's own vocabularies in lower case."""
    values = [values] if isinstance(values, str) else values
    values = [value.lower() for value in values] if key in DESKS_OWN else values
    return any(tag in values for tag in tags) if key == "tags" else dims[key] in values


class Desk:
    """All versions of the policy, each in force from its `effective_from`; the first one also before."""

    def __init__(self, specs: Iterable[dict[str, Any]], events: Iterable[Event] = ()) -> None:
        closures: dict[str, list[Span]] = {}
        for event in events:
            if event.type == "desk.closed":
                closures.setdefault(event.data["calendar"], []).append((event.data["from"], event.data["to"]))
        self.policies = sorted((Policy(spec, closures) for spec in specs), key=lambda policy: policy.effective_from)

        known = {name for policy in self.policies for name in policy.calendars}
        self.unknown_closures = sum(len(spans) for name, spans in closures.items() if name not in known)
        """ "Counted in `data_quality` as a closure of an unknown calendar": one that no version has."""

    def in_force(self, at: int) -> Policy:
        """The policy in force at an instant."""
        standing = [policy for policy in self.policies if policy.effective_from <= at]
        return standing[-1] if standing else self.policies[0]

    def switches(self) -> list[int]:
        """The instants at which one policy takes over from another."""
        return [policy.effective_from for policy in self.policies[1:]]
