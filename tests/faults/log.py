"""The events of a round: recorded ones, if available, among simulated ones of the same days, out of order.

in order        e1 e2 e3 e4 e5 e6 …
order of feed   e2 e1 e3 e1 # e5 e6 … e4       doubled, up to an hour out of order, hours late, and poison (#)
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from itertools import islice

from streams.models.instants import HOUR
from streams.replay.log import place
from streams.simulator import World, encode, events

RECORDED = 0.1
"""Share of the events that are recorded ones."""

DISPLACED, LATE, DOUBLED, POISON = 0.25, 0.002, 0.05, 0.002
"""Shares of the events that come up to an hour later than they should, hours later, and twice; and of poison."""

LATE_MS = 30 * HOUR
EVENTS_A_CONTACT = 11
MONDAY = 1_791_763_200_000  # 2026-10-12T00:00:00Z, where a log without recorded events begins
SPAN = 16 * HOUR

_POISON = (
    b'{"specversion":"1.0","id":"poison-%d",',
    b'{"specversion":"1.0","id":"poison-%d","source":"p","type":"ticket.created","time":"2026-10-17T08:00:00Z","data":{}}',
    b'{"specversion":"1.0","id":"poison-%d","source":"p","type":"call.answered","time":"2026-10-17T08:00:00Z",'
    b'"data":{"call_id":"c","wait_s":-1}}',
    b'{"specversion":"1.0","id":"poison-%d\xff","source":"p","type":"ticket.created","time":"2026-10-17T08:00:00Z",'
    b'"data":{"ticket_id":"t"}}',
)


def orderly(seed: int, number: int, recorded: Sequence[bytes] = ()) -> list[bytes]:
    """The first `number` lines of the same events, in order."""
    return list(islice(_in_order(random.Random(seed), seed, number, recorded), number))


def disorderly(seed: int, number: int, recorded: Sequence[bytes] = ()) -> list[bytes]:
    """At least `number` lines, the same ones for the same arguments; of `recorded` a window that the seed chooses."""
    chance = random.Random(seed)
    return disordered(chance, islice(_in_order(chance, seed, number, recorded), number))


def _in_order(chance: random.Random, seed: int, number: int, recorded: Sequence[bytes]) -> Iterator[bytes]:
    window = int(number * RECORDED)
    first = chance.randrange(max(1, len(recorded) - window))
    real = list(_timed(recorded[first : first + window]))
    begins, ends = (real[0][0], real[-1][0]) if real else (MONDAY, MONDAY + SPAN)
    contacts = number / EVENTS_A_CONTACT * 24 * HOUR / max(HOUR, ends - begins)
    world = World(seed=seed, start=begins, agents=max(8, int(contacts / 20)), contacts_a_day=contacts)
    simulated = _timed(encode(event) for event in events(world))
    return (line for _, line in heapq.merge(real, simulated))


def _timed(lines: Sequence[bytes] | Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((event.at, line) for line in lines if (event := place(line).event) is not None)


def disordered(chance: random.Random, lines: Iterator[bytes]) -> list[bytes]:
    """The lines doubled here and there, out of order, some of them late, with poison among them."""
    placed: list[tuple[float, bytes]] = []
    for n, (at, line) in enumerate(_timed(lines)):
        for _ in range(1 + (chance.random() < DOUBLED)):
            draw = chance.random()
            late = LATE_MS if draw < LATE else HOUR if draw < DISPLACED else 0
            placed.append((at + late * chance.random(), line))
        if chance.random() < POISON:
            placed.append((at, chance.choice(_POISON).replace(b"%d", str(n).encode())))
    return [line for _, line in sorted(placed)]
