"""Small logs, the desk that folds them, and the database that its rows go to."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from sinks.clickhouse.client import Client
from sinks.clickhouse.events import stored
from sinks.clickhouse.rows import TableRows, encoded, rows_of
from sinks.clickhouse.writer import Writer
from streams.desk.desk import Desk
from streams.desk.messages import DEAD_LETTERS
from streams.desk.policy import Policies, parse
from streams.logfile import place
from streams.models.codec import INPUTS
from streams.models.instants import parse_instant
from streams.recompute import recompute

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


def event(kind: str, when: str, subject_id: str = "t1", **data: Any) -> bytes:
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
    """An aiokafka record, as far as anybody looks."""

    value: bytes | None
    topic: str = "tickets"
    offset: int = 0
    timestamp: int = 1_791_763_200_000
    partition: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def checkpoints(lines: Sequence[bytes], given: Policies, every: int) -> list[list[TableRows]]:
    """The rows of a log by checkpoint, one after `every` lines, in the order in which the lines are given.

    After each the clock stands at the latest instant so far: what is out of order meets a desk that has gone on.
    """
    desk, latest = Desk(0, given, wall=False), -1
    made: list[list[TableRows]] = []
    offsets = dict.fromkeys(INPUTS, 0)
    for start in range(0, len(lines), every):
        rows: list[TableRows] = []
        for value in lines[start : start + every]:
            line = place(value)
            record = Record(value, line.topic, offsets[line.topic])
            offsets[line.topic] += 1
            desk.feed(line.topic, [record], 0)
            part = stored(line.topic, [record], latest)
            rows += [encoded(part.events), encoded([part.progress])]
            assert line.event is not None
            latest = max(latest, line.event.at)
        for topic in INPUTS:
            desk.watermarks.advance(topic, latest)
        while desk.clock < latest:
            desk.advance(None)
        outputs = desk.cut(len(made) + 1, offsets).outputs
        made.append(rows + [rows_of(output.value) for output in outputs if output.topic != DEAD_LETTERS])
    return made
