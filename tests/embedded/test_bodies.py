"""Bodies are read whole, frame by frame, or refused."""

from __future__ import annotations

import asyncio
import gzip
import io
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import lz4.frame
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from streams.embedded.bodies import (
    MAX_BODY_BYTES,
    MAX_UNPACKED_BYTES,
    PIECE_BYTES,
    BodyError,
    TooLarge,
    compressed,
    decompressed,
    receive,
)

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


def received(pieces: list[bytes], declared: int | None = None) -> bytes:
    async def come() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    with asyncio.run(receive(come(), declared)) as body:
        return body.read()


def test_the_pieces_of_a_body_are_joined() -> None:
    assert received([b"abc", b"de"]) == b"abcde"


def test_a_body_that_says_it_is_too_large_is_refused_before_its_first_byte() -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("a byte was asked for")
        yield b""

    with pytest.raises(TooLarge, match="256 MiB"):
        asyncio.run(receive(never(), MAX_BODY_BYTES + 1))


def test_a_body_that_grows_too_large_is_refused() -> None:
    with pytest.raises(TooLarge):
        received([bytes(1 << 20)] * 257)


@pytest.mark.parametrize("encoding", sorted(PACK))
def test_a_small_body_does_not_unpack_to_any_size(encoding: str) -> None:
    """A frame of zeros, a thousandth of its size or less: unpacking stops at the limit, and takes little memory."""
    bomb = PACK[encoding](bytes(64 << 20)) * (MAX_UNPACKED_BYTES // (64 << 20) + 1)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            assert max(map(len, decompressed(io.BytesIO(bomb), encoding))) <= PIECE_BYTES
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
