"""The policy in force: a version for each file, and the sequence of versions.

versions   |-- "2026-01" (always) --|-- "2026-11-22" -------->
instant                             ^ switches[0]: the new version applies from this instant on
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from zoneinfo import ZoneInfo

import msgspec

from streams.desk.calendars.business_time import Calendar
from streams.desk.calendars.local_time import LocalTime, local_time
from streams.desk.calendars.opening_hours import Span
from streams.desk.policy.file import PolicyError, read
from streams.desk.policy.receivers import Escalation, Pool, Receiver, Rota
from streams.desk.policy.rules import DEFAULT_SEVERITIES, Rule, RuleName, Severity
from streams.desk.policy.sections import (
    Agents,
    Callbacks,
    Calls,
    Csat,
    Goal,
    Quality,
    Reopen,
    RiskIndex,
    Scorecard,
    SlaSection,
)
from streams.desk.policy.sla_targets import Choice, SlaTable, Target
from streams.models.dimensions import Dimensions, Tags


class ClockRule(msgspec.Struct, frozen=True):
    """When the clocks of a metric pause; `reopen` applies to resolution only."""

    pause_on: frozenset[str]
    reopen: Reopen = "exclude_closed_time"


class Policy(msgspec.Struct, frozen=True, eq=False):
    """One version of the policy. Times are ms, shares millionths (`_ppm`)."""

    file: str
    version: str
    effective_from: int | None
    timezone: str
    calendars: dict[str, Calendar]
    clocks: dict[str, ClockRule]
    """By metric."""
    sla: tuple[SlaSection, ...]
    calls: Calls
    csat: Csat
    windows_ms: tuple[int, ...]
    lateness_ms: int
    hold_ms: int
    callbacks: Callbacks
    agents: Agents
    quality: Quality
    goals: dict[str, Goal]
    rules: tuple[Rule, ...]
    risk_index: RiskIndex
    escalation: tuple[Escalation, ...]
    receivers: dict[str, Receiver]
    rotas: dict[str, Rota]
    experts: dict[str, Pool]
    scorecard: Scorecard
    severities: dict[str, Severity]
    """The severity of warnings, by rule: that of the first [[rules]] entry, or the default."""
    text: str
    """The text of the file."""
    digest: str
    """SHA-256 (hex) of the text."""
    table: SlaTable

    def targets(self, dimensions: Dimensions, tags: Tags = ()) -> Choice:
        """Return the targets of a ticket with these dimensions; cached."""
        return self.table.choose(dimensions, tags)

    def target(self, metric: str, dimensions: Dimensions, tags: Tags = ()) -> Target | None:
        """Return the target of one metric; None if the ticket has no such clock."""
        return getattr(self.table.choose(dimensions, tags), metric)  # type: ignore[no-any-return]

    def rule(self, name: RuleName) -> Rule | None:
        """Return a rule's first [[rules]] entry, or None: for rules about single subjects, which have at most one."""
        return next((rule for rule in self.rules if rule.rule == name), None)

    def with_closures(self, closures: Mapping[str, Iterable[Span]]) -> "Policy":
        """Return this version with its calendars also closed in these spans [from_ms, to_ms), by calendar name."""
        calendars = {
            name: calendar.with_closures(closures[name]) if name in closures else calendar
            for name, calendar in self.calendars.items()
        }
        table = SlaTable(self.version, self.sla, calendars)
        return msgspec.structs.replace(self, calendars=calendars, table=table)


class Policies:
    """The versions of a policy, by the instant from which they apply; the first also applies before it. Immutable."""

    def __init__(self, versions: Sequence[Policy]) -> None:
        """Raise PolicyError for two versions with one name or one instant, or for none at all."""
        if not versions:
            raise PolicyError("policy", "", "expected at least one version, found none")
        self.versions = tuple(sorted(versions, key=_order))
        """The versions in order."""
        for i, policy in enumerate(self.versions):
            for other in self.versions[:i]:
                if policy.version == other.version:
                    raise PolicyError(policy.file, "version", f"expected a name of its own, found that of {other.file}")
                if policy.effective_from == other.effective_from:
                    raise PolicyError(
                        policy.file, "effective_from", f"expected an instant of its own, found that of {other.file}"
                    )
        self.switches = tuple(int(policy.effective_from or 0) for policy in self.versions[1:])
        """The instants (ms) from which the second and later versions apply."""

    @cached_property
    def local_time(self) -> LocalTime:
        """The desk's local time, by the zones of its versions."""
        begins = (0, *self.switches)
        zones = [ZoneInfo(policy.timezone) for policy in self.versions]
        return local_time(*zip(begins, zones, strict=True))

    def at(self, t: int) -> Policy:
        """Return the version in force at the instant `t` (ms)."""
        return self.versions[bisect_right(self.switches, t)] if self.switches else self.versions[0]

    def switched(self, t: int) -> int:
        """Return the number of switches up to and including the instant `t`."""
        return bisect_right(self.switches, t)

    def knows_calendar(self, name: str) -> bool:
        """Whether any version has a calendar of that name."""
        return any(name in policy.calendars for policy in self.versions)

    def with_closures(self, closures: Mapping[str, Iterable[Span]]) -> "Policies":
        """Return these versions with the named calendars also closed in the spans [from_ms, to_ms).

        A version without a calendar of that name stays as it is.
        """
        spans = {name: list(each) for name, each in closures.items()}
        return Policies([policy.with_closures(spans) for policy in self.versions])


def parse(text: str, name: str) -> Policy:
    """Return the version described by the TOML `text` of the file `name`. Raises PolicyError."""
    tables = read(text, name)
    file = tables.file
    clocks = file.clocks
    return Policy(
        file=name,
        version=file.version,
        effective_from=file.effective_from,
        timezone=file.timezone,
        calendars=tables.calendars,
        clocks={
            "first_response": ClockRule(clocks.first_response.pause_on),
            "next_response": ClockRule(clocks.next_response.pause_on),
            "resolution": ClockRule(clocks.resolution.pause_on, clocks.resolution.reopen),
        },
        sla=file.sla,
        calls=file.calls,
        csat=file.csat,
        windows_ms=tuple(sorted(file.windows.rolling_ms)),
        lateness_ms=file.windows.lateness_ms,
        hold_ms=file.windows.hold_ms,
        callbacks=file.callbacks,
        agents=file.agents,
        quality=file.quality,
        goals=tables.goals,
        rules=file.rules,
        risk_index=file.risk_index,
        escalation=file.escalation,
        receivers=tables.receivers,
        rotas=tables.rotas,
        experts=tables.experts,
        scorecard=file.scorecard,
        severities=DEFAULT_SEVERITIES | {rule.rule: rule.severity for rule in reversed(file.rules)},
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        table=SlaTable(file.version, file.sla, tables.calendars),
    )


def _order(policy: Policy) -> tuple[bool, int, str]:
    return policy.effective_from is not None, policy.effective_from or 0, policy.file
