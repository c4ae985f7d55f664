"""A worker under measurement: from its first record until its group has committed a goal.

    start ──startup──> first record of its changelog ──the measured span──> committed offsets reach the goal

Role track writes to its changelog when it claims its partitions, just before it fetches; a plain Faust app with its
first event. Committed events are complete: role track commits when checkpoint and outputs are acknowledged.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

import psutil

from streams.bench.broker import BenchError, Group, first_record
from streams.embedded.process import Process

LOOK_S = 0.05
STALLED_S = 60.0
"""A worker without a new commit for this long has failed, seconds."""

Offsets = Mapping[tuple[str, int], int]


class Span(NamedTuple):
    """The resources of a worker: seconds until its first record, seconds from there on, CPU seconds of the latter."""

    startup_s: float
    seconds: float
    cpu_s: float
    committed: Offsets


class Worker:
    """The process of a worker, which ends with the `with` block."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self.name, self.argv, self.env, self.folder = name, argv, env, folder
        self.log = folder / f"{name}.log"

    def __enter__(self) -> "Worker":
        self.started = self._progressed_at = time.monotonic()
        self.process = Process(self.name, self.argv, self.env, self.folder / f"{self.name}.pid", self.log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.ask_to_end()
        self.process.end(10.0)

    def check(self) -> None:
        """Raise BenchError if it has ended, or has committed nothing new for a minute."""
        self.check_alive()
        if time.monotonic() - self._progressed_at > STALLED_S:
            raise BenchError(f"{self.name} has committed nothing new for {STALLED_S:.0f} s (see {self.log})")

    def check_alive(self) -> None:
        """Raise BenchError if it has ended."""
        status = self.process.exit_status()
        if status is not None:
            raise BenchError(
                f"{self.name} ended with exit status {status}: {self.process.last_words()} (see {self.log})"
            )

    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        """Resident memory, MiB."""
        return self.process.memory_bytes() / (1 << 20)

    def peak_mb(self) -> float:
        """Peak resident memory, MiB."""
        return peak_mb(self.process.pid)

    async def follow(self, group: Group, changelog: str, partitions: int, reached: Callable[[Offsets], bool]) -> Span:
        """Wait until `reached` accepts the committed offsets of the group. Raises BenchError."""
        await first_record(group.broker, changelog, partitions, self.check)
        began, cpu, before = time.monotonic(), self.cpu_s(), None
        while True:
            committed = await group.committed()
            now = time.monotonic()
            if reached(committed):
                return Span(began - self.started, now - began, self.cpu_s() - cpu, committed)
            if committed != before:
                before, self._progressed_at = committed, now
            self.check()
            await asyncio.sleep(LOOK_S)


def peak_mb(pid: int | Literal["self"]) -> float:
    """Peak resident memory of a process, MiB, from Linux's /proc.

    Not by getrusage: the ru_maxrss of a child starts from the memory of its parent at the fork.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise BenchError(f"/proc/{pid}/status does not say how much memory was used at most")
