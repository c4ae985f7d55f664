"""Under any fault of server, proxy or network, every row is written once, or the error says why not."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from sinks.clickhouse import writer as writer_module
from sinks.clickhouse.client import connect
from sinks.clickhouse.error_codes import FinalError
from sinks.clickhouse.pipeline import Pipeline
from sinks.clickhouse.rows import COLUMNS, Batch, TableRows
from sinks.clickhouse.writer import Stopped, WriteError, Writer
from tests.embedded.faulty import Fault, FaultyServer, before, drop_after, drop_before, miscount, refuse
from tests.sinks.desk import Database, policies

pytestmark = pytest.mark.embedded


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(writer_module, "LONGEST_WAIT_S", 0.01)


def spans(first: int, last: int) -> TableRows:
    rows = [b'["ticket","t",%d,"A",5,5,null,0,0,1,0]' % n for n in range(first, last)]
    return TableRows("span_rows", len(rows), b"\n".join(rows))


def progress(version: int) -> TableRows:
    return TableRows("progress_rows", 1, b'["facts",0,5,{"tickets":%d},%d]' % (version, version))


def batch(*parts: TableRows) -> Batch:
    made = Batch()
    for part in parts:
        made.add(part)
    return made


def numbers(database: Database) -> list[int]:
    return [n for (n,) in database.rows("SELECT n FROM span_rows FINAL ORDER BY n")]


FAULTS: dict[str, list[Fault]] = {
    "500": [refuse(1002)],
    "memory": [refuse(241)],
    "503": [refuse(202)] * 3,
    "connection dropped before": [drop_before],
    "connection dropped after": [drop_after],
    "dropped again and again": [drop_before, drop_after, refuse(241), drop_after, drop_before, drop_before],
    "miscounted": [miscount, miscount],
}


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_and_nothing_doubled(server: FaultyServer, database: Database, name: str) -> None:
    for fault in FAULTS[name]:
        server.inject(fault, "span_rows")
    writer = database.writer()
    writer.write(batch(spans(0, 500), progress(1)))
    assert numbers(database) == list(range(500))
    assert writer.retries >= 1 or name.startswith("connection dropped")  # the driver repeats those once by itself
    assert writer.rows == 501


def test_progress_comes_after_the_rows(server: FaultyServer, database: Database) -> None:
    start = len(server.statements)
    database.writer().write(batch(progress(1), spans(0, 3)))
    inserts = [text for text in server.statements[start:] if "INSERT" in text]
    assert ["span_rows" in text for text in inserts] == [True, False]


def test_rows_that_fit_no_column_are_refused_in_one_sentence(database: Database) -> None:
    bad = TableRows("span_rows", 1, b'["ticket","t","not a number","A",5,5,null,0,0,1,0]')
    with pytest.raises(WriteError, match=rf"refuses rows for {database.name}\.span_rows: Code: \d+.*deskwatch migrate"):
        database.writer().write(batch(bad))


def test_rows_of_an_earlier_release_get_the_default_of_a_new_column(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.client.command(f"ALTER TABLE {database.name}.span_rows ADD COLUMN reopened UInt8 DEFAULT 7")
    monkeypatch.setitem(COLUMNS, "span_rows", (*COLUMNS["span_rows"], "reopened"))
    database.writer().write(batch(spans(0, 2)))
    assert database.rows("SELECT n, reopened FROM span_rows FINAL ORDER BY n") == [(0, 7), (1, 7)]


def test_error_codes_are_called_as_the_engine_calls_them(database: Database) -> None:
    codes = ", ".join(f"errorCodeToName({code.value})" for code in FinalError)
    assert database.rows(f"SELECT {codes}") == [tuple(code.name for code in FinalError)]


def test_a_missing_table_is_refused(database: Database) -> None:
    database.client.command(f"DROP TABLE {database.name}.span_rows")
    with pytest.raises(WriteError, match="UNKNOWN_TABLE"):
        database.writer().write(batch(spans(0, 1)))


def test_a_server_that_is_away_is_waited_for_and_said_once(
    server: FaultyServer, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    server.inject(refuse(210), "span_rows", times=20)
    with caplog.at_level(logging.WARNING, "sinks"):
        database.writer().write(batch(spans(0, 1)))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "ClickHouse does not take rows; waiting for it (nothing is lost)"
    ]


def test_a_writer_that_is_stopped_gives_up(server: FaultyServer, database: Database) -> None:
    writer = database.writer()

    def stop() -> None:
        writer.stop()

    server.inject(before(stop), "span_rows")
    server.inject(drop_before, "progress_rows")
    with pytest.raises(Stopped):
        writer.write(batch(spans(0, 1), progress(1)))
    assert database.rows("SELECT * FROM progress_rows") == []


@pytest.fixture
def held(server: FaultyServer) -> Iterator[tuple[Callable[[], None], threading.Event]]:
    """A server that holds the next insert of spans back: (release it, whether it holds one)."""
    go, in_hand = threading.Event(), threading.Event()

    def wait() -> None:
        in_hand.set()
        assert go.wait(20)

    server.inject(before(wait), "span_rows")
    yield go.set, in_hand
    go.set()


def test_a_slow_server_slows_the_readers_and_memory_stays_bounded(
    server: FaultyServer, database: Database, held: tuple[Callable[[], None], threading.Event]
) -> None:
    """
    put     0-9 ──> written ... held           room for ten rows more, then the readers wait
    put             10-19 gathered
    put                         20-29 waits
    """
    go, in_hand = held
    done: list[int] = []

    async def read() -> None:
        pipeline = Pipeline(
            Writer(connect(server.url, password=server.password), database.name, policies()), rows=10, age_s=60
        )
        running = asyncio.create_task(pipeline.run())
        await asyncio.wait_for(pipeline.put([spans(0, 10)], lambda: done.append(0)), 20)
        await asyncio.to_thread(in_hand.wait, 20)
        await asyncio.wait_for(pipeline.put([spans(10, 20)], lambda: done.append(1)), 20)
        third = asyncio.create_task(pipeline.put([spans(20, 30)], lambda: done.append(2)))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not third.done()
        assert done == []
        go()
        await asyncio.wait_for(third, 20)
        while len(done) < 3:
            await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(read())
    assert done == [0, 1, 2]
    assert numbers(database) == list(range(30))


def test_few_rows_wait_no_longer_than_their_age(server: FaultyServer, database: Database) -> None:
    async def read() -> None:
        pipeline = Pipeline(
            Writer(connect(server.url, password=server.password), database.name, policies()), age_s=0.05
        )
        running = asyncio.create_task(pipeline.run())
        for n in range(3):
            written = asyncio.Event()
            await pipeline.put([spans(n, n + 1)], written.set)
            await asyncio.wait_for(written.wait(), 20)
        await pipeline.put([], (nothing := asyncio.Event()).set)  # a list of records without rows is acknowledged too
        await asyncio.wait_for(nothing.wait(), 20)
        running.cancel()

    asyncio.run(read())
    assert numbers(database) == [0, 1, 2]


def test_a_refusal_ends_the_pipeline(server: FaultyServer, database: Database) -> None:
    async def read() -> None:
        pipeline = Pipeline(
            Writer(connect(server.url, password=server.password), database.name, policies()), age_s=0.01
        )
        await pipeline.put([TableRows("span_rows", 1, b"no row")], lambda: pytest.fail("acknowledged"))
        await asyncio.wait_for(pipeline.run(), 20)

    with pytest.raises(WriteError):
        asyncio.run(read())


def test_a_server_that_is_away_at_the_start_is_waited_for(server: FaultyServer, database: Database) -> None:
    tries = []

    def connected() -> object:
        tries.append(1)
        return connect("http://127.0.0.1:1" if len(tries) < 3 else server.url, password=server.password)

    Writer(connected, database.name, policies()).write(batch(spans(0, 2)))
    assert numbers(database) == [0, 1]
    assert len(tries) == 3
