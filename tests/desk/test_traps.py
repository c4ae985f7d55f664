"""Known faults of other service desks' SLA clocks, with figures computed by hand, in core and naive fold.

Times are of Monday 2026-10-12 (UTC) unless a test says otherwise: `=` runs, `.` is paused, `x` breaches.
"""

import tomllib
from datetime import datetime, timedelta
from typing import Any

import msgspec

from streams.desk.policy.versions import Policies, parse
from streams.models.instants import format_instant, parse_instant
from streams.models.rows import FactRow, LedgerRow, Row, WarningRow
from tests.desk.compare import decoded, ledger_of, rows_of
from tests.naive.fold import fold

OFFICE = """
version = "{version}"
{effective_from}
timezone = "{zone}"
[calendars.always]
hours = "24x7"
[calendars.office]
holidays = {holidays}
[calendars.office.hours]
mon = {hours}
tue = {hours}
wed = {hours}
thu = {hours}
fri = {hours}
[clocks]
resolution = {{ pause_on = ["pending"], reopen = "{reopen}" }}
[[sla]]
name = "all"
calendar = "{calendar}"
warn_at = 0.75
first_response = {first_response}
resolution = {resolution}
"""


def policy(**changes: str) -> str:
    """A policy's text: 8 hours for everything, round the clock, unless given otherwise."""
    usual = {
        "version": "v1",
        "effective_from": "",
        "zone": "UTC",
        "holidays": "[]",
        "hours": '["09:00-12:00", "13:30-18:00"]',
        "reopen": "exclude_closed_time",
        "calendar": "always",
        "first_response": '"8h"',
        "resolution": '"8h"',
    }
    if "effective_from" in changes:
        changes["effective_from"] = f'effective_from = "{changes["effective_from"]}"'
    return OFFICE.format(**{**usual, **changes})


def instant(time: str) -> str:
    """`09:30` of Monday, or a whole instant."""
    return time if "T" in time else f"2026-10-12T{time}:00Z"


def log_of(*events: tuple[str, str, dict[str, Any]]) -> list[bytes]:
    """(time, type, data) of one ticket's events; a status change may be given by its status alone."""
    return [
        msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": f"e{n}",
                "source": "test",
                "type": f"ticket.{kind}",
                "time": instant(time),
                "data": {"ticket_id": "t1", **data},
            }
        )
        for n, (time, kind, data) in enumerate(events)
    ]


def created(time: str, **data: Any) -> tuple[str, str, dict[str, Any]]:
    return time, "created", data


def status(time: str, name: str) -> tuple[str, str, dict[str, Any]]:
    return time, "status_changed", {"status": name}


def reply(time: str, author: str = "agent", **data: Any) -> tuple[str, str, dict[str, Any]]:
    return time, "replied", {"author": author, **data}


def folded(lines: list[bytes], *texts: str, until: str) -> list[Row]:
    """The rows of the core, whose ledger is the naive fold's."""
    as_of = parse_instant(instant(until))
    versions = Policies([parse(text, f"policy {n}") for n, text in enumerate(texts)])
    rows = list(rows_of(decoded(lines), versions, as_of).values())
    naive = fold(map(msgspec.json.decode, lines), [tomllib.loads(text) for text in texts], as_of)
    assert ledger_of(rows) == naive["ledger"]
    return rows


def life(rows: list[Row], metric: str = "resolution") -> list[tuple[str, str]]:
    """(transition, time) of a metric's clock; the date only where it is not Monday's."""
    ledger = sorted((row for row in rows if isinstance(row, LedgerRow)), key=lambda row: (row.cycle, row.seq))
    return [(row.transition, _short(row.at)) for row in ledger if row.metric == metric]


def due(rows: list[Row], metric: str = "resolution") -> str:
    """Where the last row of a metric's clock says that it falls due."""
    ledger = [row for row in rows if isinstance(row, LedgerRow) and row.metric == metric and row.due_at is not None]
    at = max(ledger, key=lambda row: (row.cycle, row.seq)).due_at
    assert at is not None
    return _short(at)


def _short(at: int) -> str:
    text = format_instant(at)
    return text[11:16] if text.startswith("2026-10-12") else text[:16]


def test_business_hours_count_and_nights_do_not() -> None:
    """
    Mon 17:00 == 18:00 ........ Tue 09:00 ==== 12:00 .. 13:30 ==== 17:30 due (1 h + 3 h + 4 h)
    """
    rows = folded(log_of(created("17:00")), policy(calendar="office"), until="2026-10-14T00:00:00Z")
    assert due(rows) == "2026-10-13T17:30"
    assert life(rows)[-1] == ("breached", "2026-10-13T17:30")


def test_a_split_shift_leaves_out_lunch() -> None:
    """
    11:00 == 12:00 ... 13:30 == 14:30 due (2 h)
    """
    rows = folded(log_of(created("11:00")), policy(calendar="office", resolution='"2h"'), until="23:00")
    assert due(rows) == "14:30"


def test_a_dst_week_keeps_the_wall_clock() -> None:
    """
    Berlin: Fri 2026-10-23 17:00 CEST (15:00 UTC) == 18:00 ... Mon 26, now CET: 09:00 (08:00 UTC) == 10:00 (09:00 UTC)
    """
    text = policy(calendar="office", zone="Europe/Berlin", resolution='"2h"')
    rows = folded(log_of(created("2026-10-23T15:00:00Z")), text, until="2026-10-27T00:00:00Z")
    assert due(rows) == "2026-10-26T09:00"


def test_round_the_clock_hours_are_real_hours_over_the_dst_jump() -> None:
    """
    Berlin: Sat 2026-10-24 22:00 UTC + 24 h = Sun 22:00 UTC, although Sunday has 25 local hours
    """
    text = policy(zone="Europe/Berlin", resolution='"24h"')
    rows = folded(log_of(created("2026-10-24T22:00:00Z")), text, until="2026-10-25T12:00:00Z")
    assert due(rows) == "2026-10-25T22:00"


def test_a_holiday_of_the_calendar_closes_the_desk_and_a_make_up_day_opens_it() -> None:
    """
    Shanghai: Wed 2026-09-30 17:00 == 18:00 | Oct 1 to 7 National Day | Thu Oct 8 09:00 == 10:00 (02:00 UTC) due (2 h)
    """
    text = policy(calendar="office", zone="Asia/Shanghai", holidays='"CN"', resolution='"2h"')
    rows = folded(log_of(created("2026-09-30T09:00:00Z")), text, until="2026-10-09T00:00:00Z")
    assert due(rows) == "2026-10-08T02:00"


def test_midnight_is_not_a_gap_round_the_clock() -> None:
    """
    23:00 ==== 24:00 ==== 01:00 due: two hours, not one minute more
    """
    rows = folded(log_of(created("23:00")), policy(resolution='"2h"'), until="2026-10-13T02:00:00Z")
    assert due(rows) == "2026-10-13T01:00"
    assert life(rows)[-1] == ("breached", "2026-10-13T01:00")


def test_nothing_escalates_at_midnight_for_an_office_target() -> None:
    """
    17:00 == 18:00 ..... 24:00 (nothing) ..... Tue 09:00
    """
    rows = folded(log_of(created("17:00")), policy(calendar="office"), until="2026-10-13T08:59:00Z")
    assert life(rows) == [("activated", "17:00")]


def test_a_pause_is_business_time_not_wall_clock_added_to_the_creation() -> None:
    """
    office, 4 h: 10:00 == 11:00 pending ... Tue 10:00 open == 12:00 .. 13:30 == 14:30 due (1 h before, 3 h after)
    """
    log = log_of(created("10:00"), status("11:00", "pending"), status("2026-10-13T10:00:00Z", "open"))
    rows = folded(log, policy(calendar="office", resolution='"4h"'), until="2026-10-13T11:00:00Z")
    assert due(rows) == "2026-10-13T14:30"


def test_paused_then_solved_keeps_the_pause() -> None:
    """
    00:00 == 01:00 pending ............ 20:00 solved: 1 h elapsed, met
    """
    rows = folded(
        log_of(created("00:00"), status("01:00", "pending"), status("20:00", "solved")), policy(), until="23:00"
    )
    last = [row for row in rows if isinstance(row, LedgerRow) and row.transition == "fulfilled"]
    assert [(row.metric, row.elapsed_ms) for row in last] == [("resolution", 3_600_000)]


def test_a_pause_outlives_a_change_of_priority() -> None:
    """
    00:00 == 01:00 pending .. 03:00 urgent (4 h) .. 05:00 open == 08:00 due
    """
    log = log_of(
        created("00:00"),
        status("01:00", "pending"),
        ("03:00", "updated", {"priority": "urgent"}),
        status("05:00", "open"),
    )
    rows = folded(log, policy(resolution='{ normal = "8h", urgent = "4h" }'), until="06:00")
    assert [transition for transition, _ in life(rows)] == ["activated", "paused", "retargeted", "resumed"]
    assert due(rows) == "08:00"


def test_a_pause_over_night_takes_nothing_from_an_office_target() -> None:
    """
    office, 8 h: 17:00 == 17:30 pending ..... Tue 09:30 open: 0.5 h elapsed, not less for the closed night
    """
    log = log_of(created("17:00"), status("17:30", "pending"), status("2026-10-13T09:30:00Z", "open"))
    rows = folded(log, policy(calendar="office"), until="2026-10-13T10:00:00Z")
    resumed = [row for row in rows if isinstance(row, LedgerRow) and row.transition == "resumed"]
    assert [row.elapsed_ms for row in resumed] == [30 * 60_000]


def test_a_clock_that_stands_still_does_not_breach() -> None:
    """
    00:00 == 07:00 pending ................ 23:00: 7 of 8 h
    """
    rows = folded(log_of(created("00:00"), status("07:00", "pending")), policy(), until="23:00")
    assert life(rows)[-1] == ("paused", "07:00")


def test_a_reopened_ticket_neither_breaches_at_once_nor_starts_afresh() -> None:
    """
    00:00 == 07:00 solved ............ 20:00 open == 21:00 x
    """
    rows = folded(log_of(created("00:00"), status("07:00", "solved"), status("20:00", "open")), policy(), until="22:00")
    assert life(rows)[-2:] == [("reactivated", "20:00"), ("breached", "21:00")]


def test_a_merged_ticket_warns_no_more() -> None:
    """
    00:00 == 06:00 at risk == 07:00 merged                08:00: nothing
    """
    rows = folded(log_of(created("00:00"), ("07:00", "merged", {"into": "t2"})), policy(), until="22:00")
    warnings = [row for row in rows if isinstance(row, WarningRow)]
    assert {(row.rule, row.state, row.cleared_by) for row in warnings} == {("sla.at_risk", "cleared", "cancelled")}
    assert life(rows)[-1] == ("cancelled", "07:00")


def test_a_reply_and_a_status_of_one_instant_count_together() -> None:
    """
    00:00 ==== 05:00 reply and solved, written down in the other order: first response met, not cancelled
    """
    rows = folded(log_of(created("00:00"), status("05:00", "solved"), reply("05:00")), policy(), until="06:00")
    assert life(rows, "first_response")[-1] == ("fulfilled", "05:00")


def test_a_bot_or_an_automatic_reply_is_no_first_response() -> None:
    """
    00:00 == 00:01 bot == 00:02 system == 00:03 agent, automatic == 00:04 agent, private ... 08:00 x
    """
    log = log_of(
        created("00:00"),
        reply("00:01", "bot"),
        reply("00:02", "system"),
        reply("00:03", auto=True),
        reply("00:04", public=False),
    )
    rows = folded(log, policy(), until="09:00")
    assert [transition for transition, _ in life(rows, "first_response")] == ["activated", "at_risk", "breached"]


def test_a_new_policy_does_not_rewrite_history() -> None:
    """
    v1 (8 h)   00:00 ======== 08:00 x    v2 (24 h) from 12:00: what was breached under v1 stays breached
    """
    versions = policy(), policy(version="v2", effective_from="2026-10-12T12:00:00Z", resolution='"24h"')
    rows = folded(log_of(created("00:00")), *versions, until="20:00")
    breached = [row for row in rows if isinstance(row, LedgerRow) and row.transition == "breached"]
    assert {(row.metric, row.policy_version, _short(row.at)) for row in breached} >= {("resolution", "v1", "08:00")}
    facts = [row for row in rows if isinstance(row, FactRow) and "resolution_breached" in row.counts]
    assert len(facts) == 1


def test_a_new_policy_reaches_the_tickets_in_flight() -> None:
    """
    v1 (8 h)   00:00 ==== 04:00 v2 (5 h) == 05:00 x
    """
    versions = policy(), policy(version="v2", effective_from="2026-10-12T04:00:00Z", resolution='"5h"')
    rows = folded(log_of(created("00:00")), *versions, until="06:00")
    assert ("retargeted", "04:00") in life(rows)
    assert life(rows)[-1] == ("breached", "05:00")


def test_a_working_day_target_closes_with_the_day() -> None:
    """
    Fri 2026-10-16 10:00, 1wd: to the close of Monday, 18:00
    """
    text = policy(calendar="office", resolution='"1wd"')
    rows = folded(log_of(created("2026-10-16T10:00:00Z")), text, until="2026-10-17T00:00:00Z")
    monday = datetime.fromisoformat("2026-10-16T18:00") + timedelta(days=3)
    assert due(rows) == monday.strftime("%Y-%m-%dT%H:%M")
