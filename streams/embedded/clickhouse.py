"""ClickHouse's HTTP interface over chDB: `python -m streams.embedded.clickhouse --path DIR --port PORT …`.

To the sink, the board, `deskwatch sql`, BI tools and Grafana it is a ClickHouse server on loopback. It implements the
part of the interface that they use: POST and (read-only) GET, `query`, `database`, settings, `param_*`, sessions,
compression both ways, `X-ClickHouse-Summary` with the number of rows written, ClickHouse's error codes.

Before a byte of the body is read: whether a web page sent it (:mod:`streams.loopback`), and the password. Every request
has limits of size, time and idle time; a statement ends when its client leaves.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from streams import loopback
from streams.embedded.bodies import TooLarge, compressed, receive
from streams.embedded.database import Answer, Database, DatabaseInUse, QueryError, refused
from streams.embedded.directory import USER
from streams.embedded.limits import STATEMENT_S
from streams.embedded.private import new_password, read_password
from streams.embedded.requests import PLAIN, Request, credentials, head_of, head_of_error, query_of, status_of
from streams.errors import DeskwatchError, UserError

HOST = loopback.HOST
MAX_CONNECTIONS = 100
MAX_STATEMENTS = 8
"""Statements that run at a time; others wait."""
WAIT_S = 30.0
"""How long one waits for its turn."""
IDLE_S = 30.0
"""How long a connection may stand still: before a request is whole, in its body, in its answer."""
RECEIVE_S = 600.0
_MAX_ADDRESS_BYTES = 64 << 10  # the statement of an INSERT, with its columns, is in the address
_MAX_HEADER_BYTES = 16 << 10
_PIECE_BYTES = 256 << 10


class Disconnect(DeskwatchError):
    """Ends the connection without an answer, like a dying server."""


class Server:
    """The HTTP server of one database. Tests subclass it and override `answer` to inject faults.

    Port 0 selects a free one (see `url`). Raises DatabaseInUse, OSError if the port is taken.
    """

    def __init__(self, path: Path, port: int = 0, *, password: str | None = None) -> None:
        self._socket = socket.create_server((HOST, port), backlog=MAX_CONNECTIONS)
        try:
            self._database = Database(path)
        except BaseException:
            self._socket.close()
            raise
        self.password = password or new_password()
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="clickhouse", daemon=True)
        self._threads = ThreadPoolExecutor(MAX_STATEMENTS, "statement")
        self._turns = asyncio.Semaphore(MAX_STATEMENTS)
        self._ending: set[asyncio.Task[None]] = set()  # asyncio keeps no reference

    def answer(self, request: Request) -> Answer:
        """The answer of the database to a request. Raises QueryError, BodyError."""
        return self._database.run(query_of(request))

    def check_access(self, request: web.BaseRequest, parameters: dict[str, str]) -> None:
        """Raises QueryError 516 for a wrong user or password."""
        user, password = credentials(request.headers, parameters)
        if not hmac.compare_digest(password.encode(), self.password.encode()) or user != USER:
            what = "Authentication failed: password is incorrect, or there is no such user"
            raise refused(516, what, "AUTHENTICATION_FAILED")

    def pieces(self, request: web.BaseRequest) -> AsyncIterator[bytes]:
        """The body as it comes in. Raises TimeoutError if it stands still."""
        return _pieces(request)

    def start(self) -> Server:
        """Serves in a separate thread until `stop`."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def stop(self) -> None:
        """Stops serving, ends the running statements and closes the database."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._socket.close()
        self._database.close()
        self._threads.shutdown()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    # ---- in the loop's thread -------------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._http = _Http(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=IDLE_S,
            lingering_time=1.0,
            max_line_size=_MAX_ADDRESS_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )
        self._listener = await self._loop.create_server(self._http, sock=self._socket)

    async def _close(self) -> None:
        self._listener.close()
        self._http.pre_shutdown()
        for connection in self._http.connections:
            connection.force_close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if (why := loopback.refusal_of(request.headers)) is not None:
            return _last(403, f"{why}\n".encode(), {})
        url = urlsplit(request.raw_path)
        if request.method == "GET" and url.path in ("/ping", "/replicas_status"):
            return web.Response(body=b"Ok.\n", headers=PLAIN)
        if request.method not in ("GET", "POST"):
            return _last(405, b"GET and POST are served here.\n", {"Allow": "GET, POST"})
        try:
            parameters = dict(parse_qsl(url.query, keep_blank_values=True, max_num_fields=500))
            self.check_access(request, parameters)
            return await self._serve(request, parameters)
        except Disconnect:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None
        except QueryError as error:
            return _refusal(request, status_of(error), error)
        except TooLarge as error:
            return _refusal(request, 413, refused(307, str(error), "TOO_MANY_BYTES"))
        except TimeoutError:
            return _refusal(request, 408, refused(159, "The request stood still", "TIMEOUT_EXCEEDED"))
        except ValueError as error:  # a BodyError, or an address with too many parameters
            return _refusal(request, 400, refused(36, str(error), "BAD_ARGUMENTS"))

    async def _serve(self, request: web.BaseRequest, parameters: dict[str, str]) -> web.StreamResponse:
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async with asyncio.timeout(RECEIVE_S):
            body = await receive(self.pieces(request), request.content_length)
        received = Request(request.method, parameters, request.headers, body, str(uuid.uuid4()))
        accepts = request.headers.get("Accept-Encoding", "")
        head, data = await self._in_turn(received.id, body, lambda: self._answer(received, accepts))
        response = web.StreamResponse(headers=head)
        response.content_length = len(data)
        await response.prepare(request)
        for at in range(0, len(data), _PIECE_BYTES):
            async with asyncio.timeout(IDLE_S):
                await response.write(data[at : at + _PIECE_BYTES])
        await response.write_eof()
        return response

    async def _in_turn(
        self, id: str, body: IO[bytes], work: Callable[[], tuple[dict[str, str], bytes]]
    ) -> tuple[dict[str, str], bytes]:
        """Runs `work` in a thread, once it is its turn; if the client leaves, ends its statement. Closes the body."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            body.close()
            what = f"{MAX_STATEMENTS} statements have run for {WAIT_S:.0f} s"
            raise refused(202, what, "TOO_MANY_SIMULTANEOUS_QUERIES") from None
        except BaseException:
            body.close()
            raise
        running = self._loop.run_in_executor(self._threads, work)
        running.add_done_callback(lambda _: self._turns.release())
        running.add_done_callback(lambda _: body.close())
        try:
            async with asyncio.timeout(STATEMENT_S + IDLE_S):
                return await asyncio.shield(running)
        except (asyncio.CancelledError, TimeoutError):
            task = self._loop.create_task(self._cancel(id, running))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            raise

    async def _cancel(self, id: str, running: asyncio.Future[Any]) -> None:
        """Ends a statement; repeated, since it may be about to start."""
        while not running.done():
            await self._loop.run_in_executor(None, self._database.cancel, id)
            await asyncio.wait([running], timeout=0.2)
        running.exception()  # nobody waits for it any more

    def _answer(self, request: Request, accepts: str) -> tuple[dict[str, str], bytes]:
        """In a thread of its own: the head and the body of the answer."""
        answer = self.answer(request)
        head, data = head_of(answer, request.parameters.get("query_id", "")), answer.data
        if data and request.parameters.get("enable_http_compression") == "1":
            data, encoding = compressed(data, accepts)
            if encoding:
                head["Content-Encoding"] = encoding
        return head, data


class _Http(web.Server):
    """aiohttp's server with at most MAX_CONNECTIONS connections."""

    def __call__(self) -> Any:
        return super().__call__() if len(self.connections) < MAX_CONNECTIONS else _Full()


class _Full(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


async def _pieces(request: web.BaseRequest) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(IDLE_S):
            piece = await request.content.readany()
        if not piece:
            return
        yield piece


def _refusal(request: web.BaseRequest, status: int, error: QueryError) -> web.Response:
    answer = web.Response(status=status, body=f"{error}\n".encode(), headers=head_of_error(error.code))
    if not request.content.is_eof():
        answer.force_close()
    return answer


def _last(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    """An answer that ends the connection."""
    answer = web.Response(status=status, body=body, headers={**headers, **PLAIN})
    answer.force_close()
    return answer


def main(argv: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; prints the address as the first line. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="streams.embedded.clickhouse", description="ClickHouse over HTTP on loopback."
    )
    parser.add_argument("--path", type=Path, required=True, help="the data directory")
    parser.add_argument("--port", type=int, default=8123, help="0: any free one")
    parser.add_argument("--password-file", type=Path, required=True, help=f"holds the password of the user {USER}")
    options = parser.parse_args(argv)
    os.umask(0o077)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        server = Server(options.path, options.port, password=read_password(options.password_file))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except DatabaseInUse as error:
        print(f"{error} Stop that one first, or name another --path.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"ClickHouse cannot start on {HOST}:{options.port}: {os.strerror(error.errno or 0)}.", file=sys.stderr)
        return 1
    server.start()
    print(server.url, flush=True)
    ended.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
