"""Scenario files: exceptional events of the desk.

[[outage]]                    # a surge of incidents under one parent ticket
at = "1d10h"                  # after the start of the run, or an RFC 3339 instant
for = "3h"
contacts = 3.0                # contacts of all kinds, as a multiple of the usual
category = "payment"

[[policy_change]]             # announced at `at`, in force `notice` later, with questions for a while
at = "1d9h"
notice = "24h"
for = "2d"
title = "New return rules"
contacts = 1.4
category = "returns"

[[shortage]]                  # agents absent from their shifts
at = "2d"
for = "1d"
absent = 0.4
team = "hotline"              # absent: every team

[[closure]]                   # the calendar is closed, announced at once
at = "3d14h"
for = "2h"
calendar = "office"
reason = "fire drill"
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from streams.errors import UserError
from streams.simulator.kernel import DAY, HOUR, MINUTE, SECOND

_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}
_LONGEST = 36_525 * DAY
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class ScenarioError(UserError, ValueError):
    """An invalid scenario file or duration; the message says what and where."""


class Surge(NamedTuple):
    """`factor` times the usual contacts in [begins_at, ends_at); the additional ones are about `category`."""

    begins_at: int
    ends_at: int
    factor: float
    category: str
    outage: bool
    title: str


class Announcement(NamedTuple):
    """A policy change made known at `at`."""

    at: int
    effective_at: int
    title: str
    tags: tuple[str, ...]


class Shortage(NamedTuple):
    """A share `absent` of the shifts that begin in [begins_at, ends_at) is not worked; team '': every team."""

    begins_at: int
    ends_at: int
    absent: float
    team: str


class Closure(NamedTuple):
    """A calendar closed in [begins_at, ends_at)."""

    begins_at: int
    ends_at: int
    calendar: str
    reason: str


class Scenario(NamedTuple):
    """The events of a scenario, at instants (ms since the epoch)."""

    surges: tuple[Surge, ...] = ()
    announcements: tuple[Announcement, ...] = ()
    shortages: tuple[Shortage, ...] = ()
    closures: tuple[Closure, ...] = ()

    def joined(self, other: Scenario) -> Scenario:
        """Both scenarios in one run."""
        return Scenario(
            self.surges + other.surges,
            self.announcements + other.announcements,
            self.shortages + other.shortages,
            self.closures + other.closures,
        )


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"for_": "for"}):
    at: Any  # an offset or an instant as text, or a TOML date-time: msgspec cannot tell the two kinds of text apart
    for_: str


class _Outage(_Entry, frozen=True):
    contacts: float
    category: str = "technical"
    title: str = "outage"


class _PolicyChange(_Entry, frozen=True):
    notice: str
    title: str
    contacts: float = 1.0
    category: str = "billing"
    tags: tuple[str, ...] = ()


class _Shortage(_Entry, frozen=True):
    absent: float
    team: str = ""


class _Closure(_Entry, frozen=True):
    calendar: str
    reason: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    outage: tuple[_Outage, ...] = ()
    policy_change: tuple[_PolicyChange, ...] = ()
    shortage: tuple[_Shortage, ...] = ()
    closure: tuple[_Closure, ...] = ()


def duration(text: str) -> int:
    """Milliseconds of `7d`, `8h`, `1d12h30m`, `90s`; raises ScenarioError."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ScenarioError(f"{text!r} is not a duration; write it like 7d, 8h or 1d12h30m.")
    ms = sum(int(n) * unit for n, unit in zip(found.groups(), _UNITS.values(), strict=True) if n)
    if ms > _LONGEST:
        raise ScenarioError(f"{text!r} is longer than a hundred years.")
    return ms


def parse(text: str, name: str, start: int) -> Scenario:
    """Read a scenario file's text.

    `name` appears in the message of a ScenarioError; `start` is the run's first instant (ms), the base of offsets.
    """
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
        return Scenario(*_resolve(file, start))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ScenarioError) as error:
        raise ScenarioError(f"Scenario {name}: {error}") from None


def _resolve(
    file: _File, start: int
) -> tuple[tuple[Surge, ...], tuple[Announcement, ...], tuple[Shortage, ...], tuple[Closure, ...]]:
    surges = [
        Surge(*_span(each, start), _factor(each.contacts), each.category, True, each.title) for each in file.outage
    ]
    announcements = []
    for change in file.policy_change:
        at, _ = _span(change, start)
        effective_at = at + duration(change.notice)
        announcements.append(Announcement(at, effective_at, change.title, change.tags))
        ends_at = effective_at + duration(change.for_)
        surges.append(Surge(effective_at, ends_at, _factor(change.contacts), change.category, False, change.title))
    shortages = []
    for gap in file.shortage:
        if not 0 <= gap.absent <= 1:
            raise ScenarioError(f"shortage: absent is {gap.absent}; it is a share from 0 to 1.")
        shortages.append(Shortage(*_span(gap, start), gap.absent, gap.team))
    closures = [Closure(*_span(each, start), each.calendar, each.reason) for each in file.closure]
    return tuple(surges), tuple(announcements), tuple(shortages), tuple(closures)


def _factor(contacts: float) -> float:
    if not 1 <= contacts <= 1000:
        raise ScenarioError(
            f"contacts is {contacts}; it multiplies the usual contacts and is at least 1, at most 1000."
        )
    return contacts


def _span(entry: _Entry, start: int) -> tuple[int, int]:
    at = entry.at
    if not isinstance(at, str | datetime):
        raise ScenarioError(f"at is {at!r}; write an offset like 1d10h or a time like 2026-10-12T09:00:00+08:00.")
    if isinstance(at, str) and _DURATION.fullmatch(at):
        begins_at = start + duration(at)
    else:
        begins_at = instant(at)
    return begins_at, begins_at + duration(entry.for_)


def instant(at: str | datetime) -> int:
    """Milliseconds since the epoch of an RFC 3339 instant; raises ScenarioError if it has no offset."""
    try:
        when = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        raise ScenarioError(f"{at!r} is not a time; write it like 2026-10-12T09:00:00+08:00.") from None
    if when.tzinfo is None:
        raise ScenarioError(f"{at!s} has no offset; write it like 2026-10-12T09:00:00+08:00.")
    return round(when.timestamp() * 1000)
