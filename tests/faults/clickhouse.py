"""The embedded ClickHouse with faults: `python -m tests.faults.clickhouse --path DIR --port PORT --fault FILE`.

FILE names the fault that each INSERT meets while the file exists; queries are answered as usual. With `away` in it, the
server does not start until the file is removed.

The full disk is the engine's own check, not a full disk of this machine: the setting
`min_free_disk_bytes_to_perform_insert` asks for more free bytes than any disk has.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from streams.embedded import clickhouse
from streams.embedded.clickhouse import Disconnect, Server
from streams.embedded.database import Answer, QueryError
from streams.embedded.requests import Request

AWAY = "away"
SLOWLY = 256 << 10  # bytes a second


class FaultyServer(Server):
    """A server whose inserts meet the fault that a file names."""

    fault_file: Path

    def fault(self) -> str:
        """The fault in force, '' if none is."""
        try:
            return self.fault_file.read_text()
        except FileNotFoundError:
            return ""

    def answer(self, request: Request) -> Answer:
        """The answer of the database, or what the fault makes of it."""
        fault = self.fault()
        if not fault or not _inserts(request):
            return super().answer(request)
        if fault == "drop_before":
            raise Disconnect
        if fault == "drop_after":
            super().answer(request)
            raise Disconnect
        if fault == "clickhouse_500":
            raise QueryError(1001, "Code: 1001. DB::Exception: a fault of the fault suite. (STD_EXCEPTION)")
        if fault == "clickhouse_503":
            raise QueryError(202, "Code: 202. DB::Exception: a fault of the fault suite. (TEST)")  # its status is 503
        if fault == "disk_full":
            request.parameters["min_free_disk_bytes_to_perform_insert"] = str(1 << 60)
        return super().answer(request)

    async def pieces(self, request: web.BaseRequest) -> AsyncIterator[bytes]:
        """The body, slowly if need be."""
        slow = self.fault() == "slow_reader"
        async for piece in super().pieces(request):
            if slow:
                await asyncio.sleep(len(piece) / SLOWLY)
            yield piece


def _inserts(request: Request) -> bool:
    head = request.body.read(200)
    request.body.seek(0)
    return b"INSERT" in (request.parameters.get("query", "").encode() + head).upper()


def main() -> int:
    """Serve until SIGTERM, as the embedded ClickHouse does."""
    parser = argparse.ArgumentParser(prog="tests.faults.clickhouse")
    parser.add_argument("--fault", type=Path, required=True)
    options, rest = parser.parse_known_args()
    FaultyServer.fault_file = options.fault
    while options.fault.exists() and options.fault.read_text() == AWAY:
        time.sleep(0.05)
    clickhouse.Server = FaultyServer  # type: ignore[misc]
    return clickhouse.main(rest)


if __name__ == "__main__":
    sys.exit(main())
