"""Service levels by queue and hour, in all published variants."""

from collections.abc import Iterable
from fractions import Fraction

from tests.naive.intervals import CountedFact, Row, by_interval
from tests.naive.policies import Desk

COUNTERS = (
    *("offered", "abandoned_ivr", "answered", "answered_in_target", "abandoned", "abandoned_in_target"),
    *("short_abandoned", "lost", "wait_ms", "talk_ms", "hold_ms", "wrapup_ms", "legs"),
)


def share(part: int, whole: int) -> Fraction | None:
    """A share; empty where nothing is counted."""
    return Fraction(part, whole) if whole else None


def variants(n: Row) -> Row:
    """All variants of counted calls.

    "Service level, all published variants side by side, with queued = answered + abandoned + lost, each in the interval
    in which it was decided, so that no share exceeds 1".
    """
    queued = n["answered"] + n["abandoned"] + n["lost"]
    decided = n["answered"] + n["abandoned"]
    return {
        "queued": queued,
        "answered_of_offered": share(n["answered_in_target"], queued),
        "answered_of_answered": share(n["answered_in_target"], n["answered"]),
        "answered_of_answered_and_abandoned": share(n["answered_in_target"], decided),
        "answered_without_short_abandons": share(n["answered_in_target"], decided - n["short_abandoned"]),
        "hits_with_abandons": share(n["answered_in_target"] + n["abandoned_in_target"], decided),
        "asa_ms": share(n["wait_ms"], n["answered"]),
        "aht_ms": share(n["talk_ms"] + n["hold_ms"] + n["wrapup_ms"], n["legs"]),
    }


def service_levels(facts: Iterable[CountedFact], desk: Desk) -> list[Row]:
    """Queue x hour of the desk."""
    return [row | variants(row) for row in by_interval(facts, "hour", desk, ["queue"], COUNTERS)]
