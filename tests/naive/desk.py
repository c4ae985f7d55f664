"""Small logs and policies for worked examples: instants are minutes after Monday 2026-10-12 00:00 UTC."""

from typing import Any

from tests.naive.fold import fold
from tests.naive.log import EPOCH, MILLISECOND, instant

MINUTE = 60_000
MONDAY = instant("2026-10-12T00:00:00Z")
OFFICE_DAY = ["09:00-12:00", "13:30-18:00"]
OFFICE = {"timezone": "UTC", "hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), OFFICE_DAY)}

Row = dict[str, Any]


def at(minute: float) -> int:
    """The instant so many minutes after Monday's midnight."""
    return MONDAY + round(minute * MINUTE)


def minute(instant_ms: int | None) -> float | None:
    """The inverse of `at`."""
    return None if instant_ms is None else (instant_ms - MONDAY) / MINUTE


def event(when: float, type_: str, id_: str = "", **data: Any) -> Row:
    """A CloudEvent; its id tells its minute and type unless given."""
    time = (EPOCH + at(when) * MILLISECOND).isoformat(timespec="milliseconds")
    return {"source": "/test", "id": id_ or f"{when}-{type_}", "type": type_, "time": time, "data": data}


def ticket(when: float, what: str, id_: str = "", **data: Any) -> Row:
    """An event of ticket T; `ticket(5, "status_changed", status="open")`."""
    return event(when, f"ticket.{what}", id_, ticket_id=data.pop("ticket_id", "T"), **data)


def status(when: float, name: str) -> Row:
    """A status change of ticket T."""
    return ticket(when, "status_changed", status=name)


def reply(when: float, author: str, **data: Any) -> Row:
    """A reply on ticket T."""
    return ticket(when, "replied", author=author, **data)


def call(when: float, what: str, id_: str = "", **data: Any) -> Row:
    """An event of call C."""
    return event(when, f"call.{what}", id_, call_id=data.pop("call_id", "C"), **data)


def policy(*slas: Row, **sections: Any) -> Row:
    """A policy of these SLAs, resolution pausing while pending."""
    clocks = {"next_response": {"pause_on": ["pending"]}, "resolution": {"pause_on": ["pending"]}}
    spec = {"version": "v1", "calendars": {"always": {"hours": "24x7"}, "office": OFFICE}, "clocks": clocks}
    return spec | {"sla": list(slas)} | sections


def sla(name: str = "all", calendar: str = "always", **rest: Any) -> Row:
    """An SLA entry."""
    return {"name": name, "calendar": calendar, **rest}


def reopening(mode: str) -> Row:
    """The [clocks] section with a mode of reopening."""
    return {"resolution": {"pause_on": ["pending"], "reopen": mode}}


def ledger(log: list[Row], *policies: Row, until: float, metric: str = "resolution") -> list[tuple[Any, ...]]:
    """(cycle, transition, at, elapsed, due) of one metric, in minutes."""
    rows = fold(log, policies, at(until))["ledger"]
    return [
        (row["cycle"], row["transition"], minute(row["at"]), row["elapsed_ms"] / MINUTE, minute(row["due_at"]))
        for row in rows
        if row["metric"] == metric
    ]


def outcome(log: list[Row], *policies: Row, until: float, metric: str = "resolution") -> list[str]:
    """The outcome of each cycle of one metric."""
    return [row["outcome"] for row in fold(log, policies, at(until))["outcomes"] if row["metric"] == metric]


def in_seconds(rows: list[Row], *names: str) -> list[tuple[Any, ...]]:
    """These columns of a table; `*_at` and `*_ms` in seconds, after Monday's midnight."""

    def plain(name: str, value: Any) -> Any:
        if value is None or not name.endswith(("_at", "_ms")):
            return value
        return (value - (MONDAY if name.endswith("_at") else 0)) / 1000

    return [tuple(plain(name, row[name]) for name in names) for row in rows]


def totals(rows: list[Row]) -> dict[str, int]:
    """The counters of a table summed over all rows, without zeros and the minute."""
    sums: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            if name != "minute" and isinstance(value, int) and value:
                sums[name] = sums.get(name, 0) + value
    return sums
