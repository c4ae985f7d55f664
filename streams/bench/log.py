"""The logs to measure on: a recorded one, repeated until it is long enough, and one of tickets that stay open.

    recorded    |--- a month ---|
    repeated    |--- copy 0 ----|--- copy 1 ----|--- copy 2 ----|- …       each a whole number of weeks after the former

The copies follow one another: every minute is as busy as the recorded one, the desk holds as many subjects as a desk of
that size, and releases them in time. Side by side, all copies would share the recorded minutes, and a snapshot of a
minute would cost less an event. A shift of whole weeks keeps weekday and time of day, and so calendars and shifts.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import msgspec

from streams.errors import UserError
from streams.models.instants import LATEST, MINUTE, WEEK, format_instant, parse_instant
from streams.replay.log import place
from streams.simulator.world import CATEGORIES, CHANNELS, KINDS, PRODUCTS, TEAMS

SUBJECTS = (
    "ticket_id", "call_id", "survey_id", "customer_id", "other_id", "parent_id", "into",
    "review_id", "callback_id", "contact_id", "change_id", "action_id",
)  # fmt: skip
"""Fields of `data` whose values differ by copy; all copies share teams, queues and agents."""
INSTANTS = ("due_at", "announced_at", "effective_at", "from", "to")
"""Fields of `data` that are instants."""

_decode, _encode = msgspec.json.Decoder(dict[str, Any]).decode, msgspec.json.encode


class TooShort(UserError, ValueError):
    """The log cannot be repeated so often: one sentence."""


def repeated(lines: Sequence[bytes], events: int) -> Iterator[bytes]:
    """The log, repeated until it has `events` lines, the last copy cut off there.

    The first copy is the log as it is. In copy n every event id, subject and customer ends in `~n`, and every instant
    is n periods later; invalid lines stay as they are. Raises TooShort if the log is empty, or if the copies
    would go beyond the year 2100.
    """
    yield from islice(lines, events)
    if len(lines) >= events:
        return
    if not lines:
        raise TooShort("The log holds no events.")
    period, latest = _extent(lines)
    copies = (events - 1) // len(lines)  # besides the first
    if latest + copies * period >= LATEST:
        raise TooShort(f"A log of {len(lines):,} events cannot be repeated to {events:,}: it would go beyond 2100.")
    for n in range(1, copies + 1):
        suffix, shift = f"~{n}", n * period
        for line in islice(lines, events - n * len(lines)):
            yield copied(line, suffix, shift)


def _extent(lines: Sequence[bytes]) -> tuple[int, int]:
    """The length of the log in whole weeks (ms), and its latest instant."""
    instants = [event.at for event in (place(line).event for line in lines) if event is not None]
    if not instants:
        raise TooShort("The log holds no events that could be repeated.")
    earliest, latest = min(instants), max(instants)
    return ((latest - earliest) // WEEK + 1) * WEEK, latest


def copied(line: bytes, suffix: str, shift: int) -> bytes:
    """An event of a copy: its names end in `suffix`, its instants are `shift` ms later."""
    try:
        event = _decode(line)
        data = event["data"]
        event["time"] = _later(event["time"], shift)
        event["id"] += suffix
        for name in SUBJECTS:
            if data.get(name):
                data[name] += suffix
        for name in INSTANTS:
            if data.get(name):
                data[name] = _later(data[name], shift)
        if event.get("subject"):
            event["subject"] += suffix
    except (ValueError, KeyError, TypeError, AttributeError):
        return line
    return _encode(event)


def _later(instant: str, shift: int) -> str:
    """Without the milliseconds if they are zero, as nearly every source writes."""
    return format_instant(parse_instant(instant) + shift).replace(".000Z", "Z")


def of_tickets(lines: Sequence[bytes]) -> list[bytes]:
    """The ticket events of the log."""
    return [line for line in lines if (found := place(line)).topic == "tickets" and found.event is not None]


def open_tickets(number: int, start: int) -> Iterator[bytes]:
    """A log of tickets that stay open, three events each; one is created every second from `start` (ms) on.

    created 0 s      assigned 20 s       first reply of an agent 2 min
    """
    starts = range(start, start + number * 1000, 1000)
    kinds = cycle(zip(*(cycle(names) for names in (CHANNELS, KINDS, CATEGORIES, PRODUCTS)), strict=False))
    teams = list(TEAMS)
    created = (
        _ticket(n, at, "created", _described(n, *next(kinds)), team=teams[n % len(teams)])
        for n, at in enumerate(starts)
    )
    assigned = (
        _ticket(n, at + 20_000, "assigned", {"agent_id": f"A{n % 400:04}"}, team=teams[n % len(teams)])
        for n, at in enumerate(starts)
    )
    replied = (
        _ticket(n, at + 2 * MINUTE, "replied", {"author": "agent", "agent_id": f"A{n % 400:04}"})
        for n, at in enumerate(starts)
    )
    return (line for _, _, line in heapq.merge(created, assigned, replied))


def _described(n: int, channel: str, kind: str, category: str, product: str) -> dict[str, Any]:
    return {
        "customer_id": f"K{n * 7 % 60_000:06}",
        "priority": ("normal", "high", "normal", "low", "urgent")[n % 5],
        "segment": ("regular", "new", "regular", "vip")[n % 4],
        "channel": channel,
        "kind": kind,
        "category": category,
        "product": product,
        "tags": [category, f"wave-{n % 13}"],
        "url": f"https://desk.example/tickets/T-{n:06}",
    }


def _ticket(n: int, at: int, what: str, data: dict[str, Any], **more: str) -> tuple[int, int, bytes]:
    ticket_id = f"T-{n:06}"
    event = {
        "specversion": "1.0",
        "id": f"{ticket_id}-{what}",
        "source": "/deskwatch/bench",
        "type": f"ticket.{what}",
        "time": format_instant(at).replace(".000Z", "Z"),
        "subject": ticket_id,
        "data": {"ticket_id": ticket_id, **data, **more},
    }
    return at, n, _encode(event)
