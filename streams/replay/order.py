"""Brings a log into the order of business time, on disk and in bounded memory.

    file 1, in order          ────────────────────────────────┐
    file 2, out of order      ── sorted runs, on disk ── merged ┴── merged by time ──> lines

A line that is no event stays behind its predecessor. Of equal times the earlier file and line comes first.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import IO, NamedTuple

from streams.replay.figures import LogFigures
from streams.replay.log import LogError, lines_of, place, read

RUN_BYTES = 64 << 20
"""Size of the lines that are sorted in memory; more of them go to the disk, run by run."""

LINE_BYTES = 150
"""What a line takes in memory beside its bytes."""

Timed = tuple[int, bytes]
"""A line with the time (ms) of its event, or of the last event before it; -1: there is none."""

_time = itemgetter(0)


class Inspected(NamedTuple):
    """Files that were read to their ends: what they hold, and whether each is in order."""

    files: Sequence[Path]
    figures: LogFigures
    in_order: Sequence[bool]


def inspect(files: Sequence[Path], progress: Callable[[int], None] = lambda lines: None) -> Inspected:
    """Read the files to their ends. Raises LogError. `progress` is called every thousand lines with their number."""
    read(files)  # are they all there?
    figures, in_order = LogFigures(), []
    for file in files:
        latest, ordered = -1, True
        for value in lines_of(file):
            line = place(value)
            figures.count(line)
            if (at := line.at) is not None:
                ordered &= at >= latest
                latest = at
            if not figures.lines % 1000:
                progress(figures.lines)
        in_order.append(ordered)
    return Inspected(tuple(files), figures, tuple(in_order))


def by_time(log: Inspected) -> Iterator[bytes]:
    """The lines of all files, merged by time. Raises LogError."""
    if len(log.files) == 1 and log.in_order[0]:
        return lines_of(log.files[0])
    return merged(*(timed(lines_of(file), in_order=each) for file, each in zip(log.files, log.in_order, strict=True)))


def timed(lines: Iterable[bytes], *, in_order: bool) -> Iterator[Timed]:
    """The lines with their times, sorted unless they are `in_order`."""
    found = _timed(lines)
    if in_order:
        return found
    sorter = Sorter()
    for line in found:
        sorter.add(line)
    return sorter.sorted()


def merged(*logs: Iterable[Timed]) -> Iterator[bytes]:
    """The lines of logs that are in order, merged by time."""
    return (value for _, value in merge(*logs, key=_time))


def _timed(lines: Iterable[bytes]) -> Iterator[Timed]:
    latest = -1
    for value in lines:
        at = place(value).at
        if at is not None:
            latest = at
        yield latest, value


class Sorter:
    """Sorts any number of lines by time, and keeps the order of those of one time.

    `run_bytes`: the memory for lines. Raises LogError if the disk is full.
    """

    def __init__(self, run_bytes: int = RUN_BYTES) -> None:
        self.run_bytes = run_bytes
        self._lines: list[Timed] = []
        self._size = 0
        self._runs: list[IO[bytes]] = []

    def add(self, line: Timed) -> None:
        """Add a line."""
        self._lines.append(line)
        self._size += len(line[1]) + LINE_BYTES
        if self._size > self.run_bytes:
            self._write_run()

    def sorted(self) -> Iterator[Timed]:
        """All lines, in order; once."""
        self._lines.sort(key=_time)
        with ExitStack() as opened:
            runs = [opened.enter_context(run) for run in self._runs]
            yield from merge(*map(_read_run, runs), self._lines, key=_time)

    def _write_run(self) -> None:
        self._lines.sort(key=_time)
        try:
            run = tempfile.TemporaryFile()  # unnamed: a kill leaves no file  # noqa: SIM115
            self._runs.append(run)
            run.writelines(b"%d %d\n%b" % (at, len(value), value) for at, value in self._lines)
            run.seek(0)
        except OSError as error:
            raise LogError(
                f"The log cannot be sorted in {tempfile.gettempdir()}: {error.strerror}; set TMPDIR to a directory "
                "with room for it, or say --as-is."
            ) from None
        self._lines, self._size = [], 0


def _read_run(run: IO[bytes]) -> Iterator[Timed]:
    while head := run.readline():
        at, size = head.split()
        yield int(at), run.read(int(size))
