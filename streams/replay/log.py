"""Recorded events: JSON lines of CloudEvents, plain or gzipped, and where each of them belongs."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from streams.errors import UserError
from streams.kafka.partitioner import partition_of
from streams.models.codec import Rejected, Unknown, decode, topic_of
from streams.models.envelope import Event
from streams.models.topics import INPUTS

FAMILIES = {"ticket": "tickets", "call": "calls", "survey": "surveys"}
OTHERS = "signals"


class LogError(UserError):
    """A file of events cannot be read: one sentence."""


class Line(NamedTuple):
    """A line of a log: the topic it belongs to, its key (None: every partition, or unknown), and what it is."""

    value: bytes
    topic: str
    key: str | None
    event: Event | None
    broadcast: bool


def read(files: Sequence[Path]) -> Iterator[bytes]:
    """The lines of the files, one after another, empty ones left out. Raises LogError, for a file not there at once."""
    for file in files:
        if not file.is_file():
            raise LogError(f"There is no file {file}.")
    return _lines(files)


def _lines(files: Sequence[Path]) -> Iterator[bytes]:
    for file in files:
        try:
            with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
                yield from (line for line in map(bytes.strip, lines) if line)
        except (OSError, EOFError) as error:
            raise LogError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


class _Sketch(msgspec.Struct):
    """What can be told of a line that is no event."""

    type: str = ""
    data: dict[str, object] = {}


_sketch = msgspec.json.Decoder(_Sketch).decode


def place(value: bytes) -> Line:
    """Where a line belongs; no event: where its type says, else to `signals`, to be a dead letter there."""
    event = decode(value)
    if isinstance(event, Rejected | Unknown):
        return _place_refused(value)
    key = event.key()
    return Line(value, topic_of(event), key, event, key is None)


def _place_refused(value: bytes) -> Line:
    try:
        sketch = _sketch(value)
    except (ValueError, RecursionError):
        return Line(value, OTHERS, None, None, False)
    topic = FAMILIES.get(sketch.type.partition(".")[0], OTHERS)
    key = sketch.data.get("ticket_id") or sketch.data.get("call_id")
    return Line(value, topic, key if isinstance(key, str) else None, None, False)


def targets(line: Line, partitions: int) -> Iterable[int]:
    """The partitions a line goes to."""
    return range(partitions) if line.broadcast else (partition_of(line.key, partitions),)


__all__ = ["INPUTS", "Line", "LogError", "partition_of", "place", "read", "targets"]
