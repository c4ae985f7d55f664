"""chDB (ClickHouse's engine in this process), used as a database that runs one statement at a time.

Every statement gets a new connection (0.4 ms), so settings, the current database and parameters never leak between
requests; a named session keeps its connection.
"""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from streams.embedded.engine import chdb
from streams.embedded.statement import insert_with_rows, output_format
from streams.errors import DeskwatchError

_MAX_HEAD_BYTES = 1 << 18  # an INSERT statement with its column list is shorter
_MAX_SESSIONS = 64
_SESSION_S = 60.0
_CODE = re.compile(r"Code: (\d+)\.")


class DatabaseInUse(DeskwatchError):
    """Another process has this data directory open."""


class QueryError(DeskwatchError):
    """ClickHouse refused a statement: its error code and its message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Query(NamedTuple):
    """One statement of a request: its text and rows in pieces, and its options."""

    pieces: Iterator[bytes]
    database: str = ""
    default_format: str = "TabSeparated"
    settings: Mapping[str, str] = {}
    parameters: Mapping[str, str] = {}
    session: str = ""
    session_s: float = _SESSION_S
    read_only: bool = False


class Answer(NamedTuple):
    """The result of a statement; `format` is None for a kind of statement that returns no rows."""

    data: bytes
    format: str | None
    read_rows: int
    written_rows: int
    elapsed_ns: int


class _Session:
    def __init__(self, connection: Any) -> None:
        self.connection, self.settings, self.until = connection, set[str](), 0.0


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _refusal(error: Exception) -> QueryError:
    text = str(error)
    match = _CODE.search(text)
    return QueryError(int(match[1]), text[match.start() :]) if match else QueryError(1002, text)


class Database:
    """The database in the directory `path`, which is created if it does not exist. Raises DatabaseInUse."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True)
        try:
            self._root = chdb.connect(str(path))  # stays open: the engine stops with its last connection
        except RuntimeError as error:
            # chDB says why on stderr only ("Cannot lock file"); its lock file has the process id (chdb-core 26.9).
            holder = _holder(path)
            if holder is None:
                raise
            raise DatabaseInUse(f"The database in {path} is in use by process {holder}.") from error
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}
        self._closed = False

    def run(self, query: Query) -> Answer:
        """Runs one statement. Raises QueryError; BodyError if the body of the request is unreadable."""
        with self._lock:
            if self._closed:
                raise QueryError(210, "Code: 210. DB::Exception: The embedded ClickHouse is closing. (NETWORK_ERROR)")
            started = time.perf_counter_ns()
            try:
                with self._connection(query) as connection:
                    answer = _execute(connection, query)
            except (chdb.ChdbError, RuntimeError) as error:
                raise _refusal(error) from None
            return answer._replace(elapsed_ns=time.perf_counter_ns() - started)

    def close(self) -> None:
        """Waits for the running statement and closes the database; later statements are refused."""
        with self._lock:
            self._closed = True
            for session in self._sessions.values():
                session.connection.close()
            self._sessions.clear()
            self._root.close()

    @contextmanager
    def _connection(self, query: Query) -> Iterator[Any]:
        # A read-only query does not share its session's connection: readonly cannot be unset.
        session = None if query.read_only or not query.session else self._session(query)
        connection = session.connection if session else chdb.connect(str(self._path))
        try:
            if query.database:
                connection.query(f"USE `{query.database.replace('`', '``')}`")
            if session:
                for name in session.settings - query.settings.keys():
                    connection.query(f"SET {name} = DEFAULT")
                session.settings = set(query.settings)
            for name, value in query.settings.items():
                if not name.isidentifier():
                    raise QueryError(115, f"Code: 115. DB::Exception: Unknown setting {name!r}. (UNKNOWN_SETTING)")
                connection.query(f"SET {name} = {_quoted(value)}")
            if query.read_only:
                connection.query("SET readonly = 2")
            yield connection
        finally:
            if not session:
                connection.close()

    def _session(self, query: Query) -> _Session:
        now = time.monotonic()
        for name in [name for name, session in self._sessions.items() if session.until < now]:
            self._sessions.pop(name).connection.close()
        session = self._sessions.get(query.session)
        if session is None:
            if len(self._sessions) >= _MAX_SESSIONS:
                oldest = min(self._sessions, key=lambda name: self._sessions[name].until)
                self._sessions.pop(oldest).connection.close()
            session = self._sessions[query.session] = _Session(chdb.connect(str(self._path)))
        session.until = now + query.session_s
        return session


def _execute(connection: Any, query: Query) -> Answer:
    """Runs the statement; `elapsed_ns` of the answer is 0."""
    head = b""
    for piece in query.pieces:
        head += piece
        if len(head) >= _MAX_HEAD_BYTES:
            break
    insert = insert_with_rows(head)
    if insert is not None:
        # Not chDB's send_insert: if an insert fails at its end (a full disk), chdb-core 26.9 still reports its rows as
        # written (state/sqlitelike.py:414).
        with tempfile.TemporaryFile() as rows:  # unnamed: a kill leaves no file
            rows.write(head[insert.data_at :])
            rows.writelines(query.pieces)
            rows.seek(0)
            path = f"/dev/fd/{rows.fileno()}"
            written = connection.query(f"{insert.sql} FROM INFILE {_quoted(path)} FORMAT {insert.format}")
        return Answer(b"", None, written.rows_written(), written.rows_written(), 0)
    sql = b"".join((head, *query.pieces)).decode(errors="replace")
    if not sql.strip():
        raise QueryError(62, "Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)")
    named = output_format(sql)
    # With names, an empty result has a header line, unlike a statement that returns no rows: ClickHouse's
    # X-ClickHouse-Format header tells the two apart, too. The line is removed below.
    plain = named is None and query.default_format == "TabSeparated"
    result = connection.query(sql, "TabSeparatedWithNames" if plain else query.default_format, params=query.parameters)
    data: bytes = result.bytes() or b""
    if plain and not data:
        return Answer(b"", None, result.rows_read(), result.rows_written(), 0)
    if plain:
        data = data.partition(b"\n")[2]
    return Answer(data, named or query.default_format, result.rows_read(), result.rows_written(), 0)


def _holder(path: Path) -> str | None:
    try:
        match = re.search(r"PID: (\d+)", (path / "status").read_text())
    except OSError:
        return None
    return match[1] if match else None
