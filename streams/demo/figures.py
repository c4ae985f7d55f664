"""The figures of the demo's board, queried from the views of ClickHouse."""

from collections import deque
from math import sqrt
from typing import NamedTuple

from sinks.clickhouse.client import Client
from streams.desk.policy.sections import Calls

Z = 1.959963984540054
"""The standard normal quantile of a 95 % interval."""
RATE_OVER_S = 10.0


class Backlog(NamedTuple):
    """The open tickets of a team at the end of the last minute; `oldest_s`: seconds since the oldest was created."""

    team: str
    open: int
    at_risk: int
    breached: int
    oldest_s: float


class Due(NamedTuple):
    """A running clock, and the seconds to its due time."""

    ticket_id: str
    metric: str
    team: str
    left_s: float


class Rate(NamedTuple):
    """A rate of `n`, under a name."""

    name: str
    rate: float
    n: int


class Satisfaction(NamedTuple):
    """Positive answers of `n`, and the bounds of the Wilson interval."""

    rate: float
    low: float
    high: float
    n: int


class Figures(NamedTuple):
    """All figures of the board."""

    events: int
    behind_s: float | None
    backlog: list[Backlog]
    due: list[Due]
    breach: list[Rate]
    service: list[Rate]
    csat: Satisfaction | None


_STORED = "SELECT sum(events) FROM data_quality"
_FRESH = "SELECT date_diff('millisecond', min(complete_until), now64(3)) / 1000 FROM freshness WHERE view = 'tickets'"
_BACKLOG = """
SELECT team, argMax(open, minute) AS now_open, argMax(at_risk, minute), argMax(breached_open, minute),
    toFloat64(argMax(oldest_s, minute)) + date_diff('second', max(minute) + 60, now())
FROM backlog_minutes GROUP BY team HAVING now_open > 0 ORDER BY team"""
_DUE = """
SELECT ticket_id, metric, team, date_diff('millisecond', now64(3), assumeNotNull(due_at)) / 1000
FROM due_next ORDER BY due_at, ticket_id, metric LIMIT 8"""
_BREACH = """
SELECT value, sum(first_response_breached + next_response_breached + resolution_breached) AS breached,
    breached + sum(first_response_met + next_response_met + resolution_met) AS n
FROM window_minutes
WHERE dimension = 'team' AND minute >= toStartOfMinute(now()) - 3600 AND minute < toStartOfMinute(now())
GROUP BY value HAVING n > 0 ORDER BY value"""
_SERVICE = """
SELECT queue, sum({variant} * {variant}_n) / sum({variant}_n), sum({variant}_n) AS n
FROM service_levels GROUP BY queue HAVING n > 0 ORDER BY queue"""
_CSAT = "SELECT sum(positive), sum(n) FROM satisfaction WHERE metric = 'csat'"


def ask(client: Client, calls: Calls) -> Figures:
    """The present figures; `calls` selects the variant of the service level."""

    def rows(query: str) -> list[tuple[object, ...]]:
        return client.query(query).result_rows  # type: ignore[no-any-return]

    (events,), (behind_s,), (positive, n) = rows(_STORED)[0], rows(_FRESH)[0], rows(_CSAT)[0]
    return Figures(
        events=int(str(events or 0)),
        behind_s=None if behind_s is None else float(str(behind_s)),
        backlog=[Backlog(*row) for row in rows(_BACKLOG)],  # type: ignore[arg-type]
        due=[Due(*row) for row in rows(_DUE)],  # type: ignore[arg-type]
        breach=[Rate(team, breached / n, n) for team, breached, n in rows(_BREACH)],  # type: ignore[operator, arg-type]
        service=[Rate(*row) for row in rows(_SERVICE.format(variant=calls.service_level))],  # type: ignore[arg-type]
        csat=satisfaction(int(str(positive or 0)), int(str(n or 0))),
    )


def satisfaction(positive: int, n: int) -> Satisfaction | None:
    """The rate with the Wilson score interval at 95 % (E. B. Wilson, JASA 22, 1927); None without answers.

    (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n)
    """
    if n == 0:
        return None
    p = positive / n
    middle, half = p + Z * Z / (2 * n), Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return Satisfaction(p, (middle - half) / (1 + Z * Z / n), (middle + half) / (1 + Z * Z / n), n)


class Pace:
    """The growth of a count over the last ten seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def per_s(self, now_s: float, count: int) -> float:
        """Add the count at an instant (s); returns the growth per second since the oldest count kept."""
        seen = self._seen
        seen.append((now_s, count))
        while len(seen) > 2 and now_s - seen[0][0] > RATE_OVER_S:
            seen.popleft()
        then_s, then = seen[0]
        return (count - then) / (now_s - then_s) if now_s > then_s else 0.0
