"""A produce request that is joined once has the bytes of one that aiokafka joins."""

from typing import Any

import pytest
from aiokafka.protocol import produce
from aiokafka.protocol.types import Schema

from streams.produce_request import Joined

VERSIONS = [getattr(produce, f"ProduceRequest_v{version}") for version in range(9)]
TOPICS = [
    ("facts", [(0, bytearray(b"a batch")), (3, b"")]),
    ("sla-ledger", [(1, memoryview(b"another"))]),
    ("风险", []),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("topics", [TOPICS, [], None])
@pytest.mark.parametrize("transactional_id", ["t", None])
def test_the_bytes_are_those_of_aiokafka(version: Any, topics: Any, transactional_id: str | None) -> None:
    values = {"transactional_id": transactional_id, "required_acks": -1, "timeout": 40_000, "topics": topics}
    item = [values[name] for name in version.SCHEMA.names]
    usual = Schema(*zip(version.SCHEMA.names, version.SCHEMA.fields, strict=True))
    if topics:
        plain = [(topic, [(n, bytes(batch)) for n, batch in batches]) for topic, batches in topics]
        expected = usual.encode([plain if name == "topics" else values[name] for name in version.SCHEMA.names])
    else:
        expected = usual.encode(item)
    assert Joined(version.SCHEMA).encode(item) == expected
