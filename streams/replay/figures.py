"""What a log holds, counted while it is read: events, types that are unknown, and why lines are no events."""

from collections import Counter

from streams.models.codec import Unknown
from streams.models.dead_letters import kind_of
from streams.replay.log import Line

MAX_NAMES = 20
"""Unknown types and reasons that are told apart; all further ones are counted together."""

MAX_REASONS = 3
"""Reasons that are said."""

OTHERS = "others"


class LogFigures:
    """The figures of a log. `lines` and `events`: their numbers. `unknown`: the lines of unknown types, by type."""

    def __init__(self) -> None:
        self.lines = self.events = 0
        self.unknown: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def count(self, line: Line) -> None:
        """Count a line."""
        self.lines += 1
        if line.fault is None:
            self.events += 1
        elif isinstance(line.fault, Unknown):
            self.unknown[_bounded(self.unknown, line.fault.type[:100])] += 1
        else:
            self._reasons[_bounded(self._reasons, kind_of(line.fault.reason))] += 1

    def reasons(self) -> list[tuple[str, int]]:
        """The commonest kinds of reasons why lines are no events, each with the number of lines."""
        unknown = Counter({f"the type {name!r} is unknown": count for name, count in self.unknown.items()})
        return (self._reasons + unknown).most_common(MAX_REASONS)


def _bounded(known: Counter[str], name: str) -> str:
    return name if name in known or len(known) < MAX_NAMES else OTHERS
