"""Migrated databases on the real ClickHouse of a test module."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import migrate
from tests.embedded.faulty import FaultyServer
from tests.sinks.desk import Database

_numbers = count()


@pytest.fixture(scope="module")
def new_database(server: FaultyServer) -> Iterator[Callable[[], Database]]:
    """Makes an empty database."""
    clients = []

    def new() -> Database:
        client = connect(server.url, password=server.password)
        clients.append(client)
        name = f"desk{next(_numbers)}"
        migrate(client, name)
        return Database(client, name)

    yield new
    for client in clients:
        client.close()


@pytest.fixture
def database(new_database: Callable[[], Database]) -> Database:
    return new_database()
