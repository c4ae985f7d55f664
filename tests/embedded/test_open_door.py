"""What a web page, another user or a careless client may try on the embedded ClickHouse, and does not get."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import pytest
from backports import zstd
from clickhouse_connect.driver.exceptions import DatabaseError

from sinks.clickhouse.client import connect
from streams.embedded import clickhouse
from streams.embedded.clickhouse import Server
from streams.embedded.limits import FIXED_TEXTS, FREE_TEXTS
from streams.embedded.statement import REFUSED_FUNCTIONS
from tests.embedded.faulty import FaultyServer, before
from tests.embedded.test_clickhouse import ended, started
from tests.embedded.waiting import until

pytestmark = pytest.mark.embedded

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    client = connect(server.url, password=server.password)
    client.command("CREATE DATABASE IF NOT EXISTS d")
    client.command("CREATE OR REPLACE TABLE d.t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    yield client
    client.close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("a line of a secret file\n")
    return path


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def ask(server: Server, method: str, statement: str, *, key: str | None = None, **more: str) -> tuple[int, Any, bytes]:
    """Status, headers and body. `key`: a wrong password; `more`: headers, or `body`, or `query_id`."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=60)
    query = {"query": statement} | ({"query_id": more.pop("query_id")} if "query_id" in more else {})
    body = more.pop("body", "").encode()
    headers = {"X-ClickHouse-Key": server.password if key is None else key}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    try:
        connection.request(method, f"/?{urlencode(query)}", body, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def raw(server: Server, request: bytes, timeout_s: float = 10.0) -> bytes:
    """What the server answers to these bytes until it ends the connection, or the client has waited long enough."""
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout_s) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
                if b"\r\n\r\n" in answer and b"Connection: close" not in answer:
                    break
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def head(server: Server, *lines: str, method: str = "POST", target: str = "/") -> bytes:
    """A request's head with the password."""
    fields = [f"{method} {target} HTTP/1.1", f"X-ClickHouse-Key: {server.password}", *lines]
    if not any(line.startswith("Host:") for line in lines):
        fields.insert(1, "Host: 127.0.0.1")
    return "\r\n".join([*fields, "", ""]).encode()


# ---- who asks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("key", ["", "wrong"])
def test_nobody_is_answered_without_the_password(server: Server, method: str, key: str) -> None:
    status, headers, body = ask(server, method, "SELECT 1", key=key)
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert "WWW-Authenticate" not in headers  # no browser asks for it, and so none keeps it
    assert b"1\n" not in body.splitlines()


def test_a_password_in_the_address_is_refused_and_not_repeated(server: Server) -> None:
    answer = raw(
        server, f"GET /?query=SELECT+1&password={quote(server.password)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    )
    assert b" 403 " in answer.splitlines()[0]
    assert server.password.encode() not in answer


PAGES = [
    {"Origin": "https://example.org"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:8000"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "same-origin"},
    {"Host": "example.org"},
    {"Host": "127.0.0.1.example.org:80"},
    {"Host": "["},
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: "-".join(*page.items()))
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_web_page_is_answered_even_with_the_password(server: Server, method: str, page: dict[str, str]) -> None:
    status, _, body = ask(server, method, "SELECT 42", **page)
    assert (status, b"42" in body) == (403, False)
    assert body.startswith(b"This address serves ")


def test_a_page_is_not_told_that_a_server_is_there(server: Server) -> None:
    answer = raw(server, b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\n\r\n")
    assert b"Ok." not in answer


@pytest.mark.parametrize("line", ["Origin: https://example.org", "X-ClickHouse-Key: wrong"])
def test_a_refused_request_is_answered_before_a_byte_of_its_body(server: Server, line: str) -> None:
    request = head(server, line, "Content-Length: 100000000000")
    if "Key" in line:
        request = request.replace(f"X-ClickHouse-Key: {server.password}\r\n".encode(), b"")
    assert b" 403 " in raw(server, request).splitlines()[0]


def test_a_body_over_the_limit_is_refused_before_its_first_byte(server: Server) -> None:
    assert b" 413 " in raw(server, head(server, "Content-Length: 100000000000")).splitlines()[0]


def test_a_client_that_waits_for_100_continue_gets_it(server: Server) -> None:
    answer = raw(server, head(server, "Content-Length: 8", "Expect: 100-continue"), 2)
    assert answer == b"HTTP/1.1 100 Continue\r\n\r\n"


# ---- what is asked --------------------------------------------------------------------------------------------------


def test_a_query_id_with_line_breaks_writes_no_header(server: Server) -> None:
    evil = "x\r\nAccess-Control-Allow-Origin: *\r\n\r\n<script>"
    status, headers, body = ask(server, "GET", "SELECT 1", query_id=evil)
    assert (status, body) == (200, b"1\n")
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["X-ClickHouse-Query-Id"] != evil
    assert ask(server, "GET", "SELECT 1", query_id="mine-1.a")[1]["X-ClickHouse-Query-Id"] == "mine-1.a"


def outside(secret: Path) -> list[str]:
    """Statements that would read the secret file, write beside it, start a program or reach another server."""
    path, there = str(secret), str(secret.parent / "written")
    disk = f"disk(type = object_storage, object_storage_type = local, metadata_type = local, path = '{there}/')"
    dictionary = "CREATE DICTIONARY d.x (a UInt64, b String) PRIMARY KEY a LIFETIME(0) LAYOUT(FLAT()) SOURCE"
    return [
        # read
        f"SELECT * FROM file('{path}', 'LineAsString')",
        f"SELECT file('{path}')",
        f"SELECT `file`('{path}')",
        f"SELECT /* x */ FiLe/**/\n('{path}')",
        f"SELECT $a$'$a$, file('{path}'), $a$'$a$",
        f"SELECT ‘'’, file('{path}'), ‘'’",
        f"SELECT '\\'', file('{path}')",
        f"SELECT '''', file('{path}'), ''''",
        f"SELECT 1 -- '\n, file('{path}')",
        f"SELECT 1 #! '\n, file('{path}')",
        f"SELECT * APPLY(file) FROM (SELECT '{path}')",
        f"SELECT arrayMap(x -> file(x), ['{path}'])",
        f"WITH file('{path}') AS x SELECT x",
        f"EXPLAIN SELECT file('{path}')",
        f"SELECT * FROM `{path}`",
        f"SELECT * FROM default.`{path}`",
        f"SELECT * FROM '{path}'",
        f"FROM '{path}' SELECT *",
        f"DESCRIBE TABLE file('{path}')",
        f"SELECT * FROM format(JSONEachRow, 'a Int8, b String DEFAULT file(\\'{path}\\')', '{{\"a\":1}}')",
        f"SELECT * FROM format('JSONEachRow', concat('a Int8, b String DEFAULT f', 'ile(\\'{path}\\')'), '{{}}')",
        f"SELECT * FROM numbers(1), format(JSONEachRow, 'a Int8, b String DEFAULT file(\\'{path}\\')', '{{\"a\":1}}')",
        f"SELECT * FROM values('a Int8, b String DEFAULT file(\\'{path}\\')', (1, 'x'))",
        f"SELECT * FROM format(Values, 'a String', '(file(\\'{path}\\'))')",
        f"INSERT INTO d.t VALUES (1, file('{path}'))",
        f"INSERT INTO d.t (b) SELECT file('{path}')",
        f"INSERT INTO d.t FROM INFILE '{path}' FORMAT LineAsString",
        f"INSERT INTO d.t FROM/**/INFILE '{path}' FORMAT LineAsString",
        f"SELECT 1; INSERT INTO d.t FROM INFILE '{path}' FORMAT LineAsString",
        f"SELECT 1 FORMAT Template SETTINGS format_template_resultset = '{path}'",
        f"SELECT 1 AS a FORMAT Protobuf SETTINGS format_schema = '{path}:A'",
        f"SELECT 1 SETTINGS additional_result_filter = 'file(\\'{path}\\') != \\'\\''",
        f"SELECT * FROM d.t SETTINGS additional_table_filters = {{'d.t': 'file(\\'{path}\\') != \\'\\''}}",
        f"CREATE TABLE d.x (a String DEFAULT file('{path}')) ENGINE = MergeTree ORDER BY a",
        f"CREATE TABLE d.x (a String) ENGINE = File(LineAsString, '{path}')",
        f"CREATE DATABASE x ENGINE = Filesystem('{secret.parent}')",
        f"CREATE DATABASE x ENGINE = URL('file://{secret.parent}/')",
        f"CREATE DATABASE x ENGINE = SQLite('{path}')",
        f"SELECT * FROM sqlite('{path}', 't')",
        f"SELECT * FROM filesystem('{secret.parent}')",
        f"CREATE VIEW d.x AS SELECT * FROM file('{path}', 'LineAsString')",
        f"{dictionary}(FILE(PATH '{path}' FORMAT 'TSV'))",
        "SELECT * FROM python(query)",
        "SELECT * FROM Python(self)",
        # write
        f"SELECT 1 INTO OUTFILE '{there}'",
        f"SELECT 1 INTO/**/OUTFILE '{there}' APPEND",
        f"SELECT 1 INTO OUTFILE '{there}' TRUNCATE FORMAT TSV",
        f"SELECT $$'$$ INTO OUTFILE '{there}'",
        f"INSERT INTO FUNCTION file('{there}', 'LineAsString') SELECT 'x'",
        f"INSERT INTO d.t SETTINGS input_format_record_errors_file_path = '{there}', "
        "input_format_allow_errors_num = 9 FORMAT CSV\nno number",
        f"CREATE TABLE d.x (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = {disk}",
        f"CREATE DATABASE x ENGINE = Atomic SETTINGS disk = {disk}",
        f"ALTER TABLE d.t MODIFY SETTING disk = {disk}",
        f"ATTACH TABLE d.x FROM '{secret.parent}/' (a Int8) ENGINE = MergeTree ORDER BY a",
        f"CREATE TABLE d.y (a Int8) ENGINE = Memory PARALLEL WITH ATTACH TABLE d.x FROM '{secret.parent}/' "
        "(a Int8) ENGINE = MergeTree ORDER BY a",
        f"BACKUP TABLE d.t TO File('{there}')",
        "ALTER TABLE d.t FREEZE WITH NAME 'x'",
        # start a program
        f"{dictionary}(EXECUTABLE(COMMAND 'touch {there}' FORMAT 'TSV'))",
        "SELECT * FROM executable('x.sh', TSV, 'a String')",
        "CREATE TABLE d.x (a String) ENGINE = Executable('x.sh', TSV)",
        "CREATE FUNCTION f AS (a) -> a",
        # reach another server
        "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1:9', 'system', 'one')",
        "SELECT * FROM remoteSecure('127.0.0.1:9', 'system', 'one')",
        "SELECT * FROM s3('http://127.0.0.1:9/bucket/x', 'LineAsString')",
        "SELECT * FROM mysql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
        "CREATE TABLE d.x (a String) ENGINE = URL('http://127.0.0.1:9/', 'TSV')",
        "CREATE TABLE d.x (a String) ENGINE = Kafka('127.0.0.1:9', 't', 'g', 'TSV')",
        "CREATE TABLE d.x (query String) ENGINE = QueryRunner",
        f"{dictionary}(HTTP(URL 'http://127.0.0.1:9/' FORMAT 'TSV'))",
        "CREATE TABLE d.x (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = web, "
        "endpoint = 'http://127.0.0.1:9/')",
        # have more rights
        "CREATE USER x",
        "GRANT ALL ON *.* TO default",
        "SYSTEM SHUTDOWN",
        "SET dialect = 'prql'",
        "SET max_execution_time = 0",
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SELECT 1; SELECT 2",
    ]


OUTSIDE = outside(Path("/x/y"))


@pytest.mark.parametrize("at", range(len(OUTSIDE)), ids=[statement[:60] for statement in OUTSIDE])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_statement_reaches_out_of_the_database(
    server: Server, client: Any, secret: Path, method: str, at: int
) -> None:
    statement = outside(secret)[at]
    status, headers, body = ask(server, method, statement)
    assert status >= 400, body
    assert b"a line of a secret" not in body
    assert int(headers["X-ClickHouse-Exception-Code"]) not in {1000, 210, 279}  # no connection was tried
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]
    assert client.command("SELECT count() FROM d.t") == 0


@pytest.mark.parametrize("format_", ["DataFrame", "ArrowTable", "datastore", "a b", "CSV\n"])
def test_formats_are_names_of_clickhouse_s_formats(server: Server, format_: str) -> None:
    assert ask(server, "POST", "SELECT 1", X_ClickHouse_Format=quote(format_))[0] in {400, 404}


def test_settings_in_the_address_are_held_to_the_same_limits(server: Server, secret: Path) -> None:
    for setting in (
        f"format_template_resultset={secret}",
        "max_execution_time=0",
        "dialect=prql",
        "a%3Bb=1",
        "readonly=0",
    ):
        answer = raw(server, head(server, target=f"/?query=SELECT+1&{setting}", method="GET"))
        refused = {b"500", b"404"} if setting != "readonly=0" else {b"200"}  # of no use: it is 1 afterwards
        assert answer.split()[1] in refused, setting
    write = head(server, "Content-Length: 0", target="/?query=CREATE+DATABASE+f&readonly=0", method="GET")
    assert b"READONLY" in raw(server, write)


WRITES = [
    "CREATE DATABASE e",
    "CREATE TEMPORARY TABLE e (a Int8)",
    "INSERT INTO d.t (a) SELECT 1",
    "INSERT INTO d.t (a) VALUES (1)",
    "DROP TABLE d.t",
    "TRUNCATE TABLE d.t",
    "ALTER TABLE d.t DELETE WHERE 1",
    "OPTIMIZE TABLE d.t FINAL",
    "SELECT 1 SETTINGS readonly = 0",
    "SET readonly = 0",
    "KILL QUERY WHERE 1",
]


@pytest.mark.parametrize("statement", WRITES)
def test_a_get_only_reads(server: Server, client: Any, statement: str) -> None:
    client.command("INSERT INTO d.t (a) VALUES (7)")
    status, headers, _ = ask(server, "GET", statement)
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "164")
    assert client.command("SELECT sum(a) FROM d.t") == 7


def test_what_bi_tools_ask_is_served(client: Any) -> None:
    client.command("INSERT INTO d.t VALUES (1, 'a file (1) on disk(s) -- INTO OUTFILE')")
    served = [
        "SELECT format('{0}-{1}', toString(a), b) FROM d.t",
        "SELECT * FROM d.t WHERE b LIKE '%file (%' OR b = 'OUTFILE' -- why not",
        'SELECT a AS "file", b AS `disk` FROM d.t',
        "WITH x AS (SELECT a FROM d.t) SELECT * FROM x UNION ALL SELECT 2",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT n.number, a FROM numbers(3) AS n LEFT JOIN d.t ON a = n.number",
        "SELECT * FROM view(SELECT 1) SETTINGS max_threads = 1",
        "SELECT name, engine FROM system.tables WHERE engine = 'MergeTree'",
        "SHOW TABLES FROM d LIKE 't'",
        "DESCRIBE TABLE d.t",
        "EXPLAIN SELECT 1",
        "EXISTS TABLE d.t",
        "SHOW CREATE TABLE d.t",
    ]
    for statement in served:
        assert client.query(statement).result_rows, statement


def test_every_table_function_of_the_engine_is_known(client: Any) -> None:
    """A new release of chDB may bring more: each is served on purpose, or refused."""
    served = {
        "cluster", "clusterallreplicas", "format", "generate_series", "generateseries", "loop", "merge",
        "mergetreeanalyzeindexes", "mergetreeanalyzeindexesuuid", "mergetreecodecblockcounts", "mergetreeindex",
        "mergetreeprojection", "mergetreetextindex", "numbers", "numbers_mt", "primes", "view", "viewexplain",
        "viewifpermitted", "zeros", "zeros_mt",
    }  # fmt: skip
    found = {name.lower() for (name,) in client.query("SELECT name FROM system.table_functions").result_rows}
    assert found - REFUSED_FUNCTIONS == served


def test_every_other_name_of_a_refused_function_is_refused(client: Any) -> None:
    found = client.query("SELECT lower(name), lower(alias_to) FROM system.functions WHERE alias_to != ''").result_rows
    assert [name for name, of in found if of in REFUSED_FUNCTIONS and name not in REFUSED_FUNCTIONS] == []
    ai = client.query("SELECT lower(name) FROM system.functions WHERE match(name, '^(ai|AI)[A-Z]')").result_columns[0]
    assert set(ai) <= REFUSED_FUNCTIONS


def test_every_setting_that_is_a_text_is_known(client: Any) -> None:
    """A file, an address or SQL in a text: each is free on purpose, or stands."""
    texts = "SELECT name FROM system.settings WHERE type IN ('String', 'Map', 'URI', 'Dialect') OR type LIKE '%Map%'"
    assert set(client.query(texts).result_columns[0]) == FREE_TEXTS | FIXED_TEXTS


# ---- how much, how long ---------------------------------------------------------------------------------------------


def running(client: Any) -> int:
    found: int = client.command("SELECT count() FROM system.processes WHERE query LIKE '%sipHash64%'") - 1
    return found


def test_an_endless_question_stalls_no_other_and_ends_when_its_client_leaves(server: Server, client: Any) -> None:
    connections = [socket.create_connection(("127.0.0.1", port_of(server))) for _ in range(4)]
    for connection in connections:
        connection.sendall(head(server, method="GET", target=f"/?query={quote(ENDLESS)}"))
    until(lambda: running(client) == 4)
    started = time.monotonic()
    client.command("INSERT INTO d.t (a) VALUES (1)")
    assert client.command("SELECT count() FROM d.t") == 1
    assert time.monotonic() - started < 5
    for connection in connections:
        connection.close()
    until(lambda: running(client) == 0)


def test_a_statement_that_has_waited_in_vain_for_its_turn_is_refused(
    server: Server, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    holders = [socket.create_connection(("127.0.0.1", port_of(server))) for _ in range(clickhouse.MAX_STATEMENTS - 1)]
    for holder in holders:
        holder.sendall(head(server, method="GET", target=f"/?query={quote(ENDLESS)}"))
    until(lambda: running(client) == len(holders))
    monkeypatch.setattr(clickhouse, "WAIT_S", 0.2)
    with socket.create_connection(("127.0.0.1", port_of(server))) as last:
        last.sendall(head(server, method="GET", target=f"/?query={quote(ENDLESS)}"))
        until(lambda: server._turns.locked())
        status, headers, _ = ask(server, "GET", "SELECT 1")
        assert (status, headers["X-ClickHouse-Exception-Code"]) == (503, "202")
    for holder in holders:
        holder.close()
    until(lambda: ask(server, "GET", "SELECT 1")[0] == 200)
    until(lambda: running(client) == 0)


def test_a_client_that_leaves_while_it_waits_for_its_turn_has_no_statement(server: FaultyServer) -> None:
    until(lambda: not server._http.connections)  # those of other tests
    free, statement = threading.Event(), "SELECT 8"
    server.inject(before(free.wait), match=statement, times=clickhouse.MAX_STATEMENTS)
    holders = [socket.create_connection(("127.0.0.1", port_of(server))) for _ in range(clickhouse.MAX_STATEMENTS)]
    try:
        for holder in holders:
            holder.sendall(head(server, method="GET", target=f"/?query={quote(statement)}"))
        until(server._turns.locked)
        with socket.create_connection(("127.0.0.1", port_of(server))) as last:
            last.sendall(head(server, "Content-Length: 8", "Expect: 100-continue"))
            assert last.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            last.sendall(b"SELECT 9")
        # Its connection counts until its request has ended.
        until(lambda: len(server._http.connections) == len(holders), "it still waits", clickhouse.WAIT_S / 3)
    finally:
        free.set()
    assert ask(server, "GET", "SELECT 10")[2] == b"10\n"
    for holder in holders:
        assert holder.recv(15) == b"HTTP/1.1 200 OK"
        holder.close()
    assert server.statements.count(statement) == len(holders)
    assert "SELECT 9" not in server.statements


def test_sigterm_ends_an_endless_question(tmp_path: Path) -> None:
    process, url = started(tmp_path / "db")
    client = connect(url, password="right")
    failed = threading.Event()

    def work() -> None:
        try:
            client.command(ENDLESS)
        except DatabaseError:
            failed.set()

    worker = threading.Thread(target=work)
    worker.start()
    other = connect(url, password="right")
    until(lambda: running(other) == 1)
    asked = time.monotonic()
    assert ended(process, signal.SIGTERM) == 0
    assert time.monotonic() - asked < 5
    worker.join()


def test_memory_time_and_result_of_a_statement_are_limited(server: Server) -> None:
    for sql, code in (
        ("SELECT groupArray(number) FROM numbers(100000000000)", "241"),
        (f"{ENDLESS} SETTINGS max_execution_time = 1", "159"),
        ("SELECT number FROM numbers(200000000)", "396"),
    ):
        status, headers, _ = ask(server, "POST", sql)
        assert (status >= 400, headers["X-ClickHouse-Exception-Code"]) == (True, code), sql


def test_a_small_body_that_unpacks_to_gigabytes_is_refused_in_little_memory(tmp_path: Path) -> None:
    process, url = started(tmp_path / "db")
    try:
        client = connect(url, password="right")
        client.command("CREATE TABLE t (a String) ENGINE = Memory")
        bomb = zstd.compress(bytes(256 << 20)) * 21
        assert len(bomb) < 1 << 20
        with pytest.raises(DatabaseError, match="at most 2048 MiB"):
            client.raw_insert("t", insert_block=bomb, fmt="LineAsString", compression="zstd")
        client.close()
        assert psutil.Process(process.pid).memory_info().rss < 900 << 20
    finally:
        assert ended(process, signal.SIGTERM) == 0


@pytest.mark.parametrize("piece", ["/*", "'", '"', "`", "'a''", "(", "x FORMAT ", "\\'", "--\n", "/**/", "* "])
@pytest.mark.parametrize("start", ["INSERT INTO t ", "SELECT "])
def test_a_long_statement_takes_linear_time_and_stalls_no_other(server: Server, start: str, piece: str) -> None:
    began = time.monotonic()
    ask(server, "POST", "", body=start + piece * ((255 << 10) // len(piece)))
    assert time.monotonic() - began < 3


def test_an_overlong_statement_is_refused(server: Server) -> None:
    status, headers, _ = ask(server, "POST", "", body="SELECT 1 /* " + "x" * (1 << 18) + " */")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (400, "62")


def asks_one(server: Server, address: int = 0, header: int = 0, headers: int = 0) -> bytes:
    """A GET of `SELECT 1` with the password: bytes of its address, bytes of a header, number of headers."""
    target = "/?query=SELECT+1"
    lines = ["Connection: close"] + [f"X: {'a' * (header - 3)}"] * (header > 0) + ["X: a"] * headers
    return head(server, *lines, method="GET", target=target.ljust(address, "+"))


@pytest.mark.parametrize(("part", "size"), [("address", 60_000), ("header", 15_000), ("headers", 100)])
def test_a_head_within_the_limits_is_answered(server: Server, part: str, size: int) -> None:
    answer = raw(server, asks_one(server, **{part: size}))
    assert (answer.splitlines()[0], answer.splitlines()[-1]) == (b"HTTP/1.1 200 OK", b"1")


@pytest.mark.parametrize(("part", "size"), [("address", 100_000), ("header", 100_000), ("headers", 1000)])
def test_a_head_over_the_limits_is_refused(server: Server, part: str, size: int) -> None:
    assert b" 400 " in raw(server, asks_one(server, **{part: size})).splitlines()[0]


def test_the_size_of_a_chunk_has_a_limit(server: Server) -> None:
    request = head(server, "Transfer-Encoding: chunked", target="/?query=SELECT+1") + b"1" * 100_000
    assert b" 400 " in raw(server, request).splitlines()[0]


HALVES = [b"", b"GET / HTTP/1.1\r\nHost: 127", b"Content-Length: 10", b"Transfer-Encoding: chunked"]


def test_half_open_requests_are_ended(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clickhouse, "IDLE_S", 0.5)
    monkeypatch.setitem(server._http._kwargs, "keepalive_timeout", 0.5)
    threads = threading.active_count()
    halves = [
        half if b":" not in half or b"Host" in half else head(server, half.decode()) + b"5\r\n" for half in HALVES
    ]
    connections = [socket.create_connection(("127.0.0.1", port_of(server)), 20) for _ in halves * 10]
    for connection, half in zip(connections, halves * 10, strict=True):
        connection.sendall(half)
    assert threading.active_count() <= threads + 1
    for connection in connections:
        while connection.recv(65536):
            pass
        connection.close()
    assert ask(server, "GET", "SELECT 1")[2] == b"1\n"


def test_connections_have_a_limit(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    until(lambda: not server._http.connections)
    monkeypatch.setattr(clickhouse, "MAX_CONNECTIONS", 5)
    held = [socket.create_connection(("127.0.0.1", port_of(server)), 20) for _ in range(5)]
    held[-1].sendall(head(server, method="GET", target="/ping"))
    assert held[-1].recv(1000)
    with socket.create_connection(("127.0.0.1", port_of(server)), 20) as one_more, suppress(ConnectionResetError):
        assert one_more.recv(1000) == b""
    for connection in held:
        connection.close()
    until(lambda: ask_safely(server) == b"1\n")


def ask_safely(server: Server) -> bytes:
    try:
        return ask(server, "GET", "SELECT 1")[2]
    except (OSError, http.client.HTTPException):
        return b""


def test_a_session_runs_one_statement_at_a_time(server: Server, client: Any) -> None:
    with socket.create_connection(("127.0.0.1", port_of(server))) as first:
        target = f"/?session_id=s&query={quote(ENDLESS)}"
        first.sendall(head(server, "Content-Length: 0", target=target))
        until(lambda: running(client) == 1)
        answer = raw(server, head(server, "Content-Length: 0", target="/?session_id=s&query=SELECT+1"))
        assert b"SESSION_IS_LOCKED" in answer
    until(lambda: running(client) == 0)


def test_the_password_is_in_no_error(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DatabaseError) as refused:
        connect(server.url, password="not-the-password")
    assert "not-the-password" not in str(refused.value) + caplog.text
