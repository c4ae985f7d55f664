"""The targets of a ticket: those of the first SLA that matches its dimensions, at its priority."""

from collections.abc import Mapping, Sequence

import msgspec

from streams.desk.calendars.business_time import Calendar
from streams.desk.policy.sections import Match, SlaSection
from streams.desk.policy.values import ByPriority, Duration, Targets
from streams.models.dimensions import Dimensions, Tags
from streams.models.envelope import METRICS

OWN_WORDS = ("kind", "channel", "segment")
"""The dimensions of open vocabularies: events are lower-cased, so a policy's words are, too."""
CACHED_CHOICES = 4096
"""Maximum number of cached tuples of dimensions."""
CACHED_LENGTH = 512
"""Maximum length of a cached tuple, in characters: hostile events cannot take more than a few MB."""


class Target(msgspec.Struct, frozen=True, eq=False):
    """The target of a clock of one SLA. Compare two by their `signature`."""

    version: str
    """The policy's version."""
    sla: str
    calendar_name: str
    calendar: Calendar
    duration: Duration
    warn_ppm: int
    """The share of the target, in millionths, from which a clock is at risk."""
    signature: tuple[str, str, str, str, int]
    """(version, sla, calendar_name, duration, warn_ppm): a change retargets the clock; a closure is no change."""

    def resolve(self, start: int) -> tuple[Calendar, int]:
        """Return the calendar and the target in ms of its time, for a clock that started at `start` (ms).

        8h     the SLA's calendar, 8 h of it
        3wd    the SLA's calendar, until the close of the third working day after the day of the start
        15cd   round the clock, until the same wall time 15 days on; ad-hoc closures do not count
        """
        if self.duration.unit == "wd":
            due = self.calendar.working_days(start, self.duration.amount)
            return self.calendar, self.calendar.between(start, due)
        if self.duration.unit == "cd":
            always = Calendar.always(self.calendar.timezone)
            return always, always.calendar_days(start, self.duration.amount) - start
        return self.calendar, self.duration.ms


class Choice(msgspec.Struct, frozen=True, eq=False):
    """The targets of a ticket; None: no such clock. `sla` is "" if none matched."""

    sla: str = ""
    first_response: Target | None = None
    next_response: Target | None = None
    resolution: Target | None = None
    silence: Target | None = None


class SlaTable:
    """The SLAs of a policy version, in order; caches its choices."""

    def __init__(self, version: str, sections: Sequence[SlaSection], calendars: Mapping[str, Calendar]) -> None:
        self._matches = [_compile(section.match) for section in sections]
        self._choices = [_choices(version, section, calendars[section.calendar]) for section in sections]
        self._none = Choice()
        self._remembered: dict[tuple[Dimensions, Tags], Choice] = {}

    def choose(self, dimensions: Dimensions, tags: Tags) -> Choice:
        """Return the targets of the first SLA that matches; the same object for the same SLA and priority."""
        key = (dimensions, tags)
        choice = self._remembered.get(key)
        if choice is None:
            choice = self._choose(dimensions, tags)
            if sum(map(len, dimensions)) + sum(map(len, tags)) + len(tags) <= CACHED_LENGTH:
                if len(self._remembered) >= CACHED_CHOICES:
                    self._remembered.clear()
                self._remembered[key] = choice
        return choice

    def _choose(self, dimensions: Dimensions, tags: Tags) -> Choice:
        for (wanted, any_of), choices in zip(self._matches, self._choices, strict=True):
            if all(dimensions[i] in values for i, values in wanted) and (not any_of or not any_of.isdisjoint(tags)):
                return choices.get(dimensions.priority, choices[""])
        return self._none


def _compile(match: Match) -> tuple[list[tuple[int, frozenset[str]]], frozenset[str]]:
    """(position among the dimensions, wanted values) of each key given, and the wanted tags."""
    given = [(i, getattr(match, name), name in OWN_WORDS) for i, name in enumerate(Dimensions._fields)]
    wanted = [
        (i, frozenset(value.lower() if own else value for value in values))
        for i, values, own in given
        if values is not None
    ]
    return wanted, frozenset(match.tags or ())


def _choices(version: str, section: SlaSection, calendar: Calendar) -> dict[str, Choice]:
    """The choice for each priority; under "", for tickets without one."""

    def target(duration: Duration | None) -> Target | None:
        if duration is None:
            return None
        signature = (version, section.name, section.calendar, str(duration), int(section.warn_at_ppm))
        return Target(version, section.name, section.calendar, calendar, duration, section.warn_at_ppm, signature)

    def choice(priority: str) -> Choice:
        targets: list[Targets] = [getattr(section, metric) or Targets() for metric in METRICS]
        first, following, resolution = (target(each.get(priority) or each.get("")) for each in targets)
        return Choice(section.name, first, following, resolution, target(section.silence))

    return {priority: choice(priority) for priority in (*ByPriority.__struct_fields__, "")}
