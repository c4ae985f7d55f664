"""The dashboard "Operations now": how the desk stands, and what needs a hand next. PURE.

Panels read the views for BI only. Rates are made from sums over the range, never from averages of rates.
"""

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

TEAM = "$__conditionalAll(team IN (${team:sqlstring}), $team)"
CHANNEL = "$__conditionalAll(channel IN (${channel:sqlstring}), $channel)"
QUEUE = "$__conditionalAll(queue IN (${queue:sqlstring}), $queue)"
MINUTES = "$__timeFilter(minute)"
HOURS = "hour >= toStartOfHour($__fromTime) AND hour <= $__toTime"  # an hour that has begun counts whole

VARIABLES = [
    variable("team", "Team", "SELECT DISTINCT team FROM tickets WHERE team != '' ORDER BY team"),
    variable("channel", "Channel", "SELECT DISTINCT channel FROM tickets WHERE channel != '' ORDER BY channel"),
    variable("queue", "Queue", "SELECT DISTINCT queue FROM calls WHERE queue != '' ORDER BY queue"),
]

# The end of the range, or the instant up to which the backlog is known, whichever comes first; and each team's last row.
BACKLOG = f"""
WITH least($__toTime, (SELECT complete_until FROM freshness WHERE view = 'backlog_minutes')) AS known
SELECT
    team,
    argMax(open, minute) AS open_now,
    argMax(at_risk, minute) AS at_risk_now,
    argMax(breached_open, minute) AS breached_now,
    argMax(waiting_calls, minute) AS waiting_now,
    dateDiff('second', max(minute) + 60, known) AS since_s,
    if(open_now > 0, argMax(oldest_s, minute) + since_s, 0) AS oldest_now_s,
    if(waiting_now > 0, argMax(longest_wait_s, minute) + since_s, 0) AS longest_now_s
FROM backlog_minutes
WHERE minute < known AND {TEAM}
GROUP BY team"""

TICKET_SUMS = f"FROM ticket_minutes WHERE {MINUTES} AND {TEAM} AND {CHANNEL}"

WILSON_Z = "1.959963984540054"
"""For 95 %: the bounds of E. B. Wilson, JASA 22, 1927, as the view `satisfaction` has them for one hour."""


def wilson(sign: str) -> str:
    """The lower (`-`) or upper (`+`) bound of the share `positive_n / n`."""
    z = WILSON_Z
    share = "positive_n / n"
    root = f"sqrt({share} * (1 - {share}) / n + {z} * {z} / (4 * n * n))"
    return f"({share} + {z} * {z} / (2 * n) {sign} {z} * {root}) / (1 + {z} * {z} / n)"


def satisfaction(dimension: str) -> str:
    """The sums of CSAT by a dimension, where anybody answered."""
    return f"""
    SELECT {dimension}, sum(positive) AS positive_n, sum(n) AS n
    FROM (SELECT * FROM satisfaction WHERE metric = 'csat' AND {HOURS} AND {TEAM} AND {CHANNEL})
    GROUP BY 1
    HAVING sum(n) > 0"""


def backlog() -> list[Json]:
    """How the desk stands at the end of the range."""
    return [
        stat(
            "Backlog now",
            "Tickets that are neither solved, closed nor merged; those of them with a clock at risk, and with a breached one.",
            f'SELECT sum(open_now) AS "Open", sum(at_risk_now) AS "At risk", sum(breached_now) AS "Breached and open" '
            f"FROM ({BACKLOG})",
            width=8,
            overrides=[column("Breached and open", thresholds=red_above(1))],
        ),
        stat(
            "Oldest and waiting",
            "How long the oldest open ticket has been open; how many callers wait in a queue, and the longest wait.",
            f'SELECT max(oldest_now_s) AS "Oldest", sum(waiting_now) AS "Waiting calls", '
            f'max(longest_now_s) AS "Longest wait" FROM ({BACKLOG})',
            unit=SECONDS,
            width=8,
            overrides=[column("Waiting calls", unit="short")],
        ),
        stat(
            "First response attainment",
            "First responses in time: met / (met + breached), in the range; without exempted: breaches that were exempted "
            "left out.",
            'SELECT sum(first_response_met) / nullIf(sum(first_response_met) + sum(first_response_breached), 0) AS "Met", '
            "sum(first_response_met) / nullIf(sum(first_response_met) + sum(first_response_breached) "
            '- sum(first_response_exempted), 0) AS "Met, without exempted", '
            f'sum(first_response_met) + sum(first_response_breached) AS "n" {TICKET_SUMS}',
            unit=SHARE,
            width=8,
            overrides=[column("n", unit="short")],
        ),
    ]


def backlog_and_due() -> list[Json]:
    """What each team has, and the clocks that run out next."""
    link = [{"title": "Open the ticket", "url": "${__data.fields.url}", "targetBlank": True}]
    return [
        table(
            "Backlog now by team",
            "As above, team by team; the last row of each team in `backlog_minutes`, its ages up to now.",
            'SELECT team AS "Team", open_now AS "Open", at_risk_now AS "At risk", breached_now AS "Breached and open", '
            f'oldest_now_s AS "Oldest", waiting_now AS "Waiting calls", longest_now_s AS "Longest wait" FROM ({BACKLOG}) '
            'ORDER BY "Breached and open" DESC, "Open" DESC, "Team"',
            width=10,
            height=9,
            overrides=[column("Oldest", unit=SECONDS), column("Longest wait", unit=SECONDS)],
        ),
        table(
            "Due next",
            "Running clocks, soonest first: business time may stand still before they are due.",
            "SELECT due_at, left_s, ticket_id, metric, team, agent_id, priority, segment, url FROM due_next "
            f"WHERE {TEAM} ORDER BY due_at, ticket_id, metric LIMIT 100",
            width=14,
            height=9,
            overrides=[
                column("due_at", unit=INSTANT),
                column("left_s", unit=SECONDS, thresholds=red_above(0)),
                column("ticket_id", links=link),
                column("url", custom_hidden=True),
            ],
        ),
    ]


def breaches() -> list[Json]:
    """Where targets are missed."""
    metrics = ", ".join(
        f"('{metric}', {metric}_met, {metric}_breached, {metric}_exempted)"
        for metric in ("first_response", "next_response", "resolution")
    )
    rates = (
        "sum(clock.3) / nullIf(sum(clock.2) + sum(clock.3), 0)",
        "(sum(clock.3) - sum(clock.4)) / nullIf(sum(clock.2) + sum(clock.3) - sum(clock.4), 0)",
    )
    return [
        table(
            "Breach rate by team",
            "Breached / (met + breached) in the range; without exempted: breaches that were exempted left out. n = met + "
            "breached.",
            f'SELECT team AS "Team", clock.1 AS "Metric", sum(clock.2) + sum(clock.3) AS "n", sum(clock.3) AS "Breached", '
            f'sum(clock.4) AS "Exempted", {rates[0]} AS "Breach rate", {rates[1]} AS "Without exempted" '
            f"FROM ticket_minutes ARRAY JOIN [{metrics}] AS clock WHERE {MINUTES} AND {TEAM} AND {CHANNEL} "
            'GROUP BY team, clock.1 HAVING "n" > 0 ORDER BY "Breach rate" DESC, "Team", "Metric"',
            width=12,
            overrides=[
                column("Breach rate", unit=SHARE, decimals=1),
                column("Without exempted", unit=SHARE, decimals=1),
            ],
        ),
        timeseries(
            "Breach rate by team over time",
            "Resolution clocks: breached / (met + breached), by the minute in which they were met or breached.",
            "SELECT $__timeInterval(minute) AS time, team AS label, sum(resolution_breached) / "
            f"nullIf(sum(resolution_met) + sum(resolution_breached), 0) AS value {TICKET_SUMS} "
            "GROUP BY time, label HAVING sum(resolution_met) + sum(resolution_breached) > 0 ORDER BY time, label",
            unit=SHARE,
            width=12,
        ),
    ]


def volumes() -> list[Json]:
    """What comes in."""
    return [
        timeseries(
            "Volumes by channel",
            "Tickets created, by channel.",
            f"SELECT $__timeInterval(minute) AS time, channel AS label, sum(created) AS value {TICKET_SUMS} "
            "GROUP BY time, label HAVING sum(created) > 0 ORDER BY time, label",
            width=12,
            bars=True,
        ),
        timeseries(
            "Calls by queue",
            "Calls offered, by their first queue.",
            "SELECT $__timeInterval(minute) AS time, queue AS label, sum(offered) AS value FROM call_minutes "
            f"WHERE {MINUTES} AND {QUEUE} GROUP BY time, label HAVING sum(offered) > 0 ORDER BY time, label",
            width=12,
            bars=True,
        ),
    ]


SERVICE_LEVELS = {
    "answered_of_offered": "answered_in_target",
    "answered_of_answered": "answered_in_target",
    "answered_of_answered_and_abandoned": "answered_in_target",
    "answered_without_short_abandons": "answered_in_target",
    "hits_with_abandons": "answered_in_target + abandoned_in_target",
}
"""By variant, what counts as a hit, out of the variant's own `_n`."""


def service_level() -> list[Json]:
    """How soon callers are answered, in all published variants."""
    variants = ", ".join(f'sum({hits}) / nullIf(sum({name}_n), 0) AS "{name}"' for name, hits in SERVICE_LEVELS.items())
    calls = f"FROM service_levels WHERE {HOURS} AND {QUEUE}"
    shares = [column(name, unit=SHARE, decimals=1) for name in (*SERVICE_LEVELS, "Abandon rate")]
    return [
        table(
            "Service level by queue",
            "Answered within the target, in every published variant. Queued = offered less those who left in the voice menu; "
            "abandon rate = abandoned / queued.",
            f'SELECT queue AS "Queue", sum(queued) AS "Queued", {variants}, sum(abandoned) / nullIf(sum(queued), 0) '
            f'AS "Abandon rate" {calls} GROUP BY queue ORDER BY "Queued" DESC, "Queue"',
            width=14,
            overrides=shares,
        ),
        timeseries(
            "Service level by queue over time",
            "answered_of_answered_and_abandoned, by the hour.",
            "SELECT $__timeInterval(hour) AS time, queue AS label, sum(answered_in_target) / "
            f"nullIf(sum(answered_of_answered_and_abandoned_n), 0) AS value {calls} GROUP BY time, label "
            "HAVING sum(answered_of_answered_and_abandoned_n) > 0 ORDER BY time, label",
            unit=SHARE,
            width=10,
        ),
    ]


def csat() -> list[Json]:
    """What customers say."""
    bounds = f'{wilson("-")} AS "Lower bound", {wilson("+")} AS "Upper bound"'
    band = column("Upper bound", custom_fillBelowTo="Lower bound", custom_lineWidth=0, custom_fillOpacity=20)
    return [
        table(
            "CSAT by team",
            "Positive / (positive + neutral + negative) in the range, with the bounds of the Wilson interval at 95 %.",
            f'SELECT team AS "Team", n, positive_n / n AS "CSAT", {bounds} FROM ({satisfaction("team")}) '
            'ORDER BY "CSAT", "Team"',
            width=10,
            overrides=[column(name, unit=SHARE, decimals=1) for name in ("CSAT", "Lower bound", "Upper bound")],
        ),
        timeseries(
            "CSAT",
            "Positive / (positive + neutral + negative) of all teams chosen; the band is the Wilson interval at 95 %.",
            f'SELECT time, positive_n / n AS "CSAT", {bounds} FROM ({satisfaction("$__timeInterval(hour) AS time")}) '
            "ORDER BY time",
            unit=SHARE,
            width=14,
            overrides=[band, column("Lower bound", custom_lineWidth=0)],
        ),
    ]


def warnings() -> list[Json]:
    """What was warned of."""
    link = [{"title": "Open the ticket", "url": "${__data.fields.url}", "targetBlank": True}]
    count = "SELECT $__timeInterval({at}) AS time, '{label}' AS label, count() AS value FROM risk_warnings WHERE "
    count += f"$__timeFilter({{at}}) AND {TEAM} GROUP BY time ORDER BY time"
    return [
        timeseries(
            "Warnings raised and cleared",
            "Risk warnings, by the instants at which they were raised and cleared.",
            count.format(at="raised_at", label="raised"),
            count.format(at="cleared_at", label="cleared"),
            width=10,
        ),
        table(
            "Warnings now",
            "Risk warnings raised in the range and not cleared, the latest first.",
            "SELECT raised_at, rule, severity, ticket_id, metric, team, agent_id, due_at, url FROM risk_warnings "
            f"WHERE cleared_at IS NULL AND $__timeFilter(raised_at) AND {TEAM} ORDER BY raised_at DESC, warning_id LIMIT 100",
            width=14,
            overrides=[
                column("raised_at", unit=INSTANT),
                column("due_at", unit=INSTANT),
                column("ticket_id", links=link),
                column("url", custom_hidden=True),
            ],
        ),
    ]


def quality() -> list[Json]:
    """How far the figures may be trusted."""
    counts = ", ".join(
        f'sum({name}) AS "{name.replace("_", " ").capitalize()}"'
        for name in ("events", "late", "duplicates", "conflicts", "orphans", "released", "dead_letters", "unknown")
    )
    return [
        table(
            "Data quality",
            "What came in on each input topic, in the range, by business time; the delay from there to the table is that of "
            "the worst hour.",
            f'SELECT topic AS "Topic", {counts}, max(delay_median_s) AS "Median delay", max(delay_p95_s) AS "95 % delay" '
            f"FROM data_quality WHERE {HOURS} GROUP BY topic ORDER BY topic",
            width=14,
            overrides=[column("Median delay", unit=SECONDS), column("95 % delay", unit=SECONDS)],
        ),
        table(
            "Freshness",
            "Up to when each view says all there is to say, and up to when it says something.",
            'SELECT view AS "View", complete_until AS "Complete until", provisional_until AS "Provisional until", '
            "dateDiff('millisecond', complete_until, now64(3)) / 1000 AS \"Behind\" FROM freshness "
            'ORDER BY "Complete until", "View"',
            width=10,
            overrides=[
                column("Complete until", unit=INSTANT),
                column("Provisional until", unit=INSTANT),
                column("Behind", unit=SECONDS, thresholds=red_above(60)),
            ],
        ),
    ]


def operations_now() -> Json:
    """The whole dashboard."""
    return dashboard(
        "deskwatch-operations-now",
        "Operations now",
        "How the desk stands, and what needs a hand next.",
        VARIABLES,
        [
            [row("Backlog")],
            backlog(),
            backlog_and_due(),
            [row("Targets")],
            breaches(),
            [row("Contacts")],
            volumes(),
            service_level(),
            [row("Satisfaction and warnings")],
            csat(),
            warnings(),
            [row("Can it be trusted?")],
            quality(),
        ],
    )
