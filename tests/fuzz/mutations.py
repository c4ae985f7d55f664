"""Broken events: bytes changed, fields lost, and values in the wrong places. Seeded."""

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from streams.models.codec import TYPES
from streams.models.topics import INPUTS
from tests.sinks.desk import Record

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 2**64 + 1, 1e308, -1e308, 5e-324, -0.0, 0.1),
    *("", " ", "\0", "\x7f", "é", "漢字", "\U0001f600", "t1\01", "a" * 5000, "'; DROP TABLE events; --"),
    *("NaN", "Infinity", "true", "null", "1", "-1", "ticket.created", "ticket.sneezed", "all", "urgent"),
    *("1970-01-01T00:00:00Z", "1989-12-31T23:59:59Z", "1990-01-01T00:00:00Z", "2099-12-31T23:59:59.999+23:59"),
    *("2100-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "2026-02-30T00:00:00Z", "2026-10-12T10:00:00", "2026-10-12"),
    *("2026-10-12T10:00:60Z", "2026-10-12T10:00:00.123456789012345678901Z", "2026-10-12t10:00:00-00:00", "٢026-10-12"),
    *([], {}, [[]], [None], [""], {"": None}, {"a": {"a": {"a": []}}}, ["x"] * 300),
)
RAW = (b"NaN", b"-", b"1e999999", b"1" * 400, b'"\\ud800"', b'"\\u0000"', b"\xff", b"\xc3\x28", b"\xef\xbb\xbf", b"//")
DEEP = b"[" * 5000
TYPED = sorted(TYPES)


class Mutator:
    """Makes records of a corpus of events, one as unlike as the other."""

    def __init__(self, corpus: Sequence[bytes], seed: int) -> None:
        self.corpus, self.random, self.offset = corpus, Random(seed), 0

    def record(self) -> tuple[str, Record]:
        """A record, and the topic it comes on: now and then not its own."""
        chance, value = self.random, self.random.choice(self.corpus)
        headers: tuple[tuple[str, bytes], ...] = ()
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
            value = self._structure(value) if chance.random() < 0.7 else self._bytes(value)
        if chance.random() < 0.1:
            value, headers = self._binary(value)
        empty = chance.random() < 0.002
        self.offset += 1
        at = 1_791_763_200_000 + self.offset
        record = Record(None if empty else value, offset=self.offset, timestamp=at, key=b"k", headers=headers)
        return chance.choice(INPUTS), record

    def _bytes(self, value: bytes) -> bytes:
        chance = self.random
        at, end = sorted(chance.randint(0, len(value)) for _ in range(2))
        found = bytearray(value)
        match chance.randrange(8):
            case 0 if found:
                found[min(at, len(found) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                del found[at : min(end, at + 9)]
            case 2:
                found[at:at] = found[at:end][:200]
            case 3:
                found[at:at] = chance.choice(RAW)
            case 4:
                del found[at:]
            case 5:
                other = chance.choice(self.corpus)
                found[at:] = other[chance.randint(0, len(other)) :]
            case 6:
                found[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 4)))
            case _ if chance.random() < 0.02:
                found[at:at] = DEEP
        return bytes(found)

    def _structure(self, value: bytes) -> bytes:
        try:
            event = msgspec.json.decode(value)
        except (ValueError, RecursionError):
            return self._bytes(value)
        if not isinstance(event, dict):
            return self._bytes(value)
        chance = self.random
        place = event["data"] if isinstance(event.get("data"), dict) and chance.random() < 0.7 else event
        name = chance.choice([*place, "new"]) if place else "new"
        match chance.randrange(7):
            case 0:
                place.pop(name, None)
            case 1 | 2:
                place[name] = chance.choice(ODD)
            case 3:
                place[name] = msgspec.json.decode(chance.choice(self.corpus))["data"]
            case 4:
                event["type"] = chance.choice(TYPED)
            case 5:
                other = msgspec.json.decode(chance.choice(self.corpus))
                event["data"] = {**other["data"], **event["data"]} if place is event.get("data") else other["data"]
            case _:
                place[name] = place.get(chance.choice([*place, "new"]))
        try:
            return msgspec.json.encode(event)
        except (ValueError, RecursionError, OverflowError):
            return value

    def _binary(self, value: bytes) -> tuple[bytes, tuple[tuple[str, Any], ...]]:
        try:
            event = msgspec.json.decode(value)
            data = msgspec.json.encode(event.pop("data"))
        except (ValueError, RecursionError, KeyError, AttributeError):
            return value, (("ce_type", b"ticket.created"), ("ce_", b"\xff"))
        headers: list[tuple[str, Any]] = [(f"ce_{name}", str(content).encode()) for name, content in event.items()]
        chance = self.random
        if headers and chance.random() < 0.3:
            name, content = chance.choice(headers)
            headers.append((name, chance.choice((None, b"", b"\xff\xfe", content * 2, b'"'))))
        return data, tuple(headers)
