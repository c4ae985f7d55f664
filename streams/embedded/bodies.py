"""Request and response bodies of the embedded ClickHouse: read whole, packed and unpacked piece by piece.

A body is taken off the connection before anything is done with it, to memory up to 16 MiB and to a file above, so that
a client that goes away in the middle leaves nothing half inserted and a large insert does not fill the memory.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from io import BufferedIOBase
from typing import IO, Any

import lz4.frame
from backports import zstd

from streams.errors import DeskwatchError

PIECE = 1 << 20
_IN_MEMORY = 16 << 20

_DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "deflate": zlib.decompressobj,
}
_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "zstd": lambda data: zstd.compress(data, level=1),
    "gzip": lambda data: gzip.compress(data, compresslevel=1),
}


class BodyError(DeskwatchError, ValueError):
    """A body that cannot be read; the message is for the client."""


def receive(stream: BufferedIOBase, headers: Message) -> IO[bytes]:
    """Takes the whole body off the connection; returns it as a file at its beginning.

    Raises ConnectionError if the client goes away before the end.
    """
    body: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  the caller closes it
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        while size := _chunk_size(stream):
            _copy(stream, body, size)
            stream.readline()
        while stream.readline().strip():  # trailers
            pass
    else:
        _copy(stream, body, int(headers.get("Content-Length") or 0))
    body.seek(0)
    return body


def _chunk_size(stream: BufferedIOBase) -> int:
    line = stream.readline()
    if not line:
        raise ConnectionError("the client went away in the middle of a request")
    try:
        return int(line.split(b";")[0], 16)
    except ValueError:
        raise BodyError("a chunk of the request body has no size.") from None


def _copy(source: BufferedIOBase, target: IO[bytes], size: int) -> None:
    while size:
        piece = source.read(min(size, PIECE))
        if not piece:
            raise ConnectionError("the client went away in the middle of a request")
        target.write(piece)
        size -= len(piece)


def unpacked(body: IO[bytes], encoding: str) -> Iterator[bytes]:
    """The body's bytes in pieces, decompressed by `Content-Encoding`.

    A body may be several frames one after the other (clickhouse-connect sends one a block of rows); every frame counts,
    and a last frame that is cut off is an error. Raises BodyError.
    """
    pieces = iter(lambda: body.read(PIECE), b"")
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in _DECOMPRESSORS:
        known = ", ".join(_DECOMPRESSORS)
        raise BodyError(f"Content-Encoding {encoding!r} is not known here; known are {known}.")
    new = _DECOMPRESSORS[encoding]
    frame, inside = new(), False
    for piece in pieces:
        data = piece
        while data:
            try:
                out = frame.decompress(data)
            except (RuntimeError, zlib.error, zstd.ZstdError, EOFError) as error:
                raise BodyError(f"The request body is not valid {encoding}: {error}.") from None
            if out:
                yield out
            data, inside = b"", True
            if frame.eof:
                data, frame, inside = frame.unused_data or b"", new(), False
    if inside:
        raise BodyError(f"The request body ends in the middle of a {encoding} frame.")


def packed(data: bytes, accept_encoding: str) -> tuple[bytes, str | None]:
    """The answer compressed by the first encoding of `Accept-Encoding` that is known, and that encoding's name."""
    for encoding in accept_encoding.replace(" ", "").split(","):
        name = encoding.split(";")[0]
        if name in _COMPRESSORS:
            return _COMPRESSORS[name](data), name
    return data, None


def form_fields(body: IO[bytes], content_type: str) -> dict[str, str]:
    """The text fields of a multipart/form-data body: clickhouse-connect sends long parameters so. Raises BodyError."""
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body.read())
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
