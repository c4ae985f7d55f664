"""What a round of strikes was: each strike with what followed, and whether all was clean in the end."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.schedule import KILL_BROKER


@dataclass
class Struck:
    """A strike that fell: the events in flight, and what followed."""

    kind: str
    in_flight: int
    takeover_s: float | None = None
    pause_s: float | None = None
    given_up: int = 0
    """How often a worker gave unsaved work up, to be folded again, as workers joined and left."""
    caught_up_s: float | None = None
    """Seconds from the end of a fault of ClickHouse until no more than what comes in CURRENT_S was in flight."""
    woken: bool = False
    fenced: bool = False


@dataclass
class Result:
    """What a round was: `clean` is that every view is equal and no event or dead letter is missing."""

    seed: int
    broker: str
    events: int = 0
    strikes: list[Struck] = field(default_factory=list)
    duplicates: int = 0
    skipped_checkpoints: int = 0
    folded_again: int | None = None
    """Records that track folded more than once; None if a worker was killed, which could not say what it folded."""
    drain_s: float = 0.0
    seconds: float = 0.0
    peak_mb: dict[str, float] = field(default_factory=dict)
    clean: bool = False
    faults: list[str] = field(default_factory=list)
    """What was not as it must be, one sentence each."""

    @property
    def takeovers(self) -> list[float]:
        """Seconds of each takeover after a kill -9; none of a round in which the broker died too: they wait for it."""
        if any(strike.kind == KILL_BROKER for strike in self.strikes):
            return []
        return [s.takeover_s for s in self.strikes if s.kind == "kill_track" and s.takeover_s is not None]


def takeover_figures(results: Sequence[Result]) -> tuple[float, float] | None:
    """Median and maximum of the takeovers after kill -9; None if there was none."""
    found = [seconds for result in results for seconds in result.takeovers]
    return (statistics.median(found), max(found)) if found else None
