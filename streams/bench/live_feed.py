"""Feeds tickets in real time: `python -m streams.bench.live_feed BROKER PARTITIONS RATE STORM SECONDS`.

    ticket n     created ──── assigned ──── answered ────────────────────── solved        RATE / 4 tickets a second
                 0 s          0.5 s         3 s, but each 50th never        12 s
    storm        STORM more tickets, created evenly over the first minute, and never answered

Prints JSON: [[topic, partition, next offset], …].
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from streams.models.instants import MINUTE, format_instant
from streams.replay.feeder import connected
from streams.replay.log import place, targets

STEPS_MS = {"created": 0, "assigned": 500, "replied": 3_000, "solved": 12_000}
UNANSWERED = 50  # each such ticket is never answered, and breaches
TARGET_MS, WARN_AT = 10_000, 0.75
STORM_TARGET_MS, STORM_WARN_AT = MINUTE, 0.5
TICK_S = 0.01


class Due(NamedTuple):
    """An event to be sent: when (ms after the start), and of which ticket."""

    at: int
    what: str
    ticket_id: str


def steady(rate: float, ms: int) -> Iterator[Due]:
    """The events of the first `ms` at `rate` events a second, in order."""
    every = len(STEPS_MS) * 1000 / rate
    counts = dict.fromkeys(STEPS_MS, 0)
    while True:
        what, n = min(counts.items(), key=lambda step: step[1] * every + STEPS_MS[step[0]])
        at = int(n * every + STEPS_MS[what])
        if at >= ms:
            return
        counts[what] += 1
        if what != "replied" or n % UNANSWERED:
            yield Due(at, what, f"T-{n}")


def storm(number: int) -> Iterator[Due]:
    """Tickets that will breach together, within a minute."""
    return (Due(n * MINUTE // number, "created", f"S-{n}") for n in range(number))


def event(due: Due, began: int) -> bytes:
    """The event of a step, in a log that began at the instant `began`."""
    at, what, ticket_id = due
    data: dict[str, object] = {"ticket_id": ticket_id}
    match what:
        case "created":
            category = "storm" if ticket_id[0] == "S" else "billing"
            data |= {"team": f"team-{len(ticket_id) % 4}", "channel": "chat", "priority": "high", "category": category}
        case "assigned":
            data |= {"team": f"team-{len(ticket_id) % 4}", "agent_id": "A1"}
        case "replied":
            data |= {"author": "agent", "agent_id": "A1"}
        case "solved":
            what, data["status"] = "status_changed", "solved"
    instant = format_instant(began + at)
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"{ticket_id}-{due.what}",
            "source": "/deskwatch/bench",
            "type": f"ticket.{what}",
            "time": instant,
            "subject": ticket_id,
            "data": data,
        }
    )


async def feed(broker: str, partitions: int, rate: float, number: int, seconds: float) -> list[tuple[str, int, int]]:
    """Send each event when it happens; returns where the topics end."""
    ms = int(seconds * 1000)
    waiting = sorted([*steady(rate, ms), *storm(number)])
    async with connected(broker, partitions) as feeder:
        began, began_s = time.time_ns() // 1_000_000, time.monotonic()
        for due in waiting:
            while due.at > (time.monotonic() - began_s) * 1000:
                await feeder.flush()
                await asyncio.sleep(TICK_S)
            line = place(event(due, began))
            for partition in targets(line, partitions):
                await feeder.send(line.topic, partition, line.key, line.value)
        await feeder.flush(wait=True)
    return [(topic, partition, end) for (topic, partition), end in feeder.ends.items()]


if __name__ == "__main__":
    _, address, count, *figures = sys.argv
    events_a_second, tickets, duration = map(float, figures)
    print(json.dumps(asyncio.run(feed(address, int(count), events_a_second, int(tickets), duration))))
