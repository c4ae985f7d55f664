"""How the embedded ClickHouse classifies a statement."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.embedded.statement import insert_with_rows, output_format, reads_only, refusal


@pytest.mark.parametrize(
    ("text", "sql", "format_", "rows"),
    [
        (b"INSERT INTO t FORMAT Native\n\x01\x02", "INSERT INTO t ", "Native", b"\x01\x02"),
        (b"insert into t (a, b) format JSONEachRow\r\n{}", "insert into t (a, b) ", "JSONEachRow", b"{}"),
        (b'INSERT INTO t FORMAT JSONEachRow {"a":1}', "INSERT INTO t ", "JSONEachRow", b'{"a":1}'),
        (b"INSERT INTO t FORMAT CSV\n\n1", "INSERT INTO t ", "CSV", b"\n1"),
        (b"/* x */ INSERT INTO t SETTINGS a = 1 FORMAT TSV\n1", "/* x */ INSERT INTO t SETTINGS a = 1 ", "TSV", b"1"),
        (b"INSERT INTO t (`FORMAT x`, format) FORMAT TSV\n1", "INSERT INTO t (`FORMAT x`, format) ", "TSV", b"1"),
        (b"INSERT INTO d.format FORMAT TSV\n1", "INSERT INTO d.format ", "TSV", b"1"),
        ("INSERT INTO `ü` FORMAT TSV\n1".encode(), "INSERT INTO `ü` ", "TSV", b"1"),
        (b"INSERT INTO t FORMAT RowBinary\n\n'\"", "INSERT INTO t ", "RowBinary", b"\n'\""),
        (b"INSERT INTO t VALUES (1, 'FORMAT x')", "INSERT INTO t ", "Values", b" (1, 'FORMAT x')"),
    ],
)
def test_an_insert_s_rows_begin_where_clickhouse_begins_them(text: bytes, sql: str, format_: str, rows: bytes) -> None:
    insert = insert_with_rows(text)
    assert insert is not None
    assert (insert.sql, insert.format, text[insert.data_at :]) == (sql, format_, rows)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SELECT 1 FORMAT Native",
        b"INSERT INTO t SELECT 1 FORMAT Null",
        b"INSERT INTO t (a) SELECT 'FORMAT TSV'",
        b"INSERT INTO t -- FORMAT TSV",
        b"INSERT INTO t FROM INFILE 'x' FORMAT TSV",
    ],
)
def test_other_statements_carry_no_rows(text: bytes) -> None:
    assert insert_with_rows(text) is None


@given(st.binary())
def test_whatever_the_rows_are_they_are_kept(rows: bytes) -> None:
    text = b"INSERT INTO t (a) FORMAT RowBinary\n" + rows
    insert = insert_with_rows(text)
    assert insert is not None
    assert text[insert.data_at :] == rows


@pytest.mark.parametrize(
    ("sql", "format_"),
    [
        ("SELECT 1", None),
        ("SELECT 1 FORMAT JSONEachRow", "JSONEachRow"),
        ("SELECT 1\n FORMAT Native ;", "Native"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        ("SELECT 1 SETTINGS max_threads = 1 FORMAT CSV -- really", "CSV"),
        ("SELECT 'x FORMAT CSV'", None),
        ("SELECT format FROM t", None),
        ("SELECT format('{}', a) FROM t", None),
        ("SELECT * FROM (SELECT 1 FORMAT CSV)", None),
    ],
)
def test_the_format_that_a_statement_asks_for(sql: str, format_: str | None) -> None:
    assert output_format(sql) == format_


@pytest.mark.parametrize(
    ("plain", "what"),
    [
        ("SELECT file('/x')", "file()"),
        ("SELECT * FROM FILE ('/x')", "file()"),
        ("SELECT `file`('/x')", "file()"),
        ("SELECT * APPLY(file) FROM t", "file()"),
        ("SELECT * APPLY file FROM t", "file()"),
        ("SELECT * FROM format(TSV, 'a')", "format()"),
        ("SELECT * FROM format('TSV', 'a')", "format()"),
        ("SELECT format(", "format()"),
        ("SELECT 1 INTO OUTFILE '/x'", "OUTFILE"),
        ("ATTACH TABLE t", "ATTACH"),
        ("CREATE TABLE t (`a` Int8) ENGINE = Memory PARALLEL WITH DROP TABLE u", "PARALLEL"),
        ("CREATE TABLE t (`a` Int8) ENGINE = Kafka('x')", "ENGINE = KAFKA"),
        ("SYSTEM SHUTDOWN", "SYSTEM"),
        ("SELECT 1 -- x", "-- x"),
        ("SELECT $$a$$", "$"),
        ("SELECT ‘a’", "‘"),
        ("", ""),
    ],
)
def test_what_reaches_out_of_the_database_is_named(plain: str, what: str) -> None:
    assert refusal(plain) == what


@pytest.mark.parametrize(
    "plain",
    [
        "SELECT 'file(1) INTO OUTFILE', `disk`, format('{0}', a) FROM t WHERE engine = 'Kafka'",
        "CREATE TABLE t (`a` Int8) ENGINE = ReplacingMergeTree(v) ORDER BY a",
        "ALTER TABLE t ATTACH PARTITION 1",
        "(SELECT 1) UNION ALL (SELECT {x:String})",
        "INSERT INTO t (a, url) FORMAT Values",
    ],
)
def test_what_stays_in_the_database_is_served(plain: str) -> None:
    assert refusal(plain) is None


def test_what_only_reads() -> None:
    assert all(map(reads_only, ("SELECT 1", "(SELECT 1)", "WITH 1 AS x SELECT x", "SHOW TABLES", "EXPLAIN SELECT 1")))
    assert not any(map(reads_only, ("INSERT INTO t SELECT 1", "SET a = 1", "KILL QUERY WHERE 1", "DROP TABLE t")))


@pytest.mark.parametrize("piece", ["/*", "'", '"', "`", "''", "\\'", "/**", "* "])
def test_a_statement_is_read_in_linear_time(piece: str) -> None:
    text = "INSERT INTO t " + piece * ((1 << 18) // len(piece))
    began = time.process_time()
    insert_with_rows(text.encode())
    output_format(text)
    refusal(text)
    assert time.process_time() - began < 2
