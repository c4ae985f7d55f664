"""Dead letters: rejected messages are kept on a separate topic, with origin and reason, until they are repaired.

    tickets[2] offset 17 ──rejected──> letter "tickets/2/17" ──repaired──> tickets[2] offset 90
                                                 └── marker: replayed

A dead letter and its replay marker are CloudEvents in binary mode: the bytes are the message's own, the rest is in
headers. Both are in the same partition of `dead-letters`. A dead letter may be written twice (the outbox of a
checkpoint): its id is its origin.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from streams.models.codec import structured
from streams.models.instants import format_instant, parse_instant
from streams.models.records import Output, Record
from streams.models.topics import DEAD_LETTERS

LETTER, REPLAYED = "deskwatch.dead_letter", "deskwatch.dead_letter_replayed"
TRACK, REPLAY = "/deskwatch/track", "/deskwatch/dead-letters"  # sources

_ORIGINAL = "header."  # prefix for the names of the message's own headers
_VARIABLE = re.compile(r"'[^']*'|\d[\d,.:TZ+-]*")


class DeadLetter(msgspec.Struct, kw_only=True):
    """A rejected message: its origin, the reason, and its contents. Instants in ms."""

    topic: str
    partition: int
    offset: int
    received_at: int
    reason: str
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    replayed_at: int | None = None

    @property
    def id(self) -> str:
        """Its origin, which is its identity: topic/partition/offset."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def state(self) -> str:
        """`open`, or `replayed`."""
        return "open" if self.replayed_at is None else "replayed"

    def document(self) -> bytes | None:
        """The message as one JSON document, as the codec accepts it; raises ValueError for undecodable headers."""
        return structured(self.value, self.headers)


class ReplayMarker(msgspec.Struct, frozen=True):
    """A letter was replayed: `value` was sent in its place."""

    topic: str
    partition: int
    offset: int
    replayed_at: int
    value: bytes

    @property
    def id(self) -> str:
        """The letter's id."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def dead_letter(topic: str, record: Record, reason: str) -> Output:
    """The letter of a rejected record. A record without a value has an empty one (its reason says so)."""
    headers = [(_ORIGINAL + name, content or b"") for name, content in record.headers or ()]
    if record.key is not None:
        headers.append(("key", record.key))
    told = _headers(LETTER, TRACK, topic, record.partition, record.offset, record.timestamp)
    told.append(("reason", reason[:1000].encode(errors="replace")))
    return Output(DEAD_LETTERS, _key(topic, record), record.value or b"", (*told, *headers))


def replayed(letter: DeadLetter, value: bytes, at: int) -> Output:
    """The replay marker of a letter: `value` was sent in its place at the instant `at` (ms)."""
    told = _headers(REPLAYED, REPLAY, letter.topic, letter.partition, letter.offset, at)
    return Output(DEAD_LETTERS, _key(letter.topic, letter), value, tuple(told))


def read(record: Record) -> DeadLetter | ReplayMarker | None:
    """Decode a message of the topic; None if it is neither letter nor marker."""
    found: dict[str, bytes] = dict(record.headers or ())
    try:
        topic = found["topic"].decode()
        partition, offset = int(found["partition"]), int(found["offset"])
        at = parse_instant(found["ce_time"].decode())
    except (KeyError, ValueError):
        return None
    if found.get("ce_type") == REPLAYED.encode():
        return ReplayMarker(topic, partition, offset, at, record.value or b"")
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        received_at=at,
        reason=found.get("reason", b"").decode(errors="replace"),
        value=record.value,
        key=found.get("key"),
        headers=[
            (name.removeprefix(_ORIGINAL), content)
            for name, content in record.headers
            if name.startswith(_ORIGINAL) and content is not None
        ],
    )


def gather(messages: Iterable[DeadLetter | ReplayMarker | None]) -> list[DeadLetter]:
    """The letters, each once, in the order of their origin; those with a marker are replayed."""
    letters: dict[str, DeadLetter] = {}
    marks: dict[str, int] = {}
    for message in messages:
        if isinstance(message, DeadLetter):
            letters[message.id] = message
        elif message is not None:
            marks[message.id] = message.replayed_at
    for letter_id, letter in letters.items():
        letter.replayed_at = marks.get(letter_id, letter.replayed_at)
    return sorted(letters.values(), key=lambda letter: (letter.topic, letter.partition, letter.offset))


def kind_of(reason: str) -> str:
    """A reason without its numbers and quoted values, for counts by reason."""
    return _VARIABLE.sub("…", reason)


def _key(topic: str, origin: Record | DeadLetter) -> bytes:
    return f"{topic}/{origin.partition}/{origin.offset}".encode()


def _headers(kind: str, source: str, topic: str, partition: int, offset: int, at: int) -> list[tuple[str, bytes]]:
    told = {
        "ce_specversion": "1.0",
        "ce_id": f"{topic}/{partition}/{offset}" + ("/replayed" if kind == REPLAYED else ""),
        "ce_source": source,
        "ce_type": kind,
        "ce_time": format_instant(at),
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
    }
    return [(name, text.encode()) for name, text in told.items()]
