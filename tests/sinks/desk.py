"""Small logs, the desk that folds them, and the database for its rows."""

import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from sinks.clickhouse.client import Client
from sinks.clickhouse.events import stored
from sinks.clickhouse.rows import TableRows, encoded, rows_of
from sinks.clickhouse.writer import Writer
from streams.desk.customers.partition import Customers
from streams.desk.policy.versions import Policies, parse
from streams.desk.track.partition import Desk
from streams.models.instants import parse_instant
from streams.models.records import Output
from streams.models.topics import CUSTOMER_FACTS, DEAD_LETTERS, INPUTS, PROGRESS_TOPICS
from streams.replay.log import place
from streams.replay.recompute import recompute

OFFICE = """
version = "1"
timezone = "UTC"
[calendars.office]
timezone = "UTC"
[calendars.office.hours]
mon = ["09:00-12:00", "13:00-18:00"]
tue = ["09:00-12:00", "13:00-18:00"]
[calendars.always]
hours = "24x7"
[clocks]
resolution = { pause_on = ["pending"] }
[[sla]]
name = "office"
match = { team = ["A", "B"] }
calendar = "office"
first_response = "2h"
resolution = "8h"
[[sla]]
name = "always"
match = { team = ["C"] }
calendar = "always"
resolution = "1h"
[calls]
answer_within = "20s"
short_abandon = "5s"
[csat]
positive_from = 0.75
very_positive_from = 1.0
negative_to = 0.5
"""
"""A desk that is open on Mondays and Tuesdays, with a break; 2026-10-12 is a Monday."""

DAYS = {"mon": "2026-10-12", "tue": "2026-10-13", "wed": "2026-10-14"}


def at(text: str) -> str:
    """An instant, from "mon 10:00" or "mon 10:00:05"."""
    day, _, time = text.partition(" ")
    return f"{DAYS[day]}T{time if time.count(':') == 2 else time + ':00'}Z"


def ms(text: str) -> int:
    return parse_instant(at(text))


def event(kind: str, when: str, subject_id: str = "t1", /, **data: Any) -> bytes:
    """An event as a line; the id is made of what it says, so the same event twice is the same twice."""
    named = {"ticket": "ticket_id", "call": "call_id"}.get(kind.partition(".")[0])
    data = {named: subject_id, **data} if named else data
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"{kind}/{subject_id}/{when}/{data.get('survey_id', '')}",
            "source": "test",
            "type": kind,
            "time": at(when),
            "data": data,
        }
    )


def policies(*texts: str) -> Policies:
    return Policies([parse(text, f"{n}.toml") for n, text in enumerate(texts or (OFFICE,))])


def signals(rng: random.Random, n: int, when: str) -> list[bytes]:
    """A callback, an improvement, an agent's state and a contact of the desk's own accord."""
    callback, action = f"b{n % 7}", f"a{n % 5}"
    return [
        event(f"callback.{rng.choice(['due', 'rescheduled', 'done'])}", when, callback_id=callback, recorded=n % 2 > 0),
        event(f"action.{rng.choice(['opened', 'opened', 'done'])}", when, action_id=action, owner="eve"),
        event("agent.state_changed", when, agent_id="ann", state=rng.choice(["available", "break"]), team="A"),
        event("contact.proactive", when, contact_id=f"p{n % 11}", agent_id="ann"),
    ]


def disorderly(rng: random.Random) -> list[bytes]:
    """Some hours of tickets, calls and surveys that come out of order, so that rows are corrected and withdrawn."""
    lines = []
    for n in range(60):
        hour, minute, ticket = 9 + n // 12, 5 * (n % 12), f"t{n % 25}"
        when = f"mon {hour:02}:{minute:02}"
        lines += [
            event(
                "ticket.created",
                when,
                ticket,
                team=rng.choice("ABC"),
                category=rng.choice(["tax", "post"]),
                customer_id=f"k{n % 7}",
            ),
            event("ticket.assigned", f"{when}:10", ticket, team=rng.choice("ABC"), agent_id="ann"),
            event("ticket.replied", f"{when}:20", ticket, author=rng.choice(["agent", "customer"])),
            event("ticket.status_changed", f"{when}:30", ticket, status=rng.choice(["open", "pending", "solved"])),
            event("call.offered", when, f"c{n}", queue="Q", team=rng.choice("ABC")),
            event("call.answered", f"{when}:40", f"c{n}", wait_s=40),
        ]
        answer: dict[str, Any] = {"metric": "csat", "score": rng.randint(1, 5), "scale_min": 1, "scale_max": 5}
        lines.append(event("survey.responded", f"{when}:50", survey_id=f"s{n}", ticket_id=ticket, **answer))
        lines.append(event("review.completed", f"{when}:55", review_id=f"q{n % 9}", passed=n % 3 > 0, ticket_id=ticket))
        lines += signals(rng, n, when)
    late = rng.sample(range(len(lines)), len(lines) // 5)
    order = sorted(range(len(lines)), key=lambda n: n + 60 * (n in late))
    return [lines[n] for n in order]


class Database(NamedTuple):
    """A database at the newest schema."""

    client: Client
    name: str

    def writer(self, given: Policies | None = None) -> Writer:
        return Writer(self.client, self.name, given or policies())

    def fold(self, lines: Iterable[bytes], as_of: str | None = None, given: Policies | None = None) -> "Database":
        """Fold a log and write what comes of it."""
        recompute(lines, given or policies(), self.writer(given), None if as_of is None else ms(as_of))
        return self

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        found = self.client.query(sql, settings={"database": self.name}, tz_mode="aware")
        return [tuple(row) for row in found.result_rows]

    def dicts(self, sql: str) -> list[dict[str, Any]]:
        found = self.client.query(sql, settings={"database": self.name}, tz_mode="aware")
        return [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]

    def one(self, sql: str) -> Any:
        """The only row; its value, if there is only one."""
        (row,) = self.rows(sql)
        return row[0] if len(row) == 1 else row


class Record(NamedTuple):
    """An aiokafka record, as far as it is read."""

    value: bytes | None
    topic: str = "tickets"
    offset: int = 0
    timestamp: int = 1_791_763_200_000
    partition: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def outputs(lines: Sequence[bytes], given: Policies, every: int) -> list[list[Output]]:
    """What the desk and the customers' stage send of a log, by checkpoint, one after `every` lines, in the order given.

    After each event time passes to the latest instant so far: an event out of order meets a desk that is ahead of it.
    """
    desk, latest, version = Desk(0, given, wall=False), -1, 0
    customers = Customers(0, given)
    made: list[list[Output]] = []
    offsets = dict.fromkeys(INPUTS, 0)
    for start in range(0, len(lines), every):
        for value in lines[start : start + every]:
            line = place(value)
            desk.feed(line.topic, [Record(value, line.topic, offsets[line.topic])], 0)
            offsets[line.topic] += 1
            latest = latest if line.event is None else max(latest, line.event.at)
        for topic in INPUTS:
            desk.watermarks.advance(topic, latest)
        sent: list[Output] = []
        while not sent or desk.business_time < latest:  # a full checkpoint comes in between
            desk.advance(None)
            version += 1
            sent += desk.snapshot(version, dict(offsets)).outputs
        facts = [output for output in sent if output.topic == CUSTOMER_FACTS]
        customers.feed(CUSTOMER_FACTS, [Record(output.value, CUSTOMER_FACTS) for output in facts], 0)
        customers.advance(None)
        sent = [output for output in sent if output.topic in (*PROGRESS_TOPICS, DEAD_LETTERS)]
        made.append(sent + customers.snapshot(version, {}).outputs)
    return made


def checkpoints(lines: Sequence[bytes], given: Policies, every: int) -> list[list[TableRows]]:
    """The rows of a log by checkpoint, as the role store makes them: of the desk's outputs and of the events."""
    made = [[rows_of(output.value) for output in sent] for sent in outputs(lines, given, every)]
    offsets, latest = dict.fromkeys(INPUTS, 0), -1
    for number, rows in enumerate(made):
        for value in lines[number * every : (number + 1) * every]:
            topic = place(value).topic
            part = stored(topic, [Record(value, topic, offsets[topic])], latest)
            offsets[topic], latest = offsets[topic] + 1, part.progress.as_of
            rows += [encoded(part.events), encoded([part.progress])]
    return made
