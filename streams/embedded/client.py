"""The ClickHouse of a data directory, with or without a running stack: its address and password, or a client of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from sinks.clickhouse import rebuild
from sinks.clickhouse.client import Client, connect
from streams.embedded import NotInstalled
from streams.embedded.directory import USER, Directory, DirectoryInUse
from streams.errors import UserError

_PATIENCE_S = 30.0
"""How long to wait for another process that uses the database without a stack."""


class NoDatabase(UserError):
    """There is no embedded database in a data directory."""


class Access(NamedTuple):
    """What a client of an embedded ClickHouse needs."""

    url: str
    user: str
    password: str


@contextmanager
def client_of(data: Path, database: str) -> Iterator[Client]:
    """A client of the embedded ClickHouse of `data`: the running one, or a temporary one in this process.

    Raises as `access_of`.
    """
    with (
        access_of(data, database) as access,
        closing(connect(access.url, user=access.user, password=access.password, database=database)) as client,
    ):
        yield client


@contextmanager
def access_of(data: Path, database: str, *, publish: bool = False) -> Iterator[Access]:
    """The embedded ClickHouse of `data`: the running one, or a temporary one in this process.

    A temporary one first ends a rebuild of `database` that was interrupted. `publish`: other commands may use it, too;
    else they wait for its end.

    Raises NoDatabase, NotInstalled, NotPrivate, DirectoryInUse (another process uses the database, without a stack).
    """
    directory = Directory(data)
    if not directory.clickhouse.is_dir():
        raise NoDatabase(f"There is no embedded database in {data}: `deskwatch demo` and `replay --embedded` make one.")
    until = time.monotonic() + _PATIENCE_S
    while True:
        if addresses := directory.addresses():
            yield Access(addresses["clickhouse"], USER, directory.password())
            return
        try:
            directory.take(patience_s=0.2)
            break
        except DirectoryInUse:
            if time.monotonic() > until:
                raise
    try:
        with _started(directory) as access:
            with closing(connect(access.url, user=access.user, password=access.password)) as client:
                rebuild.resume(client, database)
            if publish:
                directory.publish({"clickhouse": access.url})
            yield access
    finally:
        directory.release()


@contextmanager
def _started(directory: Directory) -> Iterator[Access]:
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
        yield Access(server.url, USER, server.password)
    finally:
        server.stop()
