"""An event whose identity is known: a duplicate changes nothing; of two that differ, the earlier stands.

known 10:00 solved ── 10:00 solved, in other words        a duplicate
                  └── 10:05 open                          a conflict: the known one stands
                  └── 09:55 open                          a conflict: it stands instead
                  └── 09:55 replied                       the same, and another type
"""

from collections.abc import Callable
from enum import Enum

from streams.models.envelope import Event, same_content

Count = Callable[[str, int], None]  # what, number


class Repetition(Enum):
    """What a repeated event changes."""

    NOTHING = 0
    """The known event stands."""

    SPELLING = 1
    """It says the same, and its bytes stand: so it does not matter which came first."""

    CONTENT = 2
    """It stands instead of the known event."""


def repetition(event: Event, raw: bytes, known: Event, stored: bytes, count: Count) -> Repetition:
    """Count an event of a known identity, and tell what it changes: the earlier by time, then by bytes, stands."""
    if raw == stored:
        count("duplicates", 1)
        return Repetition.NOTHING
    same = same_content(event, known)
    if same:
        count("duplicates", 1)
    else:
        count("conflicts", 1)
        if type(event) is not type(known):
            count("type_conflicts", 1)
    if (event.at, raw) >= (known.at, stored):
        return Repetition.NOTHING
    return Repetition.SPELLING if same else Repetition.CONTENT
