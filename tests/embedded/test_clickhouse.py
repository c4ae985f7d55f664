"""The embedded ClickHouse from its clients' view: clickhouse-connect, curl, Grafana."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from sinks.clickhouse.client import connect
from streams.embedded.process import free_port
from tests.embedded.faulty import FaultyServer, drop_after, drop_before, miscount, refuse

pytestmark = pytest.mark.embedded

TABLE = "CREATE OR REPLACE TABLE t (a UInt64, b String, c DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY a"


@pytest.fixture
def client(server: FaultyServer) -> Iterator[Any]:
    client = connect(server.url, password=server.password)
    client.command(TABLE)
    yield client
    client.close()


def call(
    server: FaultyServer, method: str, target: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    named = {"X-ClickHouse-Key": server.password} | {n.replace("_", "-"): value for n, value in headers.items()}
    connection.request(method, target, body, named)
    response = connection.getresponse()
    found = response.status, dict(response.headers), response.read()
    connection.close()
    return found


def rows(client: Any, sql: str, **options: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(sql, **options).result_rows]


def test_every_row_of_a_large_compressed_insert_is_written_and_counted(client: Any) -> None:
    """clickhouse-connect sends such an insert as several frames."""
    n = 300_000
    columns = [list(range(n)), ["x" * 20] * n, [1_767_225_600_123] * n]
    summary = client.insert("t", columns, column_oriented=True, column_names=["a", "b", "c"])
    assert summary.written_rows == n
    assert rows(client, "SELECT count(), sum(a) FROM t") == [(n, n * (n - 1) // 2)]


@pytest.mark.parametrize("compression", [None, "lz4", "zstd", "gzip"])
@pytest.mark.parametrize(
    ("format_", "block"),
    [
        ("JSONEachRow", b'{"a":1,"b":"x","c":"2026-01-02 03:04:05.678"}\n{"a":2}\n'),
        ("JSONCompactEachRow", b'[1,"x","2026-01-02 03:04:05.678"]\n[2,"","1970-01-01 00:00:00"]\n'),
        (
            "RowBinary",
            b"".join(
                a.to_bytes(8, "little") + s + c.to_bytes(8, "little")
                for a, s, c in [(1, b"\x01x", 1767323045678), (2, b"\0", 0)]
            ),
        ),
    ],
)
def test_raw_inserts(client: Any, compression: str | None, format_: str, block: bytes) -> None:
    packed = {None: bytes, "lz4": lz4.frame.compress, "zstd": _zstd, "gzip": _gzip}[compression](block)
    summary = client.raw_insert("t", insert_block=packed, fmt=format_, compression=compression)
    assert summary.written_rows == 2
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    at = dt.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=dt.UTC)
    found = client.query("SELECT a, b, c FROM t ORDER BY a", tz_mode="aware").result_rows
    assert [tuple(row) for row in found] == [(1, "x", at), (2, "", epoch)]


def _zstd(block: bytes) -> bytes:
    from backports import zstd

    return zstd.compress(block)


def _gzip(block: bytes) -> bytes:
    import gzip

    return gzip.compress(block)


def test_an_insert_that_is_refused_leaves_nothing(client: Any) -> None:
    block = b'[1,"x","2026-01-02 03:04:05"]\n' * 1000
    with pytest.raises(DatabaseError) as refused:
        client.raw_insert("t", insert_block=block + b"[2,\n", fmt="JSONCompactEachRow")
    assert refused.value.code in {26, 27, 32, 117}  # as its parallel parser meets it
    cut = lz4.frame.compress(block)[:-4]
    with pytest.raises(DatabaseError, match="middle of a lz4 frame"):
        client.raw_insert("t", insert_block=cut, fmt="JSONCompactEachRow", compression="lz4")
    assert rows(client, "SELECT count() FROM t") == [(0,)]


def test_written_rows_of_other_inserts(client: Any) -> None:
    assert client.command("INSERT INTO t (a) VALUES (1), (2)").written_rows == 2
    assert client.command("INSERT INTO t (a) SELECT number FROM numbers(5)").written_rows == 5
    assert client.command("CREATE TABLE IF NOT EXISTS t2 (a Int8) ENGINE = Memory").written_rows == 0


def test_a_million_rows_come_back_in_blocks(client: Any) -> None:
    count = total = 0
    with client.query_row_block_stream("SELECT number, toString(number) FROM numbers(1000000)") as blocks:
        for block in blocks:
            count += len(block)
            total += sum(row[0] for row in block)
    assert (count, total) == (1_000_000, 499_999_500_000)


def test_parameters_arrive_as_they_were(client: Any) -> None:
    given = {
        "text": "it's a \\ tab\t line\n ü",
        "numbers": [1, 2],
        "at": dt.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=dt.UTC),
        "none": None,
        "long": "x" * 20_000,  # clickhouse-connect sends parameters of this size as a form
    }
    sql = (
        "SELECT {text:String}, {numbers:Array(Int32)}, {at:DateTime64(3, 'UTC')}, {none:Nullable(Int8)}, {long:String}"
    )
    assert client.query(sql, given, tz_mode="aware").result_rows == [tuple(given.values())]


def test_settings_and_databases_of_one_request_do_not_reach_the_next(client: Any) -> None:
    sql = "SELECT getSetting('max_threads'), currentDatabase()"
    plain = rows(client, sql)
    assert rows(client, sql, settings={"max_threads": 7, "database": "system"}) == [(7, "system")]
    assert rows(client, sql) == plain


def test_a_session_keeps_its_temporary_tables_to_itself(server: FaultyServer) -> None:
    def ask(session: str, sql: str) -> tuple[int, bytes]:
        status, _, body = call(server, "POST", f"/?session_id={session}", sql.encode())
        return status, body

    assert ask("one", "CREATE TEMPORARY TABLE mine (a Int8)")[0] == 200
    assert ask("one", "INSERT INTO mine FORMAT TSV\n1\n2")[0] == 200
    assert ask("one", "SELECT sum(a) FROM mine") == (200, b"3\n")
    assert ask("two", "SELECT sum(a) FROM mine")[0] == 404


def test_commands_tell_an_empty_result_from_none(client: Any) -> None:
    assert client.command("SELECT 'a' WHERE 0") == ""
    assert client.command("SELECT 42") == 42
    assert client.query("SELECT 1 AS a LIMIT 0").column_names == ("a",)


@pytest.mark.parametrize(
    ("sql", "code", "status"),
    [
        ("SELECT nope", 47, 404),
        ("SELEC 1", 62, 400),
        ("SELECT * FROM nix", 60, 404),
        ("SELECT throwIf(1)", 395, 500),
        ("SELECT * FROM nix.t", 81, 404),
        ("SELECT 1 SETTINGS nix = 1", 115, 404),
        ("", 62, 400),
        ("INSERT INTO nix FORMAT TSV\n1", 60, 404),
    ],
)
def test_errors_pass_through(server: FaultyServer, sql: str, code: int, status: int) -> None:
    found, headers, body = call(server, "POST", "/", sql.encode())
    assert (found, headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())


def test_a_get_reads_and_writes_nothing(server: FaultyServer) -> None:
    assert call(server, "GET", "/ping")[2] == b"Ok.\n"
    status, headers, body = call(server, "GET", "/?query=SELECT%201%20AS%20a%20FORMAT%20JSONEachRow")
    assert (status, headers["X-ClickHouse-Format"], body) == (200, "JSONEachRow", b'{"a":1}\n')
    assert call(server, "GET", "/?query=SELECT%201&default_format=CSVWithNames")[2] == b'"1"\n1\n'
    for session in ("", "&session_id=s"):
        status, headers, _ = call(server, "GET", f"/?query=CREATE%20DATABASE%20x{session}")
        assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "164")


def test_the_statement_may_stand_in_the_url_and_its_rows_in_the_body(server: FaultyServer, client: Any) -> None:
    assert call(server, "POST", "/?query=INSERT%20INTO%20t%20(a)%20FORMAT%20TSV", b"1\n2\n")[0] == 200
    assert call(server, "POST", "/?query=INSERT%20INTO%20t%20(a)%20VALUES", b"(3)")[0] == 200
    assert rows(client, "SELECT sum(a) FROM t") == [(6,)]


def test_clients_side_by_side_are_all_answered(server: FaultyServer) -> None:
    found: list[int] = []

    def work() -> None:
        client = connect(server.url, password=server.password)
        found.extend(client.command("SELECT count() FROM numbers(1000)") for _ in range(20))
        client.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1000] * 80


def test_faults_that_tests_may_inject(server: FaultyServer, client: Any) -> None:
    insert = {"table": "t", "insert_block": b'[1,"x","2026-01-02 03:04:05"]\n', "fmt": "JSONCompactEachRow"}
    server.inject(refuse(241, "no memory"), match="INSERT INTO t")
    with pytest.raises(DatabaseError, match="no memory") as refused:
        client.raw_insert(**insert)
    assert refused.value.code == 241
    server.inject(drop_before, match="INSERT INTO t", times=4)
    with pytest.raises(OperationalError):
        client.raw_insert(**insert)
    assert rows(client, "SELECT count() FROM t") == [(0,)]
    server._planned.clear()
    server.inject(drop_after, match="INSERT INTO t", times=4)
    with pytest.raises(OperationalError):
        client.raw_insert(**insert)
    assert rows(client, "SELECT count() > 0 FROM t") == [(1,)]
    server._planned.clear()
    server.inject(miscount, match="INSERT INTO t")
    assert client.raw_insert(**insert).written_rows == 0


# ---- as a process ---------------------------------------------------------------------------------------------------


def command(path: Path, *options: str) -> list[str]:
    """The command line of a server with the password `right`."""
    path.parent.joinpath("password").write_text("right\n")
    options = ("--password-file", str(path.parent / "password"), *options)
    return [sys.executable, "-m", "streams.embedded.clickhouse", "--path", str(path), "--port", "0", *options]


def started(path: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(command(path, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def ended(process: subprocess.Popen[str], number: signal.Signals) -> int:
    process.send_signal(number)
    process.communicate(timeout=20)
    return process.returncode


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    process, url = started(tmp_path / "db")
    try:
        client = connect(url, password="right")
        assert client.command("SELECT 1") == 1
        client.close()
        for wrong in ({"password": "wrong"}, {"user": "somebody", "password": "right"}, {}):
            with pytest.raises(DatabaseError, match="Authentication failed"):
                connect(url, **wrong)
    finally:
        assert ended(process, signal.SIGINT) == 0


def test_a_directory_or_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    process, url = started(tmp_path / "db")
    try:
        second = subprocess.run(command(tmp_path / "db"), capture_output=True, text=True, check=False)
        assert second.returncode == 1
        last = second.stderr.splitlines()[-1]
        assert last == (
            f"The database in {tmp_path / 'db'} is in use by process {process.pid}. "
            "Stop that one first, or name another --path."
        )
        port = url.rpartition(":")[2]
        third = subprocess.run(command(tmp_path / "db3", "--port", port), capture_output=True, text=True, check=False)
        assert (third.returncode, third.stderr) == (
            1,
            f"ClickHouse cannot start on 127.0.0.1:{port}: Address already in use.\n",
        )
    finally:
        assert ended(process, signal.SIGTERM) == 0


def test_a_server_without_a_password_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for text, why in ((None, "cannot be read (No such file or directory): "), (" \n", "is empty: remove it, ")):
        argv = command(tmp_path / "db")
        file.unlink() if text is None else file.write_text(text)
        process = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
        assert (process.returncode, process.stdout) == (1, "")
        assert process.stderr.startswith(f"The password file {file} {why}")
        assert len(process.stderr.splitlines()) == 1


def test_batches_acknowledged_before_a_kill_are_there_afterwards(tmp_path: Path) -> None:
    """kill -9 while a client inserts batches of 1,000 rows, each with its own number: none lost, none partial."""
    process, url = started(tmp_path / "db")
    client = connect(url, password="right")
    client.command("CREATE TABLE t (batch UInt32, row UInt32) ENGINE = MergeTree ORDER BY (batch, row)")
    acknowledged: list[int] = []
    enough = threading.Event()

    def insert() -> None:
        for batch in range(100_000):
            block = "".join(f"{batch}\t{row}\n" for row in range(1000))
            try:
                client.raw_insert("t", insert_block=block, fmt="TSV")
            except OperationalError:
                return
            acknowledged.append(batch)
            if batch == 30:
                enough.set()

    worker = threading.Thread(target=insert)
    worker.start()
    assert enough.wait(60)
    process.kill()
    process.communicate()
    worker.join()
    process, url = started(tmp_path / "db")
    try:
        survivors = connect(url, password="right")
        found = dict(survivors.query("SELECT batch, count() FROM t GROUP BY batch").result_rows)
        survivors.close()
        assert set(acknowledged) <= found.keys()
        assert set(found.values()) == {1000}
    finally:
        assert ended(process, signal.SIGTERM) == 0


def test_a_hundred_megabytes_go_in_without_filling_the_memory(tmp_path: Path) -> None:
    process, url = started(tmp_path / "db")
    try:
        client = connect(url, password="right")
        client.command("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
        line = json.dumps([1, "x" * 190]).encode() + b"\n"
        block = line * (100_000_000 // len(line))
        assert client.raw_insert("t", insert_block=block, fmt="JSONCompactEachRow").written_rows == len(block) // len(
            line
        )
        client.close()
        peak_kb = next(
            int(line.split()[1])
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if "VmHWM" in line
        )
        assert peak_kb < 900_000  # the engine alone takes about 250,000
    finally:
        assert ended(process, signal.SIGTERM) == 0


def test_a_free_port_is_free() -> None:
    assert 0 < free_port() < 65536


def test_a_full_disk_refuses_the_insert_and_says_so(client: Any) -> None:
    """chDB's own streaming insert reports the rows as written."""
    full = {"min_free_disk_bytes_to_perform_insert": 1 << 60}
    with pytest.raises(DatabaseError, match="243"):
        client.raw_insert("t", ["a", "b"], b'[1,"x"]\n' * 1000, settings=full, fmt="JSONCompactEachRow")
    assert client.command("SELECT count() FROM t") == 0
