"""Request and response bodies of the embedded ClickHouse: read whole, compressed and decompressed.

A body is read completely before use, into memory up to 16 MiB, and into a file above that. So a disconnecting client
leaves no partial insert, and a large insert does not fill the memory.
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

PIECE_BYTES = 1 << 20
_MAX_BYTES_IN_MEMORY = 16 << 20

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
    """A body that cannot be read; the text is for the client."""


def receive(stream: BufferedIOBase, headers: Message) -> IO[bytes]:
    """Reads the whole body from the connection; returns it as a file, at its beginning.

    Raises ConnectionError if the client disconnects before the end.
    """
    body: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_MAX_BYTES_IN_MEMORY)  # noqa: SIM115  the caller closes it
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
        piece = source.read(min(size, PIECE_BYTES))
        if not piece:
            raise ConnectionError("the client went away in the middle of a request")
        target.write(piece)
        size -= len(piece)


def decompressed(body: IO[bytes], encoding: str) -> Iterator[bytes]:
    """The bytes of the body in pieces, decompressed by `Content-Encoding`.

    A body may be several frames in a row (clickhouse-connect sends one for each block of rows); every frame counts, and
    a truncated last frame is an error. Raises BodyError.
    """
    pieces = iter(lambda: body.read(PIECE_BYTES), b"")
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
