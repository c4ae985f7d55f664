"""The embedded ClickHouse with injected faults, like those of a server, a proxy or a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from streams.embedded.clickhouse import Disconnect, Server
from streams.embedded.database import Answer, QueryError
from streams.embedded.requests import Request

Ask = Callable[[], Answer]
Fault = Callable[[Ask], Answer]


def refuse(code: int, message: str = "refused by the test") -> Fault:
    """An error of ClickHouse; nothing is executed."""

    def fault(ask: Ask) -> Answer:
        raise QueryError(code, f"Code: {code}. DB::Exception: {message}. (TEST)")

    return fault


def drop_before(ask: Ask) -> Answer:
    """The connection ends before anything is executed."""
    raise Disconnect


def drop_after(ask: Ask) -> Answer:
    """The connection ends after the execution and before the answer."""
    ask()
    raise Disconnect


def truncate(ask: Ask) -> Answer:
    """Half of the answer's bytes."""
    answer = ask()
    return answer._replace(data=answer.data[: len(answer.data) // 2])


def miscount(ask: Ask) -> Answer:
    """One row fewer is reported than was written."""
    answer = ask()
    return answer._replace(written_rows=answer.written_rows - 1)


def before(action: Callable[[], object]) -> Fault:
    """`action` is called first: wait on an event, kill a worker …"""

    def fault(ask: Ask) -> Answer:
        action()
        return ask()

    return fault


class _Planned(NamedTuple):
    fault: Fault
    match: str


class FaultyServer(Server):
    """A Server that answers the next request whose statement contains `match` with the fault planned for it."""

    def __init__(self, path: Path, port: int = 0) -> None:
        super().__init__(path, port)
        self._planned: list[_Planned] = []
        self.statements: list[str] = []

    def inject(self, fault: Fault, match: str = "", times: int = 1) -> None:
        """Plans a fault; `match` is searched in the first 1,000 bytes of the statement, in any case."""
        self._planned += [_Planned(fault, match.lower())] * times

    def answer(self, request: Request) -> Answer:
        """The answer of the database, or of the fault."""
        head = request.body.read(1000)
        request.body.seek(0)
        statement = request.parameters.get("query", "") + head.decode(errors="replace")
        self.statements.append(statement)
        planned = next((one for one in self._planned if one.match in statement.lower()), None)
        if planned is None:
            return super().answer(request)
        self._planned.remove(planned)
        return planned.fault(lambda: super(FaultyServer, self).answer(request))
