"""The sections of a policy file, as the file writes them and as the desk reads them.

Every table is strict: a key that is not listed here is refused. Attributes that end in `_ms` or `_ppm` (millionths)
carry the unit that the file leaves out: `answer_within = "20s"` is `calls.answer_within_ms == 20_000`.
"""

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from streams.desk.policy_values import Days, Duration, Instant, Interval, Millionths, Milliseconds, Targets, TimeZone

Metric = Literal["first_response", "next_response", "resolution"]
Priority = Literal["low", "normal", "high", "urgent"]
Kind = Literal["question", "incident", "problem", "task", "complaint", "order"]
Channel = Literal["phone", "chat", "email", "web", "social", "app", "api", "in_person"]
Segment = Literal["new", "regular", "vip"]
OpenStatus = Literal["new", "open", "pending", "on_hold"]
Reopen = Literal["exclude_closed_time", "continue", "restart_cycle"]
Severity = Literal["info", "warning", "critical"]
RuleName = Literal[
    "sla.at_risk", "sla.breached", "breach_rate.high", "csat.low", "service_level.low", "abandon_rate.high",
    "complaint.risk", "severe_complaints.high", "category.surge", "policy.short_notice", "callback.overdue",
    "action.overdue", "review.coverage", "ticket.silent", "transfer.loop", "agent.overbreak",
]  # fmt: skip
Subject = Literal["all", "team", "channel", "category", "segment", "queue", "agent", "customer"]
RULE_SUBJECTS: dict[str, tuple[Subject, ...]] = {
    "breach_rate.high": ("all", "team", "channel", "category", "segment"),
    "csat.low": ("all", "team", "channel", "segment", "agent"),
    "service_level.low": ("all", "queue", "team", "segment"),
    "abandon_rate.high": ("all", "queue", "team", "segment"),
    "severe_complaints.high": ("all", "team", "channel", "category", "segment"),
    "review.coverage": ("team",),
    "category.surge": ("category",),
    "policy.short_notice": ("all",),
}
"""The rules that role watch judges, and by what each can be; where there is no choice, `by` need not be given."""
ServiceLevel = Literal[
    "answered_of_offered", "answered_of_answered", "answered_of_answered_and_abandoned",
    "answered_without_short_abandons", "hits_with_abandons",
]  # fmt: skip

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

METRICS: tuple[Metric, ...] = get_args(Metric)
TRANSFERS = 3
"""So many team changes of an open ticket are too many (transfer.loop), unless its rule's raise_at says otherwise."""
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
    """[calendars.NAME]: 24x7 or weekly hours, less holidays."""

    hours: Literal["24x7"] | Week
    timezone: TimeZone | None = None
    holidays: Days | None = None
    extra_working_days: Days | None = None


class ResponseClock(Section, frozen=True):
    """The statuses in which a response clock stands still."""

    pause_on: frozenset[OpenStatus]


class ResolutionClock(Section, frozen=True):
    """The statuses in which the resolution clock stands still, and what reopening does to it."""

    pause_on: frozenset[OpenStatus]
    reopen: Reopen = "exclude_closed_time"


class Clocks(Section, frozen=True):
    """[clocks]."""

    first_response: ResponseClock = ResponseClock(frozenset())
    next_response: ResponseClock = ResponseClock(frozenset({"pending"}))
    resolution: ResolutionClock = ResolutionClock(frozenset({"pending", "on_hold"}))


class Match(Section, frozen=True):
    """What an SLA asks of a ticket: each key given must hold one of its values; `tags` any of them."""

    priority: Annotated[tuple[Priority, ...], Meta(min_length=1)] | None = None
    kind: Annotated[tuple[Kind, ...], Meta(min_length=1)] | None = None
    channel: Annotated[tuple[Channel, ...], Meta(min_length=1)] | None = None
    team: Values | None = None
    category: Values | None = None
    segment: Annotated[tuple[Segment, ...], Meta(min_length=1)] | None = None
    product: Values | None = None
    tags: Values | None = None


class SlaSection(Section, frozen=True):
    """[[sla]]: the first that matches a ticket wins."""

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
    """[csat]: classes of a normalised score; between negative_to and positive_from lies neutral."""

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
    """[callbacks]: by when one is due that names no time; the segments of which every customer is called back."""

    within_ms: Milliseconds = Milliseconds(3 * 86_400_000)
    members: tuple[Segment, ...] = ("vip",)


class Limits(Section, frozen=True):
    """[agents] limits: the longest time in a state; more is agent.overbreak. A state without one may last."""

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
    """[quality]: the share of tickets that are inspected."""

    sample_ppm: Millionths = Millionths(300_000)


class Goal(Section, frozen=True):
    """[goals]: what stands beside a figure."""

    goal: float
    industry: float | None = None
    benchmark: float | None = None


class Rule(Section, frozen=True):
    """[[rules]]: when a window rule raises and clears a warning, or how severe an event rule's warning is.

    `hours`: the calendar in whose open time warnings are raised. `cooldown`: how long after a warning was raised, or
    cleared, it is not cleared, or raised again. `window` of policy.short_notice: the shortest notice that is none.
    """

    rule: RuleName
    by: Subject = "all"
    window_ms: Milliseconds | None = None
    raise_at: float | None = None
    clear_at: float | None = None
    min_n: Annotated[int, Meta(ge=0)] = 20
    severity: Severity = "warning"
    cooldown_ms: Milliseconds = Milliseconds(1_800_000)
    hours: str | None = None


class Signal(Section, frozen=True):
    """One signal of the risk index: its points decay by half each half-life, their sum stays under the cap."""

    points: Annotated[float, Meta(gt=0, le=100)]
    half_life_ms: Milliseconds
    cap: Annotated[float, Meta(gt=0, le=100)] = 100


class RiskIndex(Section, frozen=True):
    """[risk_index]: a signal that is absent adds nothing.

    `keywords` are looked for in tags; `policy_change_for`: how long after it took effect a change explains contacts.
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


class Step(Section, frozen=True):
    """A step of an escalation chain: so long after the warning, to whom, so many times, so far apart.

    `to` names a receiver, a rota (whoever is on shift), or is "experts": the pool for what the warning is about.
    """

    after_ms: Milliseconds
    to: Name
    repeat: Annotated[int, Meta(ge=1, le=100)] = 1
    every_ms: Milliseconds = Milliseconds(900_000)


class Escalation(Section, frozen=True):
    """[[escalation]]: the chain for warnings of these severities (and, if given, of these rules); the first one wins.

    `acknowledged_for`: how long an acknowledgement holds while the warning stands; without it, for good.
    """

    severity: Annotated[tuple[Severity, ...], Meta(min_length=1)]
    steps: Annotated[tuple[Step, ...], Meta(min_length=1)]
    rules: Annotated[tuple[RuleName, ...], Meta(min_length=1)] | None = None
    acknowledged_for_ms: Milliseconds | None = None


class Receiver(Section, frozen=True):
    """[receivers]: `url_env` names the environment variable that holds its Apprise URL; `hours` a calendar.

    At most `burst` messages in `digest_every`; what is more comes as one digest. `idempotent`: it tells repeated
    messages apart by their id, so one that may have arrived may be sent again.
    """

    url_env: Name
    language: Literal["zh", "en"] = "en"
    hours: str | None = None
    idempotent: bool = False
    burst: Annotated[int, Meta(ge=1)] = 5
    digest_every_ms: Milliseconds = Milliseconds(120_000)


class Shift(Section, frozen=True):
    """A shift of a rota: who has it, at which hours of which days; one over midnight belongs to the day it starts."""

    to: Name
    hours: Interval = Interval("00:00-24:00")
    days: Annotated[tuple[Weekday, ...], Meta(min_length=1)] = WEEKDAYS


class Rota(Section, frozen=True):
    """[rotas.NAME]: shifts over the week, the first that holds wins; in a gap `otherwise`, if there is one."""

    shifts: Annotated[tuple[Shift, ...], Meta(min_length=1)]
    timezone: TimeZone | None = None
    otherwise: Name | None = None


class Pool(Section, frozen=True):
    """[experts]: who knows about these tags; the members take turns."""

    tags: Values
    members: Values


class Scorecard(Section, frozen=True):
    """[scorecard]: the weights of the four parts; their sum is 1."""

    csat: Annotated[float, Meta(ge=0, le=1)] = 0.4
    resolution: Annotated[float, Meta(ge=0, le=1)] = 0.3
    response: Annotated[float, Meta(ge=0, le=1)] = 0.2
    proactive: Annotated[float, Meta(ge=0, le=1)] = 0.1


class PolicyFile(Section, frozen=True):
    """The whole file. Sections that are plain tables here have free names: `policy_file` reads their tables."""

    version: Name
    timezone: TimeZone
    effective_from: Instant | None = None
    calendars: dict[str, Any] = {}
    clocks: Clocks = Clocks()
    sla: tuple[SlaSection, ...] = ()
    calls: Calls = Calls()
    csat: Csat = Csat()
    windows: Windows = Windows()
    callbacks: Callbacks = Callbacks()
    agents: Agents = Agents()
    quality: Quality = Quality()
    goals: dict[str, Any] = {}
    rules: tuple[Rule, ...] = ()
    risk_index: RiskIndex = RiskIndex()
    escalation: tuple[Escalation, ...] = ()
    receivers: dict[str, Any] = {}
    rotas: dict[str, Any] = {}
    experts: dict[str, Any] = {}
    scorecard: Scorecard = Scorecard()
