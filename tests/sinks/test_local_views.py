"""Hours and days of views, panes and commands are the desk's, where clocks are moved too: compared with the naive fold.

Lord Howe moves its clock by half an hour, Berlin by an hour; Kathmandu is 5:45 ahead of UTC.

ticket     created, callback promised ── solved ── survey ──────── callback done ──────── reviewed
           0                             1 min     2 min           3 h (every other)      5 h
"""

import tomllib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest

from streams.desk.policy.versions import Policies, parse
from streams.desk.reviews import in_sample
from streams.models.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from tests.embedded.faulty import FaultyServer
from tests.flow.month import deskwatch
from tests.naive.fold import Row, fold
from tests.naive.intervals import begin, local
from tests.sinks.desk import Database

pytestmark = pytest.mark.embedded

CHANGES = [
    ("Asia/Shanghai", "2026-10-11T16:00:00Z"),
    ("Asia/Kathmandu", "2026-10-11T18:15:00Z"),
    ("America/St_Johns", "2026-11-01T04:30:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("America/Santiago", "2026-09-06T04:00:00Z"),  # at midnight: the day begins at 01:00
]


def around(instant: int) -> list[Row]:
    """A ticket every ten minutes, and a call about it."""
    log: list[Row] = []

    def add(type_: str, at: int, /, **data: Any) -> None:
        head = {"specversion": "1.0", "id": f"e{len(log)}", "source": "s", "type": type_}
        log.append({**head, "time": format_instant(at), "data": data})

    for n, at in enumerate(range(instant - 6 * HOUR, instant + 30 * HOUR, 10 * MINUTE)):
        ticket, call, callback = {"ticket_id": f"t{n}"}, {"call_id": f"c{n}"}, {"callback_id": f"b{n}"}
        add("ticket.created", at, **ticket, category="post", kind="complaint", agent_id="ann", customer_id=f"k{n}")
        add("ticket.status_changed", at + MINUTE, **ticket, status="solved")
        add("call.offered", at, **call, queue="q", category="post", customer_id=f"k{n}", ticket_id=f"t{n}")
        add("call.answered", at + 15_000, **call, wait_s=15, agent_id="ann")
        add("call.ended", at + 4 * MINUTE, **call, talk_s=200)
        answer = {"metric": "csat", "score": 5, "scale_min": 1, "scale_max": 5}
        add("survey.responded", at + 2 * MINUTE, survey_id=f"s{n}", **ticket, **answer)
        add("callback.due", at, **callback, due_at=format_instant(at + DAY))
        if n % 2:
            add("callback.done", at + 3 * HOUR, **callback, reached=True)
        add("review.completed", at + 5 * HOUR, review_id=f"r{n}", **ticket, passed=n % 3 > 0)
    return log


class Desk(NamedTuple):
    """A desk's rows, and what the naive fold makes of its log."""

    database: Database
    naive: dict[str, list[Row]]
    zone: ZoneInfo

    def day(self, at: int) -> str:
        return str(local(at, self.zone).date())

    def sums(self, question: str) -> list[tuple[Any, ...]]:
        """The rows of a question; instants in ms."""
        rows = self.database.rows(f"{question} ORDER BY ALL")
        return [tuple(_ms(each) if isinstance(each, datetime) else each for each in row) for row in rows]


@pytest.fixture(scope="module", params=CHANGES, ids=lambda change: f"{change[0]} {change[1][:10]}")
def desk(request: pytest.FixtureRequest, new_database: Callable[[], Database]) -> Desk:
    zone, at = request.param
    return folded(new_database(), zone, at)


def folded(database: Database, zone: str, at: str) -> Desk:
    text = f'version = "1"\ntimezone = "{zone}"\n'
    log = around(parse_instant(at))
    database.fold(map(msgspec.json.encode, log), given=Policies([parse(text, "p.toml")]))
    return Desk(database, fold(log, [tomllib.loads(text)]), ZoneInfo(zone))


def test_hours_are_the_desk_s(desk: Desk) -> None:
    calls, surveys = desk.naive["service_levels"], desk.naive["survey_minutes"]
    assert desk.sums("SELECT hour, offered, answered FROM service_levels WHERE queue = 'q'") == [
        (row["hour"], row["offered"], row["answered"]) for row in calls
    ]
    assert desk.sums("SELECT hour, sum(events) FROM data_quality WHERE topic = 'calls' GROUP BY hour") == [
        (row["hour"], 3 * row["offered"]) for row in calls
    ]
    answers = Counter(begin(row["minute"], "hour", desk.zone) for row in surveys if row["responses"] == 1)
    assert answers.total() == len(surveys)
    assert desk.sums("SELECT hour, responses FROM satisfaction") == sorted(answers.items())


def test_days_of_tickets_and_contacts_are_the_desk_s(desk: Desk) -> None:
    solved = [(row["day"], row["solved"]) for row in desk.naive["ticket_days"] if row["solved"]]
    contacts = [(desk.day(row["day"]), row["contacts"]) for row in desk.naive["contact_reasons"]]
    panes = desk.sums("SELECT minute, counts['solved'] FROM window_minutes WHERE dimension = 'agent'")
    assert [(day, number) for day, number in panes if number] == solved
    quality = desk.sums("SELECT toString(day), solved FROM ticket_quality")
    assert quality == [(desk.day(day), number) for day, number in solved]
    assert desk.sums("SELECT toString(day), n FROM contact_reasons WHERE category = 'post'") == contacts
    rates = desk.sums("SELECT toString(day), contacts, complaints FROM complaint_rates")
    assert rates == [(day, number, number) for day, number in contacts]


def test_days_of_surveys_callbacks_and_reviews_are_the_desk_s(desk: Desk) -> None:
    """Of a survey the day of its answer, of a callback that of the promise, of a review that of the solving."""
    answered = Counter(desk.day(row["minute"]) for row in desk.naive["survey_minutes"])
    assert desk.sums("SELECT toString(day), responses FROM satisfaction_by_handler") == sorted(answered.items())

    promised = Counter(desk.day(row["opened_at"]) for row in desk.naive["callbacks"])
    done = Counter(desk.day(row["opened_at"]) for row in desk.naive["callbacks"] if row["status"] == "done")
    assert desk.sums("SELECT toString(day), promised, done FROM callback_coverage") == [
        (day, promised[day], done[day]) for day in sorted(promised)
    ]

    passed = {f"t{row['review_id'][1:]}": row["passed"] for row in desk.naive["reviews"]}
    solved = {row["ticket_id"]: desk.day(row["solved_at"]) for row in desk.naive["tickets"]}
    reviewed = Counter(solved[ticket] for ticket in passed)
    well = Counter(solved[ticket] for ticket in passed if passed[ticket])
    assert desk.sums("SELECT toString(day), solved, reviewed, passed FROM review_coverage") == [
        (day, reviewed[day], reviewed[day], well[day]) for day in sorted(reviewed)
    ]


def test_the_sample_of_a_day_is_of_the_desk_s_day(
    database: Database, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    UTC         10-11 16:00                   10-12 16:00
    Shanghai    10-12 00:00  -- the day --    10-13 00:00
    """
    desk = folded(database, "Asia/Shanghai", "2026-10-11T16:00:00Z")
    monkeypatch.setenv("DESKWATCH_CLICKHOUSE", server.url)
    monkeypatch.setenv("DESKWATCH_CLICKHOUSE_PASSWORD", server.password)
    monkeypatch.setenv("DESKWATCH_DATABASE", database.name)
    begun, ended = parse_instant("2026-10-11T16:00:00Z"), parse_instant("2026-10-12T16:00:00Z")
    solved = [row["ticket_id"] for row in desk.naive["tickets"] if begun <= row["solved_at"] < ended]
    sampled = sorted(ticket for ticket in solved if in_sample(ticket, 300_000))
    printed = deskwatch("sample", "--day", "2026-10-12", "--json").splitlines()
    rows = [msgspec.json.decode(line) for line in printed]
    assert [(row["ticket_id"], row["reviewed"]) for row in rows] == [(ticket, 1) for ticket in sampled]
    (share,) = deskwatch("sample", "--day", "2026-10-12", "--coverage", "--json").splitlines()
    assert msgspec.json.decode(share) == {
        "team": "",
        "solved": len(solved),
        "in_sample": len(sampled),
        "in_sample_reviewed": len(sampled),
        "reviewed": len(solved),
    }


def _ms(instant: datetime) -> int:
    return round(instant.astimezone(UTC).timestamp() * 1000)
