"""The rows that a partition wrote to its output topics, read back: the rules that made them are not known any more.

    topics     row v1 ── row v2 ── withdrawn v3 ── row v2 (sent again)      of each identity the highest version stands
    packed     by subject, compressed; only of subjects that are held

A partition's rows are in its own partition of the topics. A topic holds the rows of several senders: the CloudEvents
source tells them apart.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import lz4.block
import msgspec
from msgspec.structs import asdict

from streams.models.entities import ROWS
from streams.models.messages import WARNING_TYPES
from streams.models.rows import Identity, Row, WarningRow

MAX_UNPACKED_BYTES = 8 << 20
SAMPLE_BYTES = 64 << 10  # of the compression dictionary


class _Envelope(msgspec.Struct):
    type: str
    source: str
    data: msgspec.Raw


class _Warning(WarningRow, kw_only=True, array_like=False):
    """A warning as its message holds it."""


_TYPES: dict[str, int] = {f"deskwatch.{kind.table}": number for number, kind in enumerate(ROWS)}
_WARNING = ROWS.index(WarningRow)
_envelope = msgspec.json.Decoder(_Envelope).decode
_warning = msgspec.json.Decoder(_Warning).decode
_rows: list[Any] = [
    msgspec.json.Decoder(msgspec.defstruct(kind.table, [("rows", list[kind])])).decode  # type: ignore[valid-type]
    for kind in ROWS
]
_unpack_row: list[Any] = [msgspec.msgpack.Decoder(kind).decode for kind in ROWS]
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode


class SaidRows:
    """See the module. They are read from the beginning of the topics to the end, then taken subject by subject.

    Arguments:
        topics: to be read.
        source: the CloudEvents source of the sender.
        names_of: returns the names of the subjects that a row may belong to.
        wanted: whether the rows of a subject are needed.

    Attributes:
        read: whether all is read.
        since: the instant (ms) before which messages are missing, since the topics keep them no longer; None: none are.
    """

    def __init__(
        self,
        topics: Sequence[str],
        source: str,
        names_of: Callable[[Row], Iterable[str]],
        wanted: Callable[[str], bool],
    ) -> None:
        self.topics = topics
        self.read = False
        self.since: int | None = None
        self._source, self._names_of, self._wanted = source, names_of, wanted
        self._unpacked: dict[str, list[tuple[int, bytes]]] = {}
        self._unpacked_bytes = 0
        self._packed: dict[str, list[bytes]] = {}
        self._sample = b""

    def load(self, value: bytes | None) -> None:
        """Load a message; one of another sender is ignored."""
        try:
            envelope = _envelope(value or b"")
        except msgspec.DecodeError:
            return  # ours are all CloudEvents
        if envelope.source != self._source:
            return
        number = _TYPES.get(envelope.type)
        if number is not None:
            for row in _rows[number](envelope.data).rows:
                self._add(number, row)
        elif envelope.type in WARNING_TYPES:
            self._add(_WARNING, WarningRow(**asdict(_warning(envelope.data))))

    def _add(self, number: int, row: Row) -> None:
        for name in self._names_of(row):
            if self._wanted(name):
                packed = _pack(row)
                self._unpacked.setdefault(name, []).append((number, packed))
                self._unpacked_bytes += len(packed)
        if self._unpacked_bytes > MAX_UNPACKED_BYTES:
            self._compress()

    def _compress(self) -> None:
        if not self._sample:
            self._sample = b"".join(row for rows in self._unpacked.values() for _, row in rows)[:SAMPLE_BYTES]
        for name, rows in self._unpacked.items():
            packed = lz4.block.compress(_pack(rows), dict=self._sample)
            self._packed.setdefault(name, []).append(packed)
        self._unpacked, self._unpacked_bytes = {}, 0

    def clear(self) -> None:
        """Forget what was not taken."""
        self._packed, self._sample = {}, b""

    def finish(self, since: int | None) -> None:
        """All is read (see `since`)."""
        self._compress()
        self.read, self.since = True, since

    def take(self, name: str) -> dict[Identity, Row]:
        """Remove and return the rows of a subject that stand, without their versions."""
        standing: dict[Identity, Any] = {}
        for packed in self._packed.pop(name, ()):
            for number, value in _unpack(lz4.block.decompress(packed, dict=self._sample)):
                row = _unpack_row[number](value)
                other = standing.get(row.identity())
                if other is None or row.version >= other.version:
                    standing[row.identity()] = row
        standing = {identity: row for identity, row in standing.items() if not row.is_deleted}
        for row in standing.values():
            row.version = 0
        return standing
