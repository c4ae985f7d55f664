"""The measurements of `deskwatch bench speed`. Each loads a fresh broker: the embedded one keeps all in memory.

broker 1   the log                        raw_drain, then whole_job
broker 2   as many ticket events          whole_job_tickets
broker 3   ticket events only             idiomatic_faust
broker 4   100,000 tickets that stay open track_memory
broker 5   200,000 tickets that stay open restore: by a second worker, from the checkpoints of the first
"""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from streams.bench.broker import BenchError, Broker, Group, load
from streams.bench.log import of_tickets, open_tickets, repeated
from streams.bench.worker import Offsets, Worker
from streams.checkpoint.takeover import TOOK_OVER_LOG
from streams.kafka.topics import CHANGELOG, create_topics
from streams.models.topics import INPUTS
from streams.replay.feeder import feed
from streams.settings import Settings

WHOLE_JOB, TICKETS_ALONE, IDIOMATIC, RAW_DRAIN = "whole_job", "whole_job_tickets", "idiomatic_faust", "raw_drain"
TRACK_MEMORY = "track_memory"
RESTORE = "restore"
NAMES = (WHOLE_JOB, TICKETS_ALONE, IDIOMATIC, RAW_DRAIN, TRACK_MEMORY, RESTORE)
USUAL = (WHOLE_JOB, TICKETS_ALONE, IDIOMATIC, RAW_DRAIN)

YARDSTICK = Path(__file__).with_name("idiomatic_faust.py")
YARDSTICK_PARTITIONS = 4
YARDSTICK_EVENTS = 60_000
"""Its rate over these equals that over a million, which would take about ten minutes."""
YARDSTICK_SPARE = 1.5
"""It gets more events than are timed, so that it is still busy at the commit that ends the measurement."""
OPEN_TICKETS = 100_000
RESTORED_TICKETS = 200_000
OPEN_FROM = 1_791_763_200_000  # 2026-10-12T00:00:00Z, a Monday


@dataclass(frozen=True)
class Figure:
    """One measurement. Rates count events of the log; `rss_mb` is the peak; of track_memory, the memory at the end."""

    name: str
    events: int
    events_per_s: float
    cpu_s: float
    rss_mb: float
    seconds: float
    startup_s: float | None = None


class Bench:
    """Measures over one log.

    `lines`: the log, to be repeated to `events`. `argv`: the command line of a track worker. `folder`: for the logs of
    the processes. `tell` is called with the current activity.
    """

    def __init__(
        self,
        lines: Sequence[bytes],
        events: int,
        settings: Settings,
        argv: Sequence[str],
        folder: Path,
        tell: Callable[[str], None],
    ) -> None:
        self.lines, self.events, self.settings, self.argv = lines, events, settings, argv
        self.folder, self.tell = folder, tell
        self._number = 0

    def round(self, names: Iterable[str]) -> Iterator[Figure]:
        """Measure these once, one after the other. Raises BenchError."""
        wanted = set(names)
        if wanted & {WHOLE_JOB, RAW_DRAIN}:
            yield from self._main(wanted)
        if TICKETS_ALONE in wanted:
            with self._broker() as broker:
                ends = self._fill(broker, repeated(of_tickets(self.lines), self.events))
                yield self._whole_job(broker, TICKETS_ALONE, self.events, ends)
        if IDIOMATIC in wanted:
            yield self._idiomatic()
        if TRACK_MEMORY in wanted:
            with self._broker() as broker:
                ends = self._fill(broker, open_tickets(OPEN_TICKETS, OPEN_FROM))
                yield self._whole_job(broker, TRACK_MEMORY, 3 * OPEN_TICKETS, ends)
        if RESTORE in wanted:
            with self._broker() as broker:
                ends = self._fill(broker, open_tickets(RESTORED_TICKETS, OPEN_FROM))
                self._whole_job(broker, WHOLE_JOB, 3 * RESTORED_TICKETS, ends)
                yield self._restore(broker, 3 * RESTORED_TICKETS)

    def _main(self, wanted: set[str]) -> Iterator[Figure]:
        with self._broker() as broker:
            ends = self._fill(broker, repeated(self.lines, self.events))
            if RAW_DRAIN in wanted:
                yield self._drain(broker, ends)
            if WHOLE_JOB in wanted:
                yield self._whole_job(broker, WHOLE_JOB, self.events, ends)

    def _broker(self) -> Broker:
        self._number += 1
        return Broker(self.folder / str(self._number))

    def _fill(self, broker: Broker, lines: Iterable[bytes]) -> dict[tuple[str, int], int]:
        """Create the topics and feed the log, as `deskwatch replay` does. Returns the ends of the topics."""
        partitions = self.settings.partitions
        create_topics(replace(self.settings, broker=broker.address))

        def progress(done: int) -> None:
            if not done % 50_000:
                self.tell(f"loading the broker: {done:,} events")

        self.tell("loading the broker")
        return asyncio.run(feed(lines, broker.address, partitions, None, progress)).ends

    def _drain(self, broker: Broker, ends: dict[tuple[str, int], int]) -> Figure:
        self.tell(RAW_DRAIN)
        by_topic = {topic: [ends.get((topic, n), 0) for n in range(self.settings.partitions)] for topic in INPUTS}
        argv = [sys.executable, "-m", "streams.bench.drain", broker.address, json.dumps(by_topic)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment())
        if done.returncode:
            raise BenchError(f"{RAW_DRAIN} ended with exit status {done.returncode}: {done.stderr[-500:].strip()}")
        found = json.loads(done.stdout)
        rate = self.events / found["seconds"]
        return Figure(RAW_DRAIN, self.events, rate, found["cpu_s"], found["rss_mb"], found["seconds"])

    def _whole_job(self, broker: Broker, name: str, events: int, ends: Offsets) -> Figure:
        """One track worker, from its claim of the partitions until all is committed."""
        self.tell(name)
        with Worker(name, self.argv, self._env(broker), broker.folder) as worker:

            def complete(committed: Offsets) -> bool:
                return all(committed[tp] >= end for tp, end in ends.items())

            async def follow() -> Figure:
                async with Group(broker.address, "deskwatch-track", INPUTS, self.settings.partitions) as group:
                    span = await worker.follow(group, CHANGELOG, self.settings.partitions, complete)
                memory = worker.rss_mb() if name == TRACK_MEMORY else worker.peak_mb()
                return Figure(name, events, events / span.seconds, span.cpu_s, memory, span.seconds, span.startup_s)

            return asyncio.run(follow())

    def _restore(self, broker: Broker, events: int) -> Figure:
        """A worker that takes all partitions over: it reads the changelog, claims it, and refolds the held subjects."""
        self.tell(RESTORE)
        with Worker(RESTORE, self.argv, self._env(broker), broker.folder) as worker:
            while not (took := re.search(TOOK_OVER_LOG + r"\[.+\] in ([\d.]+) s", worker.log.read_text())):
                worker.check_alive()
                time.sleep(0.05)
            seconds, whole = float(took[1]), time.monotonic() - worker.started
            return Figure(RESTORE, events, events / seconds, worker.cpu_s(), worker.peak_mb(), seconds, whole - seconds)

    def _env(self, broker: Broker) -> dict[str, str]:
        env = {
            **environment(),
            "DESKWATCH_BROKER": broker.address,
            "DESKWATCH_CLOCK": "log",
            "DESKWATCH_PARTITIONS": str(self.settings.partitions),
            "DESKWATCH_DATA": str(broker.folder),
            "DESKWATCH_METRICS_PORT": "0",
        }
        if self.settings.policy is not None:
            env["DESKWATCH_POLICY"] = str(self.settings.policy)
        return env

    def _idiomatic(self) -> Figure:
        """The idiomatic app, from its first event until it has committed the events that it is timed on."""
        goal = min(self.events, YARDSTICK_EVENTS)
        with self._broker() as broker:
            create_topics(replace(self.settings, broker=broker.address, partitions=YARDSTICK_PARTITIONS))
            self.tell("loading the broker")
            lines = repeated(of_tickets(self.lines), int(goal * YARDSTICK_SPARE))
            asyncio.run(load(broker.address, "tickets", lines, YARDSTICK_PARTITIONS))
            self.tell(IDIOMATIC)
            env = {**environment(), "YARDSTICK_BROKER": f"kafka://{broker.address}", "YARDSTICK_ID": "yardstick"}
            argv = [sys.executable, str(YARDSTICK), "--datadir", str(broker.folder / "yardstick")]
            argv += ["worker", "-l", "info", "--without-web"]
            with Worker(IDIOMATIC, argv, env, broker.folder) as worker:

                async def follow() -> Figure:
                    async with Group(broker.address, "yardstick", ["tickets"], YARDSTICK_PARTITIONS) as group:
                        changelog = "yardstick-counts-changelog"
                        span = await worker.follow(
                            group, changelog, YARDSTICK_PARTITIONS, lambda found: sum(found.values()) >= goal
                        )
                    events = sum(span.committed.values())
                    return Figure(
                        IDIOMATIC, events, events / span.seconds, span.cpu_s, worker.peak_mb(), span.seconds,
                        span.startup_s,
                    )  # fmt: skip

                return asyncio.run(follow())


def environment() -> dict[str, str]:
    """The environment of child processes, without settings of Deskwatch: each measurement sets its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DESKWATCH_")}


def medians(figures: Sequence[Figure]) -> Figure:
    """The median of each quantity over the rounds of one measurement."""
    first = figures[0]
    middle = {
        field.name: statistics.median(getattr(figure, field.name) for figure in figures)
        for field in fields(Figure)
        if isinstance(getattr(first, field.name), float)
    }
    return replace(first, events=round(statistics.median(f.events for f in figures)), **middle)


def ratios(figures: Iterable[Figure]) -> dict[str, dict[str, float]]:
    """By measurement, its speed as a multiple of the idiomatic app's, and as a share of the raw drain's."""
    rates = {figure.name: figure.events_per_s for figure in figures}
    found: dict[str, dict[str, float]] = {name: {} for name in rates}
    for name in (WHOLE_JOB, TICKETS_ALONE):
        if name in rates and IDIOMATIC in rates:
            found[name]["times_idiomatic_faust"] = rates[name] / rates[IDIOMATIC]
        if name in rates and RAW_DRAIN in rates:
            found[name]["of_raw_drain"] = rates[name] / rates[RAW_DRAIN]
    return found


def as_json(figure: Figure, ratio: dict[str, float]) -> dict[str, object]:
    """A figure with its ratios, rounded to significant digits."""
    found = {name: value for name, value in asdict(figure).items() if value is not None}
    digits = {"events_per_s": 0, "cpu_s": 2, "rss_mb": 1, "seconds": 3, "startup_s": 2}
    rounded = {name: round(value, digits[name]) if name in digits else value for name, value in found.items()}
    return rounded | {name: round(value, 3) for name, value in ratio.items()}
