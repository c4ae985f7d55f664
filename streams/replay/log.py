"""Recorded events: JSON lines of CloudEvents, plain or gzipped, and the topic and key of each."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from streams.errors import UserError
from streams.kafka.partitioner import partition_of
from streams.models.codec import Rejected, Unknown, decode, topic_of
from streams.models.envelope import Event

_TOPICS = {"ticket": "tickets", "call": "calls", "survey": "surveys"}  # by the first word of a type
_OTHERS = "signals"


class LogError(UserError):
    """A file of events cannot be read. The message is one sentence."""


class Line(NamedTuple):
    """A line of a log.

    `topic`: its topic. `key`: None for all partitions (`broadcast`), or if unknown. `event`: None if the line is not a
    valid event.
    """

    value: bytes
    topic: str
    key: str | None
    event: Event | None
    broadcast: bool


def read(files: Sequence[Path]) -> Iterator[bytes]:
    """The lines of the files, one after another, without empty ones. Raises LogError; for a missing file at once."""
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


class _Envelope(msgspec.Struct):
    """The readable parts of a line that is not a valid event."""

    type: str = ""
    data: dict[str, object] = {}


_envelope = msgspec.json.Decoder(_Envelope).decode


def place(value: bytes) -> Line:
    """The topic and key of a line; for an invalid event, the topic of its type, else `signals`."""
    event = decode(value)
    if isinstance(event, Rejected | Unknown):
        return _place_rejected(value)
    key = event.key()
    return Line(value, topic_of(event), key, event, key is None)


def _place_rejected(value: bytes) -> Line:
    try:
        envelope = _envelope(value)
    except (ValueError, RecursionError):
        return Line(value, _OTHERS, None, None, False)
    topic = _TOPICS.get(envelope.type.partition(".")[0], _OTHERS)
    key = envelope.data.get("ticket_id") or envelope.data.get("call_id")
    return Line(value, topic, key if isinstance(key, str) else None, None, False)


def targets(line: Line, partitions: int) -> Iterable[int]:
    """The target partitions of a line."""
    return range(partitions) if line.broadcast else (partition_of(line.key, partitions),)
