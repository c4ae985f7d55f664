"""The queries of "Operations now": SQL over the views for BI, with Grafana's macros and variables. PURE.

Rates are computed from sums over the range, never from averages of rates.
"""

TEAM = "$__conditionalAll(team IN (${team:sqlstring}), $team)"
CHANNEL = "$__conditionalAll(channel IN (${channel:sqlstring}), $channel)"
QUEUE = "$__conditionalAll(queue IN (${queue:sqlstring}), $queue)"
HOURS = "hour > $__fromTime - INTERVAL 1 HOUR AND hour <= $__toTime"  # a partial hour counts as a whole one
TICKETS = f"FROM ticket_minutes WHERE $__timeFilter(minute) AND {TEAM} AND {CHANNEL}"
CALLS = f"FROM service_levels WHERE {HOURS} AND {QUEUE}"

# Backlog

_KNOWN = "least($__toTime, (SELECT complete_until FROM freshness WHERE view = 'backlog_minutes'))"
"""The end of the range, or the instant up to which the backlog is known, whichever comes first."""

_BACKLOG = f"""
    SELECT
        team,
        argMax(open, minute) AS open_now,
        argMax(at_risk, minute) AS at_risk_now,
        argMax(breached_open, minute) AS breached_now,
        argMax(waiting_calls, minute) AS waiting_now,
        dateDiff('second', max(minute) + 60, {_KNOWN}) AS since_s,
        if(open_now > 0, argMax(oldest_s, minute) + since_s, NULL) AS oldest_now_s,
        if(waiting_now > 0, argMax(longest_wait_s, minute) + since_s, NULL) AS longest_now_s
    FROM backlog_minutes
    WHERE minute < {_KNOWN} AND {TEAM}
    GROUP BY team"""
"""The last row of each team, with ages as of then."""

BACKLOG_NOW = f"""
SELECT sum(open_now) AS "Open", sum(at_risk_now) AS "At risk", sum(breached_now) AS "Breached and open"
FROM ({_BACKLOG}
)"""

OLDEST_AND_WAITING = f"""
SELECT max(oldest_now_s) AS "Oldest", sum(waiting_now) AS "Waiting calls", max(longest_now_s) AS "Longest wait"
FROM ({_BACKLOG}
)"""

BACKLOG_BY_TEAM = f"""
SELECT
    team AS "Team",
    open_now AS "Open",
    at_risk_now AS "At risk",
    breached_now AS "Breached and open",
    oldest_now_s AS "Oldest",
    waiting_now AS "Waiting calls",
    longest_now_s AS "Longest wait"
FROM ({_BACKLOG}
)
WHERE open_now > 0 OR waiting_now > 0
ORDER BY "Breached and open" DESC, "Open" DESC, "Team" """

DUE_NEXT = f"""
SELECT due_at, left_s, ticket_id, metric, team, agent_id, priority, segment, url
FROM due_next
WHERE {TEAM}
ORDER BY due_at, ticket_id, metric
LIMIT 100"""

# Targets

FIRST_RESPONSE_ATTAINMENT = f"""
SELECT
    met / nullIf(n, 0) AS "Met",
    met / nullIf(n - exempted, 0) AS "Met, without exempted",
    n AS "n"
FROM (
    SELECT
        sum(first_response_met) AS met,
        met + sum(first_response_breached) AS n,
        sum(first_response_exempted) AS exempted
    {TICKETS}
)"""

BREACH_RATE_BY_TEAM = f"""
SELECT
    team AS "Team",
    metric AS "Metric",
    n AS "n",
    breached AS "Breached",
    exempted AS "Exempted",
    breached / n AS "Breach rate",
    (breached - exempted) / nullIf(n - exempted, 0) AS "Without exempted"
FROM (
    SELECT team, clock.1 AS metric, sum(clock.3) AS breached, sum(clock.2) + breached AS n, sum(clock.4) AS exempted
    FROM ticket_minutes
    ARRAY JOIN [
        ('first_response', first_response_met, first_response_breached, first_response_exempted),
        ('next_response', next_response_met, next_response_breached, next_response_exempted),
        ('resolution', resolution_met, resolution_breached, resolution_exempted)
    ] AS clock
    WHERE $__timeFilter(minute) AND {TEAM} AND {CHANNEL}
    GROUP BY team, metric
)
WHERE n > 0
ORDER BY "Breach rate" DESC, "Team", "Metric" """

BREACH_RATE_OVER_TIME = f"""
SELECT time, label, breached / n AS value
FROM (
    SELECT
        $__timeInterval(minute) AS time,
        team AS label,
        sum(resolution_breached) AS breached,
        sum(resolution_met) + breached AS n
    {TICKETS}
    GROUP BY time, label
)
WHERE n > 0 AND label IN (
    SELECT team
    {TICKETS}
    GROUP BY team
    ORDER BY sum(resolution_met) + sum(resolution_breached) DESC, team
    LIMIT 10
)
ORDER BY time, label"""

# Contacts

TICKETS_BY_CHANNEL = f"""
SELECT $__timeInterval(minute) AS time, channel AS label, sum(created) AS value
{TICKETS}
GROUP BY time, label
HAVING value > 0
ORDER BY time, label"""

CALLS_BY_QUEUE = f"""
SELECT $__timeInterval(minute) AS time, queue AS label, sum(offered) AS value
FROM call_minutes
WHERE $__timeFilter(minute) AND {QUEUE}
GROUP BY time, label
HAVING value > 0
ORDER BY time, label"""

VARIANTS = {
    "answered_of_offered": "answered_in_target",
    "answered_of_answered": "answered_in_target",
    "answered_of_answered_and_abandoned": "answered_in_target",
    "answered_without_short_abandons": "answered_in_target",
    "hits_with_abandons": "answered_in_target + abandoned_in_target",
}
"""By variant of the service level, its hits; the share is of its own `_n`."""

_VARIANTS = ",\n    ".join(f'sum({hits}) / nullIf(sum({name}_n), 0) AS "{name}"' for name, hits in VARIANTS.items())

SERVICE_LEVEL_BY_QUEUE = f"""
SELECT
    queue AS "Queue",
    sum(queued) AS "Queued",
    {_VARIANTS},
    sum(abandoned) / nullIf(sum(queued), 0) AS "Abandon rate"
{CALLS}
GROUP BY queue
ORDER BY "Queued" DESC, "Queue" """

SERVICE_LEVEL_OVER_TIME = f"""
SELECT time, label, hits / n AS value
FROM (
    SELECT
        $__timeInterval(hour) AS time,
        queue AS label,
        sum(answered_in_target) AS hits,
        sum(answered_of_answered_and_abandoned_n) AS n
    {CALLS}
    GROUP BY time, label
)
WHERE n > 0
ORDER BY time, label"""

# Satisfaction

_Z = "1.959963984540054"
_ROOT = f"sqrt(p * (1 - p) / n + {_Z} * {_Z} / (4 * n * n))"
_CSAT = f"""
    p AS "CSAT",
    (p + {_Z} * {_Z} / (2 * n) - {_Z} * {_ROOT}) / (1 + {_Z} * {_Z} / n) AS "Lower bound",
    (p + {_Z} * {_Z} / (2 * n) + {_Z} * {_ROOT}) / (1 + {_Z} * {_Z} / n) AS "Upper bound"
"""
"""The share p of n with its Wilson bounds at 95 % (JASA 22, 1927), as the view `satisfaction` has them by the hour."""


def _answers(dimension: str) -> str:
    return f"""(
    SELECT {dimension}, sum(answered.n) AS n, sum(positive) / n AS p
    FROM satisfaction AS answered
    WHERE metric = 'csat' AND {HOURS} AND {TEAM} AND {CHANNEL}
    GROUP BY 1
    HAVING n > 0
)"""


CSAT_BY_TEAM = f"""
SELECT
    team AS "Team",
    n AS "n",{_CSAT}FROM {_answers("team")}
ORDER BY "CSAT", "Team" """

CSAT_OVER_TIME = f"""
SELECT
    time,{_CSAT}FROM {_answers("$__timeInterval(hour) AS time")}
ORDER BY time"""

# Warnings


def _warnings(at: str, label: str) -> str:
    return f"""
SELECT $__timeInterval({at}) AS time, '{label}' AS label, count() AS value
FROM risk_warnings
WHERE $__timeFilter({at}) AND {TEAM}
GROUP BY time
ORDER BY time"""


WARNINGS_RAISED = _warnings("raised_at", "raised")
WARNINGS_CLEARED = _warnings("cleared_at", "cleared")

WARNINGS_NOW = f"""
SELECT raised_at, rule, severity, ticket_id, metric, team, agent_id, due_at, url
FROM risk_warnings
WHERE cleared_at IS NULL AND $__timeFilter(raised_at) AND {TEAM}
ORDER BY raised_at DESC, warning_id
LIMIT 100"""

# Data quality and freshness

DATA_QUALITY = f"""
SELECT
    topic AS "Topic",
    sum(events) AS "Events",
    sum(late) AS "Late",
    sum(duplicates) AS "Duplicates",
    sum(conflicts) AS "Conflicts",
    sum(orphans) AS "Orphans",
    sum(released) AS "Released",
    sum(dead_letters) AS "Dead letters",
    sum(unknown) AS "Unknown",
    max(delay_median_s) AS "Median delay",
    max(delay_p95_s) AS "95 % delay"
FROM data_quality
WHERE {HOURS}
GROUP BY topic
ORDER BY topic"""

FRESHNESS = """
SELECT
    view AS "View",
    complete_until AS "Complete until",
    provisional_until AS "Provisional until",
    dateDiff('second', complete_until, now()) AS "Behind"
FROM freshness
ORDER BY "Complete until", "View" """

# Variables


def values(name: str, view: str) -> str:
    """The values of a dimension in a view."""
    return f"SELECT DISTINCT {name} FROM {view} WHERE {name} != '' ORDER BY {name}"
