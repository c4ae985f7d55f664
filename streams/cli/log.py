"""Reading the log of a command: checked to its end before anything is done, in the order of business time."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from streams.cli.errors import Refused
from streams.replay.log import read
from streams.replay.order import Inspected, by_time, inspect


def progress_bar(quiet: bool) -> Progress:
    """A progress bar on stderr; `quiet`: none."""
    columns = (
        TextColumn("{task.description:14}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=quiet)


def inspected(files: list[Path], quiet: bool) -> Inspected:
    """Read the files to their ends, with a progress bar. Raises LogError."""
    with progress_bar(quiet) as bar:
        task = bar.add_task("lines read", total=None)
        log = inspect(files, lambda lines: bar.update(task, completed=lines))
        bar.update(task, completed=log.figures.lines, total=log.figures.lines)
    return log


def ordered(log: Inspected, as_is: bool) -> Iterator[bytes]:
    """The lines by time or, `as_is`, in the order of files and lines."""
    return read(log.files) if as_is else by_time(log)


def refuse_without_events(log: Inspected) -> None:
    """Raises Refused if no line is an event: the file is another one, or of another program."""
    figures = log.figures
    if figures.events:
        return
    named = ", ".join(map(str, log.files))
    if not figures.lines:
        raise Refused(f"There is nothing in {named}: give a file of events, one JSON object a line.")
    reasons = "; ".join(f"{reason} ({number:,} of them)" for reason, number in figures.reasons())
    raise Refused(f"None of the {figures.lines:,} lines of {named} is an event. Most often: {reasons}.")
