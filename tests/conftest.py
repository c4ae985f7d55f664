"""Common settings and fixtures of all tests.

A slow machine is not a fault of the code: properties have no deadline. What passed once passes again: the examples of
`make test` are the same in every run. `make proof` searches on with others (`--hypothesis-profile=search`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.embedded.faulty import FaultyServer

settings.register_profile("deskwatch", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("deskwatch")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyServer]:
    """An embedded ClickHouse for each test module."""
    pytest.importorskip("chdb")
    from tests.embedded.faulty import FaultyServer

    server = FaultyServer(tmp_path_factory.mktemp("clickhouse"))
    server.start()
    yield server
    server.stop()
