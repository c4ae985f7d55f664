"""Common settings and fixtures of all tests.

Property examples have no deadline, since a slow machine is not a fault of the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.embedded.faulty import FaultyServer

settings.register_profile("deskwatch", deadline=None)
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
