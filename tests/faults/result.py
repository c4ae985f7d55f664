"""The result of a round: each injected fault with its consequences, and whether the views are exact."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.schedule import KILL_BROKER


@dataclass
class Injected:
    """A fault that was injected: the events in flight, and what followed."""

    kind: str
    in_flight: int
    takeover_s: float | None = None
    pause_s: float | None = None
    abandoned: int = 0
    """How often a worker abandoned unsaved work, to be folded again, as workers joined and left."""
    caught_up_s: float | None = None
    """Seconds from the end of a fault of ClickHouse until no more than what comes in CURRENT_S was in flight."""
    woken: bool = False
    fenced: bool = False


@dataclass
class Result:
    """What came of a round. `clean`: every view is equal, and no event or dead letter is missing."""

    seed: int
    broker: str
    events: int = 0
    injected: list[Injected] = field(default_factory=list)
    duplicates: int = 0
    skipped_checkpoints: int = 0
    folded_again: int | None = None
    """Records that track folded more than once; None if a worker was killed, which could not say what it folded."""
    drain_s: float = 0.0
    seconds: float = 0.0
    peak_mb: dict[str, float] = field(default_factory=dict)
    clean: bool = False
    violations: list[str] = field(default_factory=list)
    """What is not as it must be, one sentence each."""

    @property
    def takeovers(self) -> list[float]:
        """Seconds of each takeover after a kill -9; none of a round in which the broker died too: they wait for it."""
        if any(fault.kind == KILL_BROKER for fault in self.injected):
            return []
        return [
            fault.takeover_s for fault in self.injected if fault.kind == "kill_track" and fault.takeover_s is not None
        ]


def takeover_figures(results: Sequence[Result]) -> tuple[float, float] | None:
    """Median and maximum of the takeovers after kill -9; None if there was none."""
    found = [seconds for result in results for seconds in result.takeovers]
    return (statistics.median(found), max(found)) if found else None
