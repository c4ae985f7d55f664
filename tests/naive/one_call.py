"""Small logs of one call, C, for worked examples: instants are seconds after Monday 2026-10-12 00:00 UTC."""

from typing import Any

from tests.naive import desk
from tests.naive.desk import Row, in_seconds, policy, totals
from tests.naive.fold import fold


def call(second: float, what: str, id_: str = "", **data: Any) -> Row:
    """An event of call C at a second."""
    return desk.call(second / 60, what, id_, **data)


OFFERED = call(0, "offered", queue="q1", team="a")
LEG = ("queue", "team", "agent_id", "began_at", "ended_at", "talk_ms")


def legs(*log: Row) -> list[tuple[Any, ...]]:
    """(queue, team, agent, began, ended, talk) of each leg, in seconds."""
    return in_seconds(fold([OFFERED, *log], [policy()])["call_legs"], *LEG)


def counts(*log: Row, as_of: float | None = None) -> dict[str, int]:
    """The counters of call C but `offered`."""
    until = None if as_of is None else desk.at(as_of / 60)
    found = totals(fold([OFFERED, *log], [policy()], until)["call_minutes"])
    assert found.pop("offered") == 1
    return found


def waits(*log: Row, offered: Row = OFFERED) -> list[tuple[Any, ...]]:
    """(queue, team, from, to) of each wait, in seconds."""
    rows = fold([offered, *log], [policy()])["call_waits"]
    return in_seconds(rows, "queue", "team", "from_at", "to_at")
