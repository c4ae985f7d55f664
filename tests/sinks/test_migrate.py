"""Migrations: the files are read without ClickHouse, applied by the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import FOLDER, MigrationError, migrate, pending, read, statements


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("", []),
        (" ; ;\n", []),
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT 'it''s; \\'; x'", ["SELECT ';'", "SELECT 'it''s; \\'; x'"]),
        ('SELECT "a;b", `c;d`;', ['SELECT "a;b", `c;d`']),
        ("SELECT 1 -- one; two\n, 2;", ["SELECT 1  \n, 2"]),
        ("/* a; b\n */ SELECT 1 / 2;-- end;", ["SELECT 1 / 2"]),
        ("SELECT 'a -- b', '/* c */';", ["SELECT 'a -- b', '/* c */'"]),
        ("SELECT 5 - 3;", ["SELECT 5 - 3"]),
    ],
)
def test_statements_end_at_semicolons_outside_quotes_and_comments(sql: str, expected: list[str]) -> None:
    assert list(statements(sql)) == expected


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


def test_files_are_read_in_order_of_their_numbers(tmp_path: Path) -> None:
    files = read(write(tmp_path, V0010__ten="SELECT 10", V0002__two="SELECT 2; SELECT 22"))
    assert [(file.version, file.file, file.statements) for file in files] == [
        (2, "V0002__two.sql", ("SELECT 2", "SELECT 22")),
        (10, "V0010__ten.sql", ("SELECT 10",)),
    ]


def test_a_bad_name_and_a_number_used_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=r"events\.sql is not named as a migration: expected V0001__name\.sql\."):
        read(write(tmp_path, events="SELECT 1"))
    (tmp_path / "events.sql").unlink()
    with pytest.raises(MigrationError, match=r"V1__b\.sql and V0001__a\.sql in .* have the same version"):
        read(write(tmp_path, V0001__a="SELECT 1", V1__b="SELECT 1"))


def test_our_own_files_are_readable() -> None:
    assert all(file.statements for file in read(FOLDER))


@pytest.fixture
def client(server: Any) -> Iterator[Any]:
    client = connect(server.url, password=server.password)
    client.command("DROP DATABASE IF EXISTS desk")
    client.command("DROP DATABASE IF EXISTS check")
    yield client
    client.close()


FIRST = (
    "CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = MergeTree ORDER BY a; CREATE OR REPLACE VIEW v AS SELECT a FROM t"
)
SECOND = "INSERT INTO t VALUES (1); -- done;\n"


@pytest.mark.embedded
def test_each_file_is_applied_once_to_each_database(client: Any, tmp_path: Path) -> None:
    write(tmp_path, V0001__first=FIRST)
    assert [file.version for file in pending(client, "desk", tmp_path)] == [1]
    assert [file.version for file in migrate(client, "desk", tmp_path)] == [1]
    write(tmp_path, V0002__second=SECOND)
    assert [file.version for file in migrate(client, "desk", tmp_path)] == [2]
    assert migrate(client, "desk", tmp_path) == []
    assert pending(client, "desk", tmp_path) == []
    assert [file.version for file in migrate(client, "check", tmp_path)] == [1, 2]
    assert client.command("SELECT count() FROM desk.v") == 1
    assert client.command("SELECT count() FROM check.v") == 1
    assert client.command("SELECT count() FROM system.tables WHERE database = 'default'") == 0
    applied = client.query("SELECT version, name FROM desk.schema_migrations FINAL ORDER BY version").result_rows
    assert [tuple(row) for row in applied] == [(1, "V0001__first.sql"), (2, "V0002__second.sql")]


@pytest.mark.embedded
def test_an_error_names_file_and_statement_and_can_be_repaired(client: Any, tmp_path: Path) -> None:
    write(tmp_path, V0001__first=f"{FIRST}; SELECT nope")
    with pytest.raises(
        MigrationError, match=r"^V0001__first\.sql, statement 3: Code: 47\. DB::Exception: .*nope"
    ) as error:
        migrate(client, "desk", tmp_path)
    assert "\n" not in str(error.value)
    write(tmp_path, V0001__first=FIRST)
    assert [file.version for file in migrate(client, "desk", tmp_path)] == [1]


@pytest.mark.embedded
def test_a_changed_lost_or_late_file_is_refused(client: Any, tmp_path: Path) -> None:
    write(tmp_path, V0001__first=FIRST, V0003__third="SELECT 1")
    migrate(client, "desk", tmp_path)
    write(tmp_path, V0002__second=SECOND)
    with pytest.raises(MigrationError, match=r"V0002__second\.sql is older than V0003__third\.sql, which is applied"):
        migrate(client, "desk", tmp_path)
    (tmp_path / "V0002__second.sql").unlink()
    write(tmp_path, V0003__third="SELECT 2")
    with pytest.raises(
        MigrationError, match=r"V0003__third\.sql was changed after it was applied to the database desk"
    ):
        migrate(client, "desk", tmp_path)
    (tmp_path / "V0003__third.sql").unlink()
    with pytest.raises(MigrationError, match=r"V0003__third\.sql was applied to the database desk but is not in"):
        migrate(client, "desk", tmp_path)
