"""The parameters of a simulated desk: its size, its hours, its subjects; all figures of an ordinary day."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from streams.simulator.scenario import Scenario

_EARLIEST = 631_152_000_000  # 1990-01-01 and 2100-01-01, UTC: times outside are dead letters
_LATEST = 4_102_444_800_000

NO_SCENARIO = Scenario()
CONTACTS_A_DAY_PER_AGENT = 20.0
"""Contacts a day that keep the staff busy, but not overloaded: the default of `World.contacts_a_day` per agent."""

# Contacts by hour of the local day (mean 1): the morning's peak is more than twice the mean.
HOURS = (.20, .12, .09, .08, .08, .12, .25, .55, 1.25, 2.35, 2.75, 2.15,
         1.40, 1.60, 2.30, 2.15, 1.80, 1.35, .95, .80, .80, .75, .60, .36)  # fmt: skip
HOUR_MEAN = sum(HOURS) / 24
# by weekday, Monday first (mean 1)
WEEKDAYS = (1.27, 1.13, 1.07, 1.06, 1.03, .76, .68)  # fmt: skip

PHONE_SHARE = 0.48
"""Share of contacts that are phone calls."""

TEAMS = {"hotline": 0.36, "online": 0.36, "technical": 0.16, "complaints": 0.12}
"""Teams and their share of the agents."""

# Hours at which shifts begin; a team's agents rotate through them. Only the hotline has a night (22-06).
SHIFTS = {
    "hotline": (9, 8, 10, 13, 9, 22, 8, 14, 9, 10),
    "online": (9, 8, 10, 13, 9, 12),
    "technical": (9, 8, 10, 12),
    "complaints": (9, 10, 9, 12),
}
SHIFT_HOURS = 9

# queue: share of the calls; all belong to the hotline. Calls for vip customers go to their own queue.
QUEUES = {"general": 0.5, "billing": 0.3, "orders": 0.2}
CHANNELS = {"chat": 0.30, "email": 0.22, "web": 0.17, "app": 0.18, "social": 0.08, "api": 0.03, "in_person": 0.02}
KINDS = {"question": 0.40, "incident": 0.18, "problem": 0.05, "task": 0.10, "complaint": 0.13, "order": 0.14}
CATEGORIES = {
    "billing": 0.18, "payment": 0.14, "delivery": 0.20, "returns": 0.12, "account": 0.12, "technical": 0.12,
    "product": 0.08, "service": 0.04,
}  # fmt: skip
PRODUCTS = {"basic": 0.55, "plus": 0.30, "business": 0.15}
STAGES = ("soothe", "record", "determine", "propose", "follow_up", "archive")


@dataclass(frozen=True)
class World:
    """A desk to be simulated: the same world gives the same events, byte for byte.

    `start` and `end` are instants (ms since the epoch; `end` None: for ever). `contacts_a_day` is the mean number of
    calls and tickets that customers open on a day of the week's mean, without scenarios (a contact produces about
    eleven events); None: as many as the agents can handle. The seed is part of every id: worlds that share a database
    need different seeds.
    """

    seed: int
    start: int
    end: int | None = None
    agents: int = 40
    contacts_a_day: float | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    scenario: Scenario = NO_SCENARIO

    def __post_init__(self) -> None:
        if self.agents < len(TEAMS):
            raise ValueError(f"A desk of {self.agents} agents is too small: each of its {len(TEAMS)} teams needs one.")
        if self.contacts_a_day is not None and not 0 < self.contacts_a_day < 1e8:
            raise ValueError(f"{self.contacts_a_day} contacts a day cannot be simulated: more than 0, under 1e8.")
        if not _EARLIEST <= self.start < _LATEST:
            raise ValueError("A desk can be simulated from 1990 on, and up to the year 2100.")
        teams = {"", *TEAMS}
        for shortage in self.scenario.shortages:
            if shortage.team not in teams:
                raise ValueError(f"There is no team {shortage.team!r} to be short of staff: {', '.join(TEAMS)}.")

    @property
    def contacts_per_day(self) -> float:
        """The mean contacts of a day, as given or by the staff."""
        if self.contacts_a_day is None:
            return self.agents * CONTACTS_A_DAY_PER_AGENT
        return self.contacts_a_day
