"""A ClickHouse client for the database of a data directory, with or without a running stack."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sinks.clickhouse.client import Client, connect
from streams.embedded import NotInstalled
from streams.embedded.directory import USER, Directory, DirectoryInUse
from streams.errors import UserError

_PATIENCE_S = 30.0
"""How long to wait for another process that uses the database without a stack."""


class NoDatabase(UserError):
    """There is no embedded database in a data directory."""


@contextmanager
def client_of(data: Path, database: str) -> Iterator[Client]:
    """A client of the embedded ClickHouse of `data`: the running one, or a temporary one in this process.

    Raises NoDatabase, NotInstalled, NotPrivate, DirectoryInUse (another process uses the database, without a stack).
    """
    directory = Directory(data)
    if not directory.clickhouse.is_dir():
        raise NoDatabase(f"There is no embedded database in {data}: `deskwatch demo` and `replay --embedded` make one.")
    until = time.monotonic() + _PATIENCE_S
    while True:
        if addresses := directory.addresses():
            client = connect(addresses["clickhouse"], user=USER, password=directory.password(), database=database)
            break
        try:
            directory.take(patience_s=0.2)
        except DirectoryInUse:
            if time.monotonic() > until:
                raise
            continue
        try:
            with _started(directory, database) as client:
                yield client
        finally:
            directory.release()
        return
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _started(directory: Directory, database: str) -> Iterator[Client]:
    try:
        from streams.embedded.clickhouse import Server
        from streams.embedded.database import DatabaseInUse
    except ModuleNotFoundError as error:
        raise NotInstalled(error) from error
    try:
        server = Server(directory.clickhouse, password=directory.password()).start()
    except DatabaseInUse as error:
        raise DirectoryInUse(f"{error} Stop that one first.") from error
    try:
        client = connect(server.url, user=USER, password=server.password, database=database)
        try:
            yield client
        finally:
            client.close()
    finally:
        server.stop()
