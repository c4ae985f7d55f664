"""The one place where clients of ClickHouse are made, so that all of them behave the same."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.httputil import get_pool_manager

# The driver logs whole tracebacks of errors that it raises as well; whoever catches them says what matters.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
logging.getLogger("urllib3").setLevel(logging.ERROR)  # warns of every try at a server that is away

Client = Any  # clickhouse_connect has no stable public name for its client


def connect(url: str, *, user: str = "default", password: str = "", database: str = "default") -> Client:
    """A client for one thread; close it in the end. Raises clickhouse_connect's OperationalError if nobody answers.

    No session: one request never waits for another, and threads may have clients side by side. A pool of its own: no
    proxy of the environment gets between this machine and its own database.
    """
    at = urlsplit(url)
    return clickhouse_connect.get_client(
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


def in_one_line(error: Exception) -> str:
    """What ClickHouse said, without the driver's preamble and in one line."""
    return " ".join(str(error).partition("server response: ")[2].split()) or " ".join(str(error).split())
