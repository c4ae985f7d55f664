"""The sections of a policy file, as written in the file and as decoded.

This module has those about the work: calendars, clocks, calls, scores. The rules are in `rules`; receivers, rotas and
escalation steps are in `receivers`. Every table is strict: an unlisted key is refused. Attributes that end in `_ms` or
`_ppm` (millionths) carry a unit that the file omits: `answer_within = "20s"` is `calls.answer_within_ms == 20_000`.
"""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from streams.desk.policy.values import Days, Duration, Interval, Millionths, Milliseconds, Targets, TimeZone
from streams.models.envelope import Channel, Kind, Priority, Segment

OpenStatus = Literal["new", "open", "pending", "on_hold"]
Reopen = Literal["exclude_closed_time", "continue", "restart_cycle"]
ServiceLevel = Literal[
    "answered_of_offered", "answered_of_answered", "answered_of_answered_and_abandoned",
    "answered_without_short_abandons", "hits_with_abandons",
]  # fmt: skip

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

Values = Annotated[tuple[str, ...], Meta(min_length=1)]
Name = Annotated[str, Meta(min_length=1)]


class Section(Struct, frozen=True, forbid_unknown_fields=True, rename=lambda name: _file_name(name)):
    """A table of the file."""


def _file_name(attribute: str) -> str:
    return attribute.removesuffix("_ms").removesuffix("_ppm")


class Week(Section, frozen=True):
    """Opening hours by weekday; an absent day is closed."""

    mon: tuple[Interval, ...] = ()
    tue: tuple[Interval, ...] = ()
    wed: tuple[Interval, ...] = ()
    thu: tuple[Interval, ...] = ()
    fri: tuple[Interval, ...] = ()
    sat: tuple[Interval, ...] = ()
    sun: tuple[Interval, ...] = ()


class CalendarSection(Section, frozen=True):
    """[calendars.NAME]: 24x7, or weekly hours without holidays."""

    hours: Literal["24x7"] | Week
    timezone: TimeZone | None = None
    holidays: Days | None = None
    extra_working_days: Days | None = None


class ResponseClock(Section, frozen=True):
    """The statuses that pause a response clock."""

    pause_on: frozenset[OpenStatus]


class ResolutionClock(Section, frozen=True):
    """The statuses that pause the resolution clock, and the effect of reopening."""

    pause_on: frozenset[OpenStatus]
    reopen: Reopen = "exclude_closed_time"


class Clocks(Section, frozen=True):
    """[clocks]."""

    first_response: ResponseClock = ResponseClock(frozenset())
    next_response: ResponseClock = ResponseClock(frozenset({"pending"}))
    resolution: ResolutionClock = ResolutionClock(frozenset({"pending", "on_hold"}))


class Match(Section, frozen=True):
    """The conditions of an SLA: the ticket must have one of the values of each given key, and any of the `tags`."""

    priority: Annotated[tuple[Priority, ...], Meta(min_length=1)] | None = None
    kind: Annotated[tuple[Kind, ...], Meta(min_length=1)] | None = None
    channel: Annotated[tuple[Channel, ...], Meta(min_length=1)] | None = None
    team: Values | None = None
    category: Values | None = None
    segment: Annotated[tuple[Segment, ...], Meta(min_length=1)] | None = None
    product: Values | None = None
    tags: Values | None = None


class SlaSection(Section, frozen=True):
    """[[sla]]: the first match wins."""

    name: Name
    calendar: str
    match: Match = Match()
    warn_at_ppm: Millionths = Millionths(750_000)
    first_response: Targets | None = None
    next_response: Targets | None = None
    resolution: Targets | None = None
    silence: Duration | None = None


class Calls(Section, frozen=True):
    """[calls]."""

    answer_within_ms: Milliseconds = Milliseconds(20_000)
    short_abandon_ms: Milliseconds = Milliseconds(5_000)
    max_wait_ms: Milliseconds = Milliseconds(7_200_000)
    max_talk_ms: Milliseconds = Milliseconds(7_200_000)
    service_level: ServiceLevel = "answered_of_answered_and_abandoned"


class Csat(Section, frozen=True):
    """[csat]: classes of a normalised score; neutral is between negative_to and positive_from."""

    positive_from_ppm: Millionths = Millionths(750_000)
    very_positive_from_ppm: Millionths = Millionths(1_000_000)
    negative_to_ppm: Millionths = Millionths(500_000)


class Windows(Section, frozen=True):
    """[windows]: `hold` days are of 24 h."""

    rolling_ms: Annotated[tuple[Milliseconds, ...], Meta(min_length=1)] = tuple(
        Milliseconds(minutes * 60_000) for minutes in (5, 15, 60, 240, 1440)
    )
    lateness_ms: Milliseconds = Milliseconds(86_400_000)
    hold_ms: Milliseconds = Milliseconds(90 * 86_400_000)


class Callbacks(Section, frozen=True):
    """[callbacks]: the default due time; the segments whose customers are all called back."""

    within_ms: Milliseconds = Milliseconds(3 * 86_400_000)
    members: tuple[Segment, ...] = ("vip",)


class Limits(Section, frozen=True):
    """[agents] limits: the maximum time in a state; longer is agent.overbreak. A state without one is unlimited."""

    available_ms: Milliseconds | None = None
    on_contact_ms: Milliseconds | None = None
    wrapup_ms: Milliseconds | None = None
    break_ms: Milliseconds | None = Milliseconds(15 * 60_000)
    meal_ms: Milliseconds | None = Milliseconds(60 * 60_000)
    meeting_ms: Milliseconds | None = None
    training_ms: Milliseconds | None = None
    offline_ms: Milliseconds | None = None


class Agents(Section, frozen=True):
    """[agents]."""

    limits: Limits = Limits()


class Quality(Section, frozen=True):
    """[quality]: the share of tickets to inspect."""

    sample_ppm: Millionths = Millionths(300_000)


class Goal(Section, frozen=True):
    """[goals]: the goal shown beside a figure."""

    goal: float
    industry: float | None = None
    benchmark: float | None = None


class Signal(Section, frozen=True):
    """One signal of the risk index: its points halve every half-life, and their sum is capped."""

    points: Annotated[float, Meta(gt=0, le=100)]
    half_life_ms: Milliseconds
    cap: Annotated[float, Meta(gt=0, le=100)] = 100


class RiskIndex(Section, frozen=True):
    """[risk_index]: a signal that is absent adds nothing.

    `keywords` are matched against tags. `policy_change_for`: how long a change in force explains contacts.
    """

    sla_share: Signal | None = None
    breach: Signal | None = None
    silence: Signal | None = None
    transfer: Signal | None = None
    reopening: Signal | None = None
    repeat_contact: Signal | None = None
    abandoned_call: Signal | None = None
    low_survey: Signal | None = None
    negative_sentiment: Signal | None = None
    complaint: Signal | None = None
    severity: Signal | None = None
    keyword: Signal | None = None
    policy_change: Signal | None = None
    keywords: tuple[str, ...] = ()
    policy_change_for_ms: Milliseconds = Milliseconds(30 * 86_400_000)
    vip_factor: Annotated[float, Meta(ge=1)] = 1.0
    raise_at: Annotated[float, Meta(gt=0, le=100)] = 60
    clear_at: Annotated[float, Meta(ge=0, le=100)] = 40


class Scorecard(Section, frozen=True):
    """[scorecard]: the weights of the four parts; their sum is 1."""

    csat: Annotated[float, Meta(ge=0, le=1)] = 0.4
    resolution: Annotated[float, Meta(ge=0, le=1)] = 0.3
    response: Annotated[float, Meta(ge=0, le=1)] = 0.2
    proactive: Annotated[float, Meta(ge=0, le=1)] = 0.1
