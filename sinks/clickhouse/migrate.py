"""Updates the schema of a ClickHouse database by a folder of numbered SQL files: `V0001__events.sql`, `V0002__….sql`.

Each file is applied once, in order. The table `schema_migrations` keeps its checksum: a file changed or removed later
is refused. A file is not a transaction (ClickHouse has none): after a failure the whole file runs again, so each
statement says IF NOT EXISTS. Statements name no database and run with `database` as the default one, so the same files
serve a second database for verification.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clickhouse_connect.driver.exceptions import Error

from sinks.clickhouse.client import Client, in_one_line
from streams.errors import UserError

FOLDER = Path(__file__).with_name("migrations")

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(applied_at) ORDER BY version"""
_FILE_NAME = re.compile(r"V(\d+)__(\w+)\.sql")
# A quoted text, a comment, the end of a statement, or anything else.
_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
      |(?P<comment>--[^\n]*|/\*.*?\*/)
      |(?P<end>;)
      |(?P<other>[^'"`;/-]+|.)""",
    re.S | re.X,
)


class MigrationError(UserError):
    """The schema cannot be updated. The message names the file, and the statement if one failed."""


class Migration(NamedTuple):
    """One file of the folder."""

    version: int
    file: str
    checksum: str
    statements: tuple[str, ...]


def statements(sql: str) -> Iterator[str]:
    """The statements of a file, without comments; a `;` in quotes or comments does not end one."""
    current = ""
    for match in _TOKEN.finditer(sql):
        if match.lastgroup == "end":
            if current.strip():
                yield current.strip()
            current = ""
        else:
            current += " " if match.lastgroup == "comment" else match.group()
    if current.strip():
        yield current.strip()


def read(folder: Path) -> list[Migration]:
    """The folder's migrations in order. Raises MigrationError for a bad file name or a version that appears twice."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path} is not named as a migration: expected V0001__name.sql.")
        version, text = int(match[1]), path.read_text(encoding="utf-8")
        if version in found:
            raise MigrationError(f"{path.name} and {found[version].file} in {folder} have the same version.")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        found[version] = Migration(version, path.name, checksum, tuple(statements(text)))
    return [found[version] for version in sorted(found)]


def pending(client: Client, database: str, folder: Path = FOLDER) -> list[Migration]:
    """The migrations not applied yet, in order; changes nothing.

    Raises MigrationError if an applied file was changed or removed, or if a new one is older than an applied one.
    """
    files = read(folder)
    exists = client.query(
        "SELECT 1 FROM system.tables WHERE database = {d:String} AND name = 'schema_migrations'", {"d": database}
    ).result_rows
    if not exists:
        return files
    applied = client.query("SELECT version, name, checksum FROM schema_migrations FINAL", settings=_in(database))
    done = {version: (name, checksum) for version, name, checksum in applied.result_rows}
    versions = {file.version for file in files}
    for version, (name, _) in sorted(done.items()):
        if version not in versions:
            raise MigrationError(f"{name} was applied to the database {database} but is not in {folder}.")
    for file in files:
        if file.version in done and done[file.version][1] != file.checksum:
            raise MigrationError(
                f"{file.file} was changed after it was applied to the database {database}: "
                "restore it, and put the change in a new file."
            )
        if file.version not in done and done and file.version < max(done):
            raise MigrationError(
                f"{file.file} is older than {done[max(done)][0]}, which is applied to the database {database} already: "
                "give it a higher number."
            )
    return [file for file in files if file.version not in done]


def migrate(client: Client, database: str, folder: Path = FOLDER) -> list[Migration]:
    """Create the database if it is missing, apply the pending migrations and return them. Raises MigrationError."""
    client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`", use_database=False)
    _run(client, database, _TABLE)
    files = pending(client, database, folder)
    for file in files:
        for number, statement in enumerate(file.statements, 1):
            try:
                _run(client, database, statement)
            except Error as error:
                raise MigrationError(f"{file.file}, statement {number}: {in_one_line(error)}") from error
        row = [file.version, file.file, file.checksum]
        client.insert("schema_migrations", [row], ["version", "name", "checksum"], database=database)
    return files


def _in(database: str) -> dict[str, str]:
    return {"database": database}


def _run(client: Client, database: str, statement: str) -> None:
    client.command(statement, settings=_in(database), use_database=False)
