"""Request and response bodies of the embedded ClickHouse: received whole, compressed and decompressed, within limits.

A body is received completely before use, into memory up to 16 MiB, and into a file above that. So a client that leaves
causes no partial insert, and a large insert does not fill the memory. It is unpacked in pieces of at most 1 MiB: a
small body may unpack to any size, and is refused as soon as it has passed the limit.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from typing import IO, Any

import lz4.frame
from backports import zstd

from streams.errors import DeskwatchError

PIECE_BYTES = 1 << 20
MAX_BODY_BYTES = 256 << 20
MAX_UNPACKED_BYTES = 2 << 30
_MAX_FORM_BYTES = 8 << 20
_MAX_BYTES_IN_MEMORY = 16 << 20

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "zstd": lambda data: zstd.compress(data, level=1),
    "gzip": lambda data: gzip.compress(data, compresslevel=1),
}


class BodyError(DeskwatchError, ValueError):
    """A body that cannot be read; the text is for the client."""


class TooLarge(BodyError):
    """A body over the limit."""


async def receive(pieces: AsyncIterator[bytes], declared: int | None) -> IO[bytes]:
    """Receives a whole body; returns it as a file, at its beginning. `declared`: its `Content-Length`.

    Raises TooLarge, before the first byte if the declared length is over the limit.
    """
    _check_size(declared or 0, MAX_BODY_BYTES, "A request body")
    body: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_MAX_BYTES_IN_MEMORY)  # noqa: SIM115  the caller closes it
    size = 0
    try:
        async for piece in pieces:
            size += len(piece)
            _check_size(size, MAX_BODY_BYTES, "A request body")
            body.write(piece)
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body


def _check_size(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise TooLarge(f"{what} has at most {limit >> 20} MiB here: send less at a time.")


class _Inflated:
    """zlib's decompressor with the interface of those of lz4 and zstd."""

    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes; given b'', it goes on with what is left."""
        out = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = len(out) < max_length and not self._zlib.unconsumed_tail
        return out

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data


_DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
    "gzip": lambda: _Inflated(31),
    "deflate": lambda: _Inflated(15),
}


def decompressed(body: IO[bytes], encoding: str) -> Iterator[bytes]:
    """The bytes of the body in pieces, decompressed by `Content-Encoding`.

    A body may be several frames in a row (clickhouse-connect sends one for each block of rows); every frame counts, and
    a truncated last frame is an error. Raises BodyError, TooLarge.
    """
    pieces = iter(lambda: body.read(PIECE_BYTES), b"")
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in _DECOMPRESSORS:
        known = ", ".join(_DECOMPRESSORS)
        raise BodyError(f"Content-Encoding {encoding!r} is not known here; known are {known}.")
    size = 0
    for piece in _frames(pieces, encoding):
        size += len(piece)
        _check_size(size, MAX_UNPACKED_BYTES, "An unpacked request body")
        yield piece


def _frames(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    new = _DECOMPRESSORS[encoding]
    frame, inside = new(), False
    for piece in pieces:
        data = piece
        while data or (inside and not frame.needs_input):
            try:
                out = frame.decompress(data, PIECE_BYTES)
            except (RuntimeError, zlib.error, zstd.ZstdError, EOFError) as error:
                raise BodyError(f"The request body is not valid {encoding}: {error}.") from None
            if out:
                yield out
            data, inside = b"", True
            if frame.eof:
                data, frame, inside = frame.unused_data or b"", new(), False
    if inside:
        raise BodyError(f"The request body ends in the middle of a {encoding} frame.")


def compressed(data: bytes, accept_encoding: str) -> tuple[bytes, str | None]:
    """The data compressed by the first known encoding of `Accept-Encoding`, and the name of that encoding."""
    for encoding in accept_encoding.replace(" ", "").split(","):
        name = encoding.split(";")[0]
        if name in _COMPRESSORS:
            return _COMPRESSORS[name](data), name
    return data, None


def form_fields(body: IO[bytes], content_type: str) -> dict[str, str]:
    """The text fields of a multipart/form-data body, which clickhouse-connect uses for long parameters.

    Raises BodyError.
    """
    form = body.read(_MAX_FORM_BYTES + 1)
    _check_size(len(form), _MAX_FORM_BYTES, "A form")
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + form)
    fields = {}
    for part in message.get_payload() if message.is_multipart() else ():
        assert isinstance(part, Message)
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None or not isinstance(name, str):
            raise BodyError("External data (files of a form) is not served by the embedded ClickHouse.")
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        fields[name] = payload.decode()
    return fields
