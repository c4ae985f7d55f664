"""Recorded events: JSON lines of CloudEvents, plain or gzipped, and the topic and key of each."""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from streams.errors import UserError
from streams.kafka.partitioner import partition_of
from streams.models import actions
from streams.models.codec import Rejected, Unknown, decode, topic_of
from streams.models.envelope import Event
from streams.models.topics import ACTIONS

_TOPICS = {"ticket": "tickets", "call": "calls", "survey": "surveys"}  # by the first word of a type
_OTHERS = "signals"
_UTF8_MARK = b"\xef\xbb\xbf"  # RFC 8259, 8.1: a reader may ignore it; Windows programs write it
_UTF16_BEGINNINGS = {b"\xff\xfe": "FF FE", b"\xfe\xff": "FE FF", b"{\0": "7B 00", b"\0{": "00 7B"}


class LogError(UserError):
    """A file of events cannot be read. The message is one sentence."""


class Line(NamedTuple):
    """A line of a log.

    `topic`: its topic. `key`: None if unknown, or for all partitions. `broadcast`: whether it goes to all partitions.
    `event`: None if the line is not a valid event; then `fault` says why, or it is an `action`, which moves no clock.
    """

    value: bytes
    topic: str
    key: str | None
    event: Event | None
    broadcast: bool
    fault: Rejected | Unknown | None = None
    action: actions.ActionEvent | None = None

    @property
    def at(self) -> int | None:
        """The time (ms) of the event or action; None: it is neither."""
        event = self.event or self.action
        return None if event is None else event.at


def read(files: Sequence[Path]) -> Iterator[bytes]:
    """The lines of the files, one after another, without empty ones. Raises LogError; for a missing file at once."""
    for file in files:
        if not file.is_file():
            raise LogError(f"There is no file {file}.")
    return (line for file in files for line in lines_of(file))


def lines_of(file: Path) -> Iterator[bytes]:
    """The lines of one file, without empty ones and byte order marks. Raises LogError."""
    try:
        with _opened(file) as lines:
            _refuse_utf16(file, lines.read(2))
            lines.seek(0)
            yield from (line for line in (raw.strip().removeprefix(_UTF8_MARK) for raw in lines) if line)
    except (OSError, EOFError, zlib.error) as error:
        raise LogError(f"{file} cannot be read to its end: {getattr(error, 'strerror', None) or error}.") from None


def _opened(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        return gzip.open(file, "rb")  # type: ignore[return-value]
    return file.open("rb")


def _refuse_utf16(file: Path, beginning: bytes) -> None:
    begins = _UTF16_BEGINNINGS.get(beginning)
    if begins is not None:
        raise LogError(f"{file} is UTF-16 (it begins with {begins}), and events are UTF-8: save it as UTF-8.")


class _Envelope(msgspec.Struct):
    """The readable parts of a line that is not a valid event."""

    type: str = ""
    data: dict[str, object] = {}


_envelope = msgspec.json.Decoder(_Envelope).decode


def place(value: bytes) -> Line:
    """The topic and key of a line; for an invalid event, the topic of its type, else `signals`."""
    event = decode(value)
    if isinstance(event, Rejected | Unknown):
        return _place_other(value, event)
    key = event.key()
    return Line(value, topic_of(event), key, event, key is None)


def _place_other(value: bytes, fault: Rejected | Unknown) -> Line:
    """An action on a warning, or a line that is no event."""
    try:
        envelope = _envelope(value)
    except (ValueError, RecursionError):
        return Line(value, _OTHERS, None, None, False, fault)
    if envelope.type in actions.TYPES:
        action = actions.decode(value)
        if isinstance(action, Rejected):
            return Line(value, ACTIONS, None, None, False, action)
        return Line(value, ACTIONS, action.key(), None, True, None, action)
    topic = _TOPICS.get(envelope.type.partition(".")[0], _OTHERS)
    key = envelope.data.get("ticket_id") or envelope.data.get("call_id")
    return Line(value, topic, key if isinstance(key, str) else None, None, False, fault)


def targets(line: Line, partitions: int) -> Iterable[int]:
    """The target partitions of a line."""
    return range(partitions) if line.broadcast else (partition_of(line.key, partitions),)
