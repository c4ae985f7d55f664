"""The schedule of faults: PURE, a function of the seed alone, so that a round can be repeated exactly.

feeding   |=======================================|  then drain and verify
faults       x kill_track   x clickhouse_500   x …
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

WORKERS = 2
"""Track workers of a round; `which` chooses among them."""

KINDS: dict[str, str] = {
    "kill_track": "kill -9 of a track worker",
    "kill_store": "kill -9 of store",
    "kill_clickhouse": "kill -9 of ClickHouse, which is started again on its directory",
    "freeze_track": "SIGSTOP of a track worker for longer than its session, then SIGCONT: a zombie",
    "join_and_leave": "another track worker joins, and leaves by SIGTERM",
    "rolling_restart": "SIGTERM of a track worker, and its start again",
    "clickhouse_500": "inserts are answered with status 500",
    "clickhouse_503": "inserts are answered with status 503",
    "drop_before": "the connection of an insert ends before it is executed",
    "drop_after": "the connection of an insert ends after it is executed, before the answer",
    "slow_reader": "ClickHouse reads inserts slowly",
    "clickhouse_away": "ClickHouse is killed and stays away",
    "disk_full": "ClickHouse's own check of the free space refuses inserts (error 243)",
}
"""The kinds of faults of everything but the broker, and what each is."""

KILL_BROKER = "kill_broker"
"""kill -9 of the broker, which is started again on its log: for brokers that have one."""

FIRST, LAST = 0.15, 0.75
"""Shares of the feeding time between which faults begin."""


class Fault(NamedTuple):
    """A planned fault: its kind, when (seconds from the first event on), and of which worker, if of one."""

    kind: str
    at_s: float
    which: int = 0


def schedule(seed: int, seconds: float, kinds: Sequence[str], number: int) -> list[Fault]:
    """The faults of the round `seed`, in order of time.

    The kinds are dealt like cards, from one shuffled deck after another: in successive rounds each comes as often as
    the others.
    """
    chance = random.Random(seed)
    slot = (LAST - FIRST) * seconds / max(1, number)
    return [
        Fault(
            _dealt(seed * number + n, kinds),
            round(FIRST * seconds + (n + chance.random()) * slot, 2),
            chance.randrange(WORKERS),
        )
        for n in range(number)
    ]


def _dealt(place: int, kinds: Sequence[str]) -> str:
    deck, card = divmod(place, len(kinds))
    return random.Random(deck).sample(list(kinds), len(kinds))[card]
