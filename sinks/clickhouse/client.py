"""ClickHouse clients, created only here, so that all behave the same."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.httputil import get_pool_manager

# The driver logs the traceback of each error that it raises; where the error is caught, one sentence is logged.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns at every attempt while a server is down

Client = Any  # clickhouse_connect has no stable public name for its client


def connect(url: str, *, user: str = "default", password: str = "", database: str = "default") -> Client:
    """A client for one thread; the caller closes it. Raises clickhouse_connect's OperationalError if no server answers.

    It has no session, so that requests of several clients do not wait for one another, and a separate connection pool,
    so that no proxy of the environment is used.
    """
    at = urlsplit(url)
    client = clickhouse_connect.get_client(
        interface=at.scheme,
        host=at.hostname,
        port=at.port,
        username=user,
        password=password,
        database=database,
        autogenerate_session_id=False,
        show_clickhouse_errors="scrub",
        pool_mgr=get_pool_manager() if at.scheme == "http" else None,
    )
    close = client.close

    def close_with_connections() -> None:
        # clickhouse-connect 1.12.0 leaves open the connections of a pool passed in: it owns only those that it makes
        # (driver/httpclient.py:156, 162; driver/_backend/http_sync.py:440).
        client.close_connections()
        close()

    client.close = close_with_connections
    return client


def in_one_line(error: Exception) -> str:
    """The message of ClickHouse in one line, without the preamble of the driver."""
    return " ".join(str(error).partition("server response: ")[2].split()) or " ".join(str(error).split())
