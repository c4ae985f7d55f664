"""chDB (ClickHouse's engine in this process), used as a database that runs several statements at a time.

Every statement gets a new connection (0.4 ms), so settings, the current database and parameters never leak between
requests; a named session keeps its connection, and runs one statement at a time. The engine's limits are those of
:mod:`streams.embedded.limits`.
"""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from streams.embedded.engine import chdb
from streams.embedded.limits import MAX_RESULT_BYTES, MAX_STATEMENT_BYTES, open_engine
from streams.embedded.statement import Insert, insert_with_rows, output_format, reads_only, refusal
from streams.errors import DeskwatchError

_MAX_SESSIONS = 64
_SESSION_S = 60.0
_CODE = re.compile(r"Code: (\d+)\.")
_PYTHON_FORMATS = {"dataframe", "datastore", "arrowtable"}  # chDB's own: objects of this process


class DatabaseInUse(DeskwatchError):
    """Another process has this data directory open."""


class QueryError(DeskwatchError):
    """ClickHouse refused a statement: its error code and its message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Query(NamedTuple):
    """One statement of a request: its text and rows in pieces, and its options; `id` names it for `cancel`."""

    pieces: Iterator[bytes]
    database: str = ""
    default_format: str = "TabSeparated"
    settings: Mapping[str, str] = {}
    parameters: Mapping[str, str] = {}
    session: str = ""
    session_s: float = _SESSION_S
    read_only: bool = False
    id: str = ""


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
        self.busy = False


def refused(code: int, why: str, name: str) -> QueryError:
    """An error in ClickHouse's words; `why` is a sentence, with or without its full stop."""
    return QueryError(code, f"Code: {code}. DB::Exception: {why.removesuffix('.')}. ({name})")


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
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._root = open_engine(path)  # stays open: the engine stops with its last connection
        except RuntimeError as error:
            # chDB says why on stderr only ("Cannot lock file"); its lock file has the process id (chdb-core 26.9).
            holder = _holder(path)
            if holder is None:
                raise
            raise DatabaseInUse(f"The database in {path} is in use by process {holder}.") from error
        self._idle = threading.Condition()  # guards what follows; notified when a statement ends
        self._running: dict[object, str] = {}
        self._sessions: dict[str, _Session] = {}
        self._closed = False

    def run(self, query: Query) -> Answer:
        """Runs one statement. Raises QueryError; BodyError if the body of the request is unreadable."""
        key = object()
        with self._idle:
            if self._closed:
                raise refused(210, "The embedded ClickHouse is closing", "NETWORK_ERROR")
            self._running[key] = query.id
        started = time.perf_counter_ns()
        try:
            statement = self._read(query.pieces)
            if query.read_only and not reads_only(statement.plain):
                raise refused(164, "A GET request only reads: use POST", "READONLY")
            with self._connection(query) as connection:
                answer = statement.run(connection, query)
        except (chdb.ChdbError, RuntimeError) as error:
            raise _refusal(error) from None
        finally:
            self._end(key)
        return answer._replace(elapsed_ns=time.perf_counter_ns() - started)

    def cancel(self, id: str) -> None:
        """Ends a running statement soon; to be repeated until it has ended, since it may be about to start."""
        key = object()
        with self._idle:
            if self._closed or id not in self._running.values():
                return
            self._running[key] = ""  # `close` waits for this, too: the engine must not start again
        try:
            self._kill(f"Settings['log_comment'] = {_quoted(id)}")
        finally:
            self._end(key)

    def close(self) -> None:
        """Ends the running statements and closes the database; later statements are refused."""
        with self._idle:
            self._closed = True
        while True:
            self._kill("1")
            with self._idle:
                if self._idle.wait_for(lambda: not self._running, timeout=0.2):
                    break
        for session in self._sessions.values():
            session.connection.close()
        self._sessions.clear()
        self._root.close()

    def _end(self, key: object) -> None:
        with self._idle:
            del self._running[key]
            self._idle.notify_all()

    def _kill(self, where: str) -> None:
        with closing(chdb.connect(str(self._path))) as connection, suppress(chdb.ChdbError, RuntimeError):
            connection.query(f"KILL QUERY WHERE {where} ASYNC")  # it may have ended meanwhile

    def _read(self, pieces: Iterator[bytes]) -> _Statement:
        """The statement of a request in its plain form. Raises QueryError if it is not served."""
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= MAX_STATEMENT_BYTES:
                break
        insert = insert_with_rows(head[:MAX_STATEMENT_BYTES])
        if insert is None and len(head) > MAX_STATEMENT_BYTES:
            raise refused(62, f"A statement has at most {MAX_STATEMENT_BYTES} bytes here", "SYNTAX_ERROR")
        text = f"{insert.sql} FORMAT {insert.format}" if insert else head.decode(errors="replace")
        if not text.strip():
            raise refused(62, "Empty query", "SYNTAX_ERROR")
        plain = self._plain(text)
        if (found := refusal(plain)) is not None:
            raise refused(497, f"{found} is not served by the embedded ClickHouse", "ACCESS_DENIED")
        return _Statement(plain, insert, head, pieces)

    def _plain(self, text: str) -> str:
        """The statement as the engine's formatter writes it. Raises ChdbError if it is no statement, or several."""
        with closing(chdb.connect(str(self._path))) as connection:  # none of the request's settings hold here
            try:
                found = connection.query(f"SELECT formatQuerySingleLine({_quoted(text)})", "RawBLOB").bytes()
            except chdb.ChdbError as error:
                message = str(error).replace("Multi-statements are not allowed", "one statement a request")
                raise RuntimeError(
                    re.sub(r"(: In scope |\. : )SELECT formatQuerySingleLine\(.*", "", message, flags=re.S)
                ) from None
        return str(bytes(found).decode())

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
                if not (name.isidentifier() and name.isascii()):
                    raise refused(115, f"Unknown setting {name!r}", "UNKNOWN_SETTING")
                connection.query(f"SET {name} = {_quoted(value)}")
            connection.query(f"SET log_comment = {_quoted(query.id)}")
            if query.read_only:
                connection.query("SET readonly = 1")
            yield connection
        finally:
            if session:
                session.busy = False
            else:
                connection.close()

    def _session(self, query: Query) -> _Session:
        """The session of a query, taken for it. Raises QueryError if another statement has it."""
        now = time.monotonic()
        with self._idle:
            for name, session in list(self._sessions.items()):
                if session.until < now and not session.busy:
                    self._sessions.pop(name).connection.close()
            if query.session not in self._sessions:
                self._make_room()
                self._sessions[query.session] = _Session(chdb.connect(str(self._path)))
            wanted = self._sessions[query.session]
            if wanted.busy:
                raise refused(373, "Session is locked by a concurrent client", "SESSION_IS_LOCKED")
            wanted.busy, wanted.until = True, now + query.session_s
        return wanted

    def _make_room(self) -> None:
        """Closes the idle session that ends first, if there are too many."""
        if len(self._sessions) < _MAX_SESSIONS:
            return
        idle = [name for name, session in self._sessions.items() if not session.busy]
        if not idle:
            raise refused(202, "Too many sessions", "TOO_MANY_SIMULTANEOUS_QUERIES")
        self._sessions.pop(min(idle, key=lambda name: self._sessions[name].until)).connection.close()


class _Statement(NamedTuple):
    """A statement that is served: its plain form, and where its rows are if it is an INSERT with rows."""

    plain: str
    insert: Insert | None
    head: bytes
    rest: Iterator[bytes]

    def run(self, connection: Any, query: Query) -> Answer:
        """Runs it; `elapsed_ns` of the answer is 0."""
        if self.insert is not None:
            # Not chDB's send_insert: if an insert fails at its end (a full disk), chdb-core 26.9 still reports its rows
            # as written (state/sqlitelike.py:414).
            with tempfile.TemporaryFile() as rows:  # unnamed: a kill leaves no file
                return self._insert(connection, self.insert, rows)
        named = output_format(self.plain)
        if query.default_format.lower() in _PYTHON_FORMATS or not query.default_format.isidentifier():
            raise refused(73, f"Unknown format {query.default_format!r}", "UNKNOWN_FORMAT")
        # With names, an empty result has a header line, unlike a statement that returns no rows: ClickHouse's
        # X-ClickHouse-Format header tells the two apart, too. The line is removed below.
        plain = named is None and query.default_format == "TabSeparated"
        format_ = "TabSeparatedWithNames" if plain else query.default_format
        result = connection.query(self.plain, format_, params=query.parameters)
        data: bytes = result.bytes() or b""
        if len(data) > MAX_RESULT_BYTES:  # as text it may be longer than the engine counted
            raise refused(396, f"A result has at most {MAX_RESULT_BYTES >> 20} MiB here", "TOO_MANY_ROWS_OR_BYTES")
        if plain and not data:
            return Answer(b"", None, result.rows_read(), result.rows_written(), 0)
        if plain:
            data = data[data.index(b"\n") + 1 :]
        return Answer(data, named or query.default_format, result.rows_read(), result.rows_written(), 0)

    def _insert(self, connection: Any, insert: Insert, rows: IO[bytes]) -> Answer:
        rows.write(self.head[insert.data_at :])
        rows.writelines(self.rest)
        rows.seek(0)
        into = self.plain.removesuffix(f" FORMAT {insert.format}")
        path = f"/dev/fd/{rows.fileno()}"
        written = connection.query(f"{into} FROM INFILE {_quoted(path)} FORMAT {insert.format}")
        return Answer(b"", None, written.rows_written(), written.rows_written(), 0)


def _holder(path: Path) -> str | None:
    try:
        match = re.search(r"PID: (\d+)", (path / "status").read_text())
    except OSError:
        return None
    return match[1] if match else None
