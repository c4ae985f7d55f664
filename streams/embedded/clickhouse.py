"""ClickHouse's HTTP interface over chDB: `python -m streams.embedded.clickhouse --path DIR --port PORT`.

To the sink, the board, `deskwatch sql`, BI tools and Grafana it is a ClickHouse server on loopback. It implements the
part of the interface that they use: POST and (read-only) GET, `query`, `database`, settings, `param_*`, sessions,
compression both ways, `X-ClickHouse-Summary` with the number of rows written, ClickHouse's error codes. Without a
password any local user may query it, so requests that a web page may have sent (a foreign `Origin` or `Host`) are
refused.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hmac
import json
import signal
import sys
import threading
import uuid
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from streams.embedded.bodies import BodyError, compressed, decompressed, form_fields, receive
from streams.embedded.database import Answer, Database, DatabaseInUse, Query, QueryError
from streams.errors import DeskwatchError

HOST = "127.0.0.1"
_LOOPBACK = {"127.0.0.1", "localhost", "::1", ""}
# Parameters of the HTTP interface that are no settings (ClickHouse's HTTPHandler.cpp, `reserved_param_names`).
_NOT_SETTINGS = {
    "query", "database", "session_id", "session_timeout", "session_check", "query_id", "user", "password", "compress",
    "decompress", "default_format", "client_protocol_version", "wait_end_of_query", "enable_http_compression",
    "quota_key", "role", "buffer_size", "stacktrace", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
# ClickHouse's exceptionCodeToHTTPStatus; every other code is a 500.
_STATUS = {
    **dict.fromkeys((6, 25, 26, 27, 33, 38, 41, 42, 43, 53, 62, 69, 70, 72, 117, 130, 131), 400),
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 81, 115), 404),
    **dict.fromkeys((192, 193, 497, 516), 403),
    **{159: 408, 48: 501},
}  # fmt: skip


class Disconnect(DeskwatchError):
    """Ends the connection without an answer, like a dying server."""


class Request(NamedTuple):
    """A request as received."""

    method: str
    parameters: dict[str, str]
    headers: Message
    body: IO[bytes]


class Server(ThreadingHTTPServer):
    """The HTTP server of one database. Tests subclass it and override `answer` to inject faults.

    Port 0 selects a free one (see `url`). Raises DatabaseInUse, OSError if the port is taken.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path, port: int = 0, *, user: str = "default", password: str = "") -> None:
        super().__init__((HOST, port), _Handler)
        try:
            self._database = Database(path)
        except BaseException:
            self.server_close()
            raise
        self._user, self._password = user, password
        self.url = f"http://{HOST}:{self.server_address[1]}"

    def answer(self, request: Request) -> Answer:
        """The answer of the database to a request. Raises QueryError, BodyError."""
        if request.method == "GET" and not request.parameters.get("query"):
            raise QueryError(62, "Code: 62. DB::Exception: A GET request needs the parameter query. (SYNTAX_ERROR)")
        return self._database.run(_query(request))

    def check_access(self, headers: Message, parameters: dict[str, str]) -> None:
        """Raises QueryError 516 for a wrong user or password, or for a request from a web page."""
        origin, host = headers.get("Origin"), headers.get("Host", "")
        if (origin and urlsplit(origin).hostname not in _LOOPBACK) or urlsplit(f"//{host}").hostname not in _LOOPBACK:
            raise _denied("the embedded ClickHouse serves this machine only, and no web pages")
        if self._password:
            user, password = _credentials(headers, parameters)
            same = hmac.compare_digest(password.encode(), self._password.encode())
            if not same or user != self._user:
                raise _denied(f"{user}: Authentication failed: password is incorrect, or there is no such user")

    def start(self) -> Server:
        """Serves in a separate thread until `stop`."""
        threading.Thread(target=self.serve_forever, name="clickhouse", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stops serving, waits for the running statement and closes the database."""
        self.shutdown()
        self.server_close()
        self._database.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores a client that disconnected; logs any other error."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _denied(why: str) -> QueryError:
    return QueryError(516, f"Code: 516. DB::Exception: {why}. (AUTHENTICATION_FAILED)")


def _credentials(headers: Message, parameters: dict[str, str]) -> tuple[str, str]:
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password
    user = headers.get("X-ClickHouse-User") or parameters.get("user") or "default"
    return user, headers.get("X-ClickHouse-Key") or parameters.get("password") or ""


def _query(request: Request) -> Query:
    """The statement of a request: the parameter `query`, then the body, as ClickHouse joins them."""
    parameters = dict(request.parameters)
    if parameters.get("decompress") == "1":
        raise BodyError("decompress=1 (ClickHouse's own framing) is not served here; use Content-Encoding.")
    content_type = request.headers.get("Content-Type", "")
    if content_type.startswith("multipart/form-data"):
        parameters |= form_fields(request.body, content_type)  # this reads the body to its end
    rows = decompressed(request.body, request.headers.get("Content-Encoding", "").strip().lower())
    text = parameters.get("query", "")
    first = (text.encode() + b"\n",) if text else ()
    names = [name for name in parameters if name not in _NOT_SETTINGS]
    try:
        session_s = min(float(parameters.get("session_timeout", 60)), 3600.0)
    except ValueError:
        raise BodyError("session_timeout is not a number of seconds.") from None
    return Query(
        pieces=(piece for source in (first, rows) for piece in source),
        database=parameters.get("database", ""),
        default_format=parameters.get("default_format") or request.headers.get("X-ClickHouse-Format") or "TabSeparated",
        settings={name: parameters[name] for name in names if not name.startswith("param_")},
        parameters={name[6:]: parameters[name] for name in names if name.startswith("param_")},
        session=parameters.get("session_id", ""),
        session_s=session_s,
        read_only=request.method == "GET",
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: with Nagle's algorithm each answer waits 40 ms
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: statements are private to the clients."""

    def do_GET(self) -> None:
        if urlsplit(self.path).path in ("/ping", "/replicas_status"):
            self._reply(200, b"Ok.\n")
        else:
            self.do_POST()

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        parameters = dict(parse_qsl(url.query, keep_blank_values=True))
        with receive(self.rfile, self.headers) as body:
            try:
                self.server.check_access(self.headers, parameters)
                answer = self.server.answer(Request(self.command, parameters, self.headers, body))
            except Disconnect:
                self.close_connection = True
                return
            except QueryError as error:
                self._refuse(_STATUS.get(error.code, 500), error.code, str(error))
                return
            except (BodyError, UnicodeDecodeError) as error:
                self._refuse(400, 36, f"Code: 36. DB::Exception: {error} (BAD_ARGUMENTS)")
                return
        self._answer(answer, parameters)

    def _answer(self, answer: Answer, parameters: dict[str, str]) -> None:
        summary = {
            "read_rows": str(answer.read_rows),
            "written_rows": str(answer.written_rows),
            "result_rows": str(answer.read_rows),
            "elapsed_ns": str(answer.elapsed_ns),
        }
        headers = {
            "X-ClickHouse-Query-Id": parameters.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Timezone": "UTC",
            "X-ClickHouse-Summary": json.dumps(summary),
            "Content-Type": "text/plain; charset=UTF-8",
        }
        if answer.format:
            headers["X-ClickHouse-Format"] = answer.format
        data = answer.data
        if data and parameters.get("enable_http_compression") == "1":
            data, encoding = compressed(data, self.headers.get("Accept-Encoding", ""))
            if encoding:
                headers["Content-Encoding"] = encoding
        self._reply(200, data, headers)

    def _refuse(self, status: int, code: int, message: str) -> None:
        headers = {"X-ClickHouse-Exception-Code": str(code), "Content-Type": "text/plain; charset=UTF-8"}
        self._reply(status, message.encode() + b"\n", headers)

    def _reply(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main(argv: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; prints the address as the first line. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="streams.embedded.clickhouse", description="ClickHouse over HTTP on loopback."
    )
    parser.add_argument("--path", type=Path, required=True, help="the data directory")
    parser.add_argument("--port", type=int, default=8123, help="0: any free one")
    parser.add_argument("--user", default="default")
    parser.add_argument("--password-file", type=Path, help="a file that holds the password; absent: none is asked for")
    options = parser.parse_args(argv)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        password = options.password_file.read_text().strip() if options.password_file else ""
        server = Server(options.path, options.port, user=options.user, password=password)
    except DatabaseInUse as error:
        print(f"{error} Stop that one first, or name another --path.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"ClickHouse cannot start on {HOST}:{options.port}: {error.strerror or error}.", file=sys.stderr)
        return 1
    server.start()
    print(server.url, flush=True)
    ended.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
