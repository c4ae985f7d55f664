"""The embedded ClickHouse with faults: `python -m tests.faults.clickhouse --path DIR --port PORT --fault FILE`.

FILE names the fault that each INSERT meets while the file exists; queries are answered as usual. With `away` in it, the
server does not start until the file is removed.

The full disk is the engine's own check, not a full disk of this machine: the setting
`min_free_disk_bytes_to_perform_insert` asks for more free bytes than any disk has.
"""

import argparse
import sys
import time
from email.message import Message
from pathlib import Path
from typing import IO, Any

from streams.embedded import clickhouse
from streams.embedded.clickhouse import Disconnect, Request, Server
from streams.embedded.database import Answer, QueryError

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
            raise QueryError(503, "Service unavailable")
        if fault == "disk_full":
            request.parameters["min_free_disk_bytes_to_perform_insert"] = str(1 << 60)
        return super().answer(request)


def _inserts(request: Request) -> bool:
    head = request.body.read(200)
    request.body.seek(0)
    return b"INSERT" in (request.parameters.get("query", "").encode() + head).upper()


class _SlowReader:
    """Reads a connection slowly."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        found = self.file.read(size)
        time.sleep(len(found) / SLOWLY)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class _Handler(clickhouse._Handler):
    server: FaultyServer
    headers: Message

    def do_POST(self) -> None:
        """Answer, slowly if need be."""
        connection = self.rfile
        if self.server.fault() == "slow_reader":
            self.rfile = _SlowReader(connection)  # type: ignore[assignment, arg-type]
        try:
            super().do_POST()
        finally:
            self.rfile = connection

    def _refuse(self, status: int, code: int, message: str) -> None:
        super()._refuse(code if code == 503 else status, code, message)


def main() -> int:
    """Serve until SIGTERM, as the embedded ClickHouse does."""
    parser = argparse.ArgumentParser(prog="tests.faults.clickhouse")
    parser.add_argument("--fault", type=Path, required=True)
    options, rest = parser.parse_known_args()
    FaultyServer.fault_file = options.fault
    while options.fault.exists() and options.fault.read_text() == AWAY:
        time.sleep(0.05)
    clickhouse.Server, clickhouse._Handler = FaultyServer, _Handler  # type: ignore[misc]
    return clickhouse.main(rest)


if __name__ == "__main__":
    sys.exit(main())
