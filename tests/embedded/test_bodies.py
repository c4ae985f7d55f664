"""Bodies are read whole, frame by frame, or refused."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from email.message import Message

import lz4.frame
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from streams.embedded.bodies import BodyError, compressed, decompressed, receive

PACK: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.decompress,
    "zstd": zstd.decompress,
    "gzip": gzip.decompress,
}


def headers(**fields: str) -> Message:
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


@given(st.sampled_from(sorted(PACK)), st.lists(st.binary(max_size=2000), min_size=1, max_size=5))
def test_every_frame_of_a_body_counts(encoding: str, blocks: list[bytes]) -> None:
    body = b"".join(PACK[encoding](block) for block in blocks)
    assert b"".join(decompressed(io.BytesIO(body), encoding)) == b"".join(blocks)


@pytest.mark.parametrize("encoding", sorted(PACK))
def test_a_body_that_is_cut_off_is_refused(encoding: str) -> None:
    body = PACK[encoding](b"first" * 100) + PACK[encoding](b"second" * 100)[:-5]
    with pytest.raises(BodyError, match=f"middle of a {encoding} frame"):
        list(decompressed(io.BytesIO(body), encoding))


@pytest.mark.parametrize("encoding", sorted(PACK))
def test_a_body_that_is_no_frame_is_refused(encoding: str) -> None:
    with pytest.raises(BodyError, match=encoding):
        list(decompressed(io.BytesIO(b"plain text, and not a frame of anything"), encoding))


def test_an_unknown_encoding_is_refused_by_name() -> None:
    with pytest.raises(BodyError, match="'br' is not known here"):
        list(decompressed(io.BytesIO(b""), "br"))


@pytest.mark.parametrize("encoding", sorted(UNPACK))
def test_an_answer_is_compressed_by_an_encoding_that_the_client_accepts(encoding: str) -> None:
    data, used = compressed(b"answer" * 1000, f"br, {encoding};q=1, gzip")
    assert used == encoding
    assert UNPACK[encoding](data) == b"answer" * 1000


def test_an_answer_to_a_client_without_compression_is_plain() -> None:
    assert compressed(b"answer", "") == (b"answer", None)


def test_the_chunks_of_a_body_are_joined() -> None:
    wire = io.BytesIO(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\nNEXT")
    with receive(wire, headers(Transfer_Encoding="chunked")) as body:
        assert body.read() == b"abcde"
    assert wire.read() == b"NEXT"


@pytest.mark.parametrize(
    ("wire", "fields"), [(b"abc", {"Content_Length": "5"}), (b"5\r\nabc", {"Transfer_Encoding": "chunked"})]
)
def test_a_client_that_disconnects_leaves_no_half_body(wire: bytes, fields: dict[str, str]) -> None:
    with pytest.raises(ConnectionError):
        receive(io.BytesIO(wire), headers(**fields))
