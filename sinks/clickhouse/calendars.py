"""The calendars of the policy as a table, so that a view can compute the business time a running clock has used.

open            ####----####        opens_at[i], closes_at[i], before_ms[i] = open time before span i
instant t             ^             before(t) = before_ms[i] + least(t, closes_at[i]) - opens_at[i]
"""

from collections.abc import Iterable, Mapping, Sequence

from sinks.clickhouse.client import Client
from streams.desk.calendars.business_time import Calendar
from streams.desk.calendars.local_time import OffsetSpan
from streams.desk.policy.versions import Policies
from streams.models.codec import decode
from streams.models.instants import EARLIEST, LATEST, parse_instant
from streams.models.signals import DeskClosed

TABLE = "calendar_rows"
COLUMNS = ("policy_version", "calendar", "opens_at", "closes_at", "before_ms", "version")
LOCAL_TIME_COLUMNS = ("name", "froms", "offsets", "quarters", "hours", "days", "version")
ALWAYS = "24x7"
"""The name in the ledger of the calendar of a target in calendar days."""

Closures = Mapping[str, Sequence[tuple[int, int]]]


def calendar_rows(policies: Policies, generation: int) -> list[tuple[object, ...]]:
    """A row for each calendar of each version, over all years that an event may be in."""
    rows: list[tuple[object, ...]] = []
    for policy in policies.versions:
        for name, calendar in {**policy.calendars, ALWAYS: Calendar.always()}.items():
            opens, closes, before, total = [], [], [], 0
            for opens_at, closes_at in calendar.spans(EARLIEST, LATEST):
                opens.append(opens_at)
                closes.append(closes_at)
                before.append(total)
                total += closes_at - opens_at
            rows.append((policy.version, name, opens, closes, before, generation))
    return rows


def closures_of(bodies: Iterable[str]) -> Closures:
    """By calendar, the spans (ms) of `desk.closed` events, given as JSON."""
    closed: dict[str, list[tuple[int, int]]] = {}
    for body in bodies:
        event = decode(body.encode())
        assert isinstance(event, DeskClosed)
        span = parse_instant(event.data.begins), parse_instant(event.data.ends)
        closed.setdefault(event.data.calendar, []).append(span)
    return closed


def local_time_row(policies: Policies) -> tuple[object, ...]:
    """The desk's local time over all the years that an event may lie in: see `streams.desk.calendars.local_time`."""
    spans = policies.local_time.spans
    return ("desk", *([span[i] for span in spans] for i in range(len(OffsetSpan._fields))), len(policies.versions))


def write_calendars(client: Client, database: str, policies: Policies) -> None:
    """Rewrite the calendars without the ad-hoc closures among the stored events.

    The rows with more closures win; of as many, the last ones.
    """
    found = client.query("SELECT body FROM events WHERE type = 'desk.closed'", settings={"database": database})
    bodies = [row[0] for row in found.result_rows]
    closed = policies.with_closures(closures_of(bodies)) if bodies else policies
    rows = calendar_rows(closed, len(bodies))
    client.insert(TABLE, rows, COLUMNS, database=database, settings={"async_insert": 0})
    local_time = [local_time_row(policies)]
    client.insert("local_time_rows", local_time, LOCAL_TIME_COLUMNS, database=database, settings={"async_insert": 0})
