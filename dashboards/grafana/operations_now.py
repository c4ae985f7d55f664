"""The dashboard "Operations now": the state of the desk, and what is due next. PURE."""

from dashboards.grafana import queries
from dashboards.grafana.panels import (
    INSTANT,
    SECONDS,
    SHARE,
    Json,
    column,
    dashboard,
    red_above,
    row,
    stat,
    table,
    timeseries,
    variable,
)

OPEN_TICKET = column("ticket_id", links=[{"title": "Open ticket", "url": "${__data.fields.url}", "targetBlank": True}])
HIDE_URL = column("url", custom_hidden=True)


def operations_now() -> Json:
    """The whole dashboard."""
    return dashboard(
        "deskwatch-operations-now",
        "Operations now",
        "The state of the desk now, and what is due next.",
        [
            variable("team", "Team", queries.values("team", "tickets")),
            variable("channel", "Channel", queries.values("channel", "tickets")),
            variable("queue", "Queue", queries.values("queue", "calls")),
        ],
        [
            [row("Backlog")],
            _backlog(),
            _backlog_by_team(),
            [row("Targets")],
            _breaches(),
            [row("Contacts")],
            _volumes(),
            _service_level(),
            [row("Satisfaction and warnings")],
            _csat(),
            _warnings(),
            [row("Data quality and freshness")],
            _quality(),
        ],
    )


def _backlog() -> list[Json]:
    return [
        stat(
            "Backlog now",
            "Tickets neither solved, closed nor merged; those with a clock at risk, and those with a breached one.",
            queries.BACKLOG_NOW,
            width=8,
            overrides=[column("Breached and open", thresholds=red_above(1))],
        ),
        stat(
            "Oldest and waiting",
            "Age of the oldest open ticket; number of waiting callers, and the longest wait.",
            queries.OLDEST_AND_WAITING,
            unit=SECONDS,
            width=8,
            overrides=[column("Waiting calls", unit="short")],
        ),
        stat(
            "First response attainment",
            "First responses in time, of n = met + breached in the range; without exempted: without exempted breaches.",
            queries.FIRST_RESPONSE_ATTAINMENT,
            unit=SHARE,
            width=8,
            overrides=[column("n", unit="short")],
        ),
    ]


def _backlog_by_team() -> list[Json]:
    return [
        table(
            "Backlog now by team",
            "The last row of each team in `backlog_minutes`; ages are as of now.",
            queries.BACKLOG_BY_TEAM,
            width=10,
            height=9,
            overrides=[column("Oldest", unit=SECONDS), column("Longest wait", unit=SECONDS)],
        ),
        table(
            "Due next",
            "Running clocks, soonest first. Time left is wall-clock time; outside business hours a clock is stopped.",
            queries.DUE_NEXT,
            width=14,
            height=9,
            overrides=[column("due_at", unit=INSTANT), column("left_s", unit=SECONDS), OPEN_TICKET, HIDE_URL],
        ),
    ]


def _breaches() -> list[Json]:
    return [
        table(
            "Breach rate by team",
            "Breached of n = met + breached in the range; without exempted: exempted breaches excluded.",
            queries.BREACH_RATE_BY_TEAM,
            width=12,
            overrides=_shares("Breach rate", "Without exempted"),
        ),
        timeseries(
            "Breach rate by team over time",
            "Resolution clocks: breached / (met + breached), by the time of the outcome; the ten teams with the most "
            "outcomes.",
            queries.BREACH_RATE_OVER_TIME,
            unit=SHARE,
            width=12,
        ),
    ]


def _volumes() -> list[Json]:
    return [
        timeseries("Volumes by channel", "Tickets created.", queries.TICKETS_BY_CHANNEL, width=12, bars=True),
        timeseries("Calls by queue", "Calls offered, by first queue.", queries.CALLS_BY_QUEUE, width=12, bars=True),
    ]


def _service_level() -> list[Json]:
    return [
        table(
            "Service level by queue",
            "Answered within the target, in every published variant. Queued = offered less abandoned in the menu; "
            "abandon rate = abandoned / queued.",
            queries.SERVICE_LEVEL_BY_QUEUE,
            width=14,
            overrides=_shares(*queries.VARIANTS, "Abandon rate"),
        ),
        timeseries(
            "Service level by queue over time",
            "The variant answered_of_answered_and_abandoned, by the hour.",
            queries.SERVICE_LEVEL_OVER_TIME,
            unit=SHARE,
            width=10,
        ),
    ]


def _csat() -> list[Json]:
    band = column("Upper bound", custom_fillBelowTo="Lower bound", custom_lineWidth=0, custom_fillOpacity=20)
    return [
        table(
            "CSAT by team",
            "Positive / (positive + neutral + negative) in the range, with the bounds of the Wilson interval at 95 %.",
            queries.CSAT_BY_TEAM,
            width=10,
            overrides=_shares("CSAT", "Lower bound", "Upper bound"),
        ),
        timeseries(
            "CSAT",
            "Positive / (positive + neutral + negative) of the teams chosen; the band is the Wilson interval at 95 %.",
            queries.CSAT_OVER_TIME,
            unit=SHARE,
            width=14,
            overrides=[band, column("Lower bound", custom_lineWidth=0)],
        ),
    ]


def _warnings() -> list[Json]:
    return [
        timeseries(
            "Warnings raised and cleared",
            "Risk warnings, by the instants at which they were raised and cleared.",
            queries.WARNINGS_RAISED,
            queries.WARNINGS_CLEARED,
            width=10,
        ),
        table(
            "Warnings now",
            "Risk warnings raised in the range and not cleared, the latest first.",
            queries.WARNINGS_NOW,
            width=14,
            overrides=[column("raised_at", unit=INSTANT), column("due_at", unit=INSTANT), OPEN_TICKET, HIDE_URL],
        ),
    ]


def _quality() -> list[Json]:
    return [
        table(
            "Data quality",
            "Events of each input topic in the range, by business time, and the delay from event to table in the worst "
            "hour.",
            queries.DATA_QUALITY,
            width=14,
            overrides=[column("Median delay", unit=SECONDS), column("95 % delay", unit=SECONDS)],
        ),
        table(
            "Freshness",
            "The time up to which each view is complete, and up to which it holds provisional rows.",
            queries.FRESHNESS,
            width=10,
            overrides=[
                column("Complete until", unit=INSTANT),
                column("Provisional until", unit=INSTANT),
                column("Behind", unit=SECONDS, thresholds=red_above(60), custom_cellOptions={"type": "color-text"}),
            ],
        ),
    ]


def _shares(*names: str) -> list[Json]:
    return [column(name, unit=SHARE, decimals=1) for name in names]
