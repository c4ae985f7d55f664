"""Metrics: the page serves the listed metrics, with values from real desks and a real writer."""

import http.client
import json
import socket
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types.tuples import TP
from prometheus_client.parser import text_string_to_metric_families

from sinks.clickhouse.pipeline import Pipeline
from sinks.clickhouse.rows import Batch, encoded, rows_of
from sinks.clickhouse.writer import Writer
from sinks.metrics.escalate import ESCALATE
from sinks.metrics.page import PROCESS, PortTaken, RoleMetrics, serve
from sinks.metrics.store import STORE, store_metrics
from sinks.metrics.track import TRACK, track_metrics
from sinks.metrics.watch import WATCH
from streams import policies
from streams.checkpoint.partition import Partition, Statistics
from streams.desk.customers.partition import Customers
from streams.desk.track.partition import Desk
from streams.embedded.process import free_port
from streams.models.rows import ProgressRow
from streams.models.topics import CUSTOMER_FACTS, PROGRESS_TOPICS
from streams.settings import SettingsError, load

POLICIES = policies.load(policies.DEFAULT)


@pytest.fixture
def page() -> Iterator[Any]:
    """Serves metrics and returns the page: by metric name, its type and samples, by the labels in their order."""
    servers: list[Any] = []

    def read(served: Any) -> dict[str, tuple[str, dict[tuple[str, ...], float]]]:
        port = free_port()
        servers.append(serve(port, served))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        found: dict[str, tuple[str, dict[tuple[str, ...], float]]] = {}
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            samples = {
                tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in family.samples
            }
            found[name] = family.type, samples
        return found

    yield read
    for server in servers:
        server.shutdown()
        server.server_close()


def record(offset: int, value: object) -> Any:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return SimpleNamespace(value=body, headers=(), topic="tickets", partition=3, offset=offset, timestamp=0, key=None)


def event(event_id: str, kind: str, at: str, **data: object) -> dict[str, object]:
    head = {"specversion": "1.0", "source": "/test", "id": event_id, "type": kind, "time": at}
    return {**head, "data": {"ticket_id": "T1", **data}}


def table_of(state: Any, starting: Any, topic: str) -> Any:
    """A checkpoint table as far as metrics look at it, with one partition ready and one that is not."""
    ready = Partition(3, state)
    ready.ready = True
    lag = {TP(topic, 3): 7}
    return SimpleNamespace(held={3: ready, 4: Partition(4, starting)}, statistics=Statistics(), lag=lambda: lag)


def desk_table(desk: Desk | None = None) -> Any:
    return table_of(desk or Desk(3, POLICIES, wall=False), Desk(4, POLICIES, wall=False), "tickets")


def customers_table() -> Any:
    return table_of(Customers(0, POLICIES), Customers(0, POLICIES), CUSTOMER_FACTS)


def fed_table() -> Any:
    desk = Desk(3, POLICIES, wall=False)
    created = event("1", "ticket.created", "2026-11-02T01:00:00Z")
    records = [
        record(0, created),
        record(1, created),  # a duplicate
        record(2, {**created, "time": "2026-11-02T01:00:01Z"}),  # a conflict
        record(3, event("2", "ticket.replied", "2026-11-02T01:05:00Z", author="agent")),
        record(4, event("3", "ticket.replied", "2026-11-02T01:06:00Z", author="agent") | {"data": {"ticket_id": 5}}),
        record(5, b"\xff"),
        record(6, event("4", "ticket.painted", "2026-11-02T01:06:00Z")),
        record(7, event("5", "ticket.replied", "2026-11-02T01:07:00Z", author="agent") | {"data": {
            "ticket_id": "T2", "author": "agent"}}),
    ]  # fmt: skip
    assert desk.feed("tickets", records, 0) == len(records)
    desk.watermarks.seen = dict.fromkeys(desk.watermarks.seen, desk.watermarks.seen["tickets"])
    desk.advance(None)
    desk.snapshot(1 << 8, {"tickets": 8})
    table = desk_table(desk)
    table.statistics.fed["tickets"], table.statistics.batches["tickets"] = 8, 1
    table.statistics.checkpoints, table.statistics.checkpoint_seconds = 4, 0.25
    return table


def test_track_serves_what_its_desks_and_checkpoints_say(page: Any) -> None:
    found = page(track_metrics(fed_table(), SimpleNamespace(held={}, statistics=Statistics())))
    for name, labels, value in (
        ("records_total", ("tickets",), 8),
        ("batches_total", ("tickets",), 1),
        ("events_total", ("3",), 5),
        ("duplicates_total", ("3",), 1),
        ("conflicts_total", ("3",), 1),
        ("dead_letters_total", ("3", "desk"), 2),
        ("unknown_total", ("3",), 1),
        ("orphans", ("3",), 1),
        ("held_subjects", ("3",), 2),
        ("asleep_subjects", ("3",), 0),
        ("clock_timestamp_seconds", ("3",), 1793581620),  # 2026-11-02T01:07:00Z
        ("lag", ("3", "tickets"), 7),
    ):
        assert found[f"deskwatch_track_{name}"][1] == {labels: value}, name
    assert found["deskwatch_track_checkpoints_total"][1] == {("desk",): 4, ("customers",): 0}
    assert found["deskwatch_track_checkpoint_seconds_total"][1] == {("desk",): 0.25, ("customers",): 0}


def test_track_serves_what_its_stage_customers_says(page: Any) -> None:
    customers = customers_table()
    customers.held[3].state.stage.business_time = 9_000
    customers.held[3].state.totals["dead_letters"] = 2
    customers.statistics.checkpoints, customers.statistics.fed[CUSTOMER_FACTS] = 5, 40
    found = page(track_metrics(desk_table(), customers))
    for name, samples in (
        ("checkpoints_total", {("desk",): 0, ("customers",): 5}),
        ("records_total", {(CUSTOMER_FACTS,): 40}),
        ("lag", {("3", "tickets"): 7, ("3", CUSTOMER_FACTS): 7}),
        ("dead_letters_total", {("3", "desk"): 0, ("3", "customers"): 2}),
        ("customers", {("3",): 0}),
        ("customers_clock_timestamp_seconds", {("3",): 9}),
    ):
        assert found[f"deskwatch_track_{name}"][1] == samples, name


class Accepting:
    """A ClickHouse client that takes every row."""

    def raw_insert(self, _table: str, _columns: Any, block: bytes, **_: Any) -> Any:
        return SimpleNamespace(written_rows=block.count(b"\n") + 1)


def batch_of(*rows: ProgressRow) -> Batch:
    batch = Batch()
    for row in rows:
        batch.add(encoded([row]))
    return batch


def test_store_serves_what_its_pipeline_wrote(page: Any) -> None:
    pipeline = Pipeline(Writer(Accepting(), "deskwatch", POLICIES))
    unknown = Counter({"facts": 2})
    served = store_metrics(pipeline, unknown, _app(TP("facts", 0), committed=40, end=45))
    now = time.time_ns() // 1_000_000
    pipeline.writer.write(batch_of(ProgressRow("facts", 0, now - 9_000, {}), ProgressRow("tickets", 1, -1, {})))
    pipeline.writer.write(batch_of(ProgressRow("facts", 0, now - 8_000, {}), ProgressRow("facts", 1, now, {})))
    pipeline.writer.write(batch_of(ProgressRow("facts", 0, now - 9_000, {})))  # came again: no step back
    found = page(served)
    assert found["deskwatch_store_rows_total"][1] == {("progress_rows",): 5}
    assert found["deskwatch_store_inserts_total"][1] == {(): 3}
    assert found["deskwatch_store_unknown_messages_total"][1] == {("facts",): 2}
    assert found["deskwatch_store_lag"][1] == {("0", "facts"): 5}
    delays = found["deskwatch_store_delay_seconds"][1]
    assert set(delays) == {("0", "facts"), ("1", "facts")}  # tickets has no time yet
    assert delays["0", "facts"] - delays["1", "facts"] == pytest.approx(8, abs=0.001)


def _app(tp: TP, committed: int, end: int) -> Any:
    consumer = SimpleNamespace(
        _committed_offset={tp: committed}, assignment=lambda: {tp}, highwater={tp: end}.__getitem__
    )
    return SimpleNamespace(started=True, consumer=consumer)


NOT_STARTED = SimpleNamespace(started=False)
"""An app that has no lag yet."""


def test_an_insert_that_fails_counts_nothing() -> None:
    class Refusing:
        def raw_insert(self, *_: Any, **__: Any) -> Any:
            raise OSError("refused")

    pipeline = Pipeline(Writer(Refusing(), "deskwatch", POLICIES))
    written = store_metrics(pipeline, Counter(), NOT_STARTED).source.written
    with pytest.raises(OSError, match="refused"):
        pipeline.writer.write(batch_of(ProgressRow("facts", 0, 1, {})))
    assert not written.rows
    assert not written.as_of


def test_the_page_and_the_list_say_the_same(page: Any) -> None:
    store = store_metrics(Pipeline(Writer(Accepting(), "deskwatch", POLICIES)), Counter(), NOT_STARTED)
    for served, listed in ((track_metrics(fed_table(), customers_table()), TRACK), (store, STORE)):
        found = {name: kind for name, (kind, _) in page(served).items()}
        process = {name: kind for name, kind in found.items() if name in PROCESS}
        assert set(process) == set(PROCESS)
        assert {name: kind for name, kind in found.items() if name not in PROCESS} == {
            metric.name: metric.type for metric in listed
        }


def test_the_list_is_well_formed() -> None:
    listed = (*TRACK, *WATCH, *STORE, *ESCALATE)
    assert len({metric.name for metric in listed}) == len(listed)
    for metric in listed:
        assert metric.name.endswith("_total") == (metric.type == "counter")
        assert metric.meaning.endswith(".")


def test_every_count_of_checkpoints_is_served() -> None:
    """A field added to Statistics must be given a metric."""
    read: list[str] = []

    class Reading:
        def __getattr__(self, field: str) -> Any:
            read.append(field)
            return getattr(Statistics(), field)

    list(track_metrics(*2 * [SimpleNamespace(held={}, statistics=Reading())]).collect())
    assert set(read) == set(Statistics.__dataclass_fields__)


def test_lag_is_left_out_while_partitions_come_and_go(page: Any) -> None:
    table = fed_table()

    def lag() -> Any:
        raise AssertionError("Partition is not assigned")  # aiokafka's

    table.lag = lag
    assert page(track_metrics(table, SimpleNamespace(held={}, statistics=Statistics())))["deskwatch_track_lag"][1] == {}


def test_port_0_serves_nothing_and_a_taken_port_is_said_in_a_sentence() -> None:
    metrics = RoleMetrics((), None)
    assert serve(0, metrics) is None
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"at 127\.0\.0\.1:{port} \(Address already in use\): set DESK"):
            serve(port, metrics)


def test_only_this_machine_is_served() -> None:
    server = serve(free_port(), RoleMetrics((), None))
    assert server is not None
    assert server.server_address[0] == "127.0.0.1"
    server.shutdown()
    server.server_close()


def test_the_address_is_a_setting() -> None:
    assert load({"DESKWATCH_METRICS_HOST": "0.0.0.0"}).metrics_host == "0.0.0.0"
    assert load({}).metrics_host == "127.0.0.1"
    with pytest.raises(SettingsError, match="DESKWATCH_METRICS_HOST = 'http://x' is not an address to serve"):
        load({"DESKWATCH_METRICS_HOST": "http://x"})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "rebound.example"}, 403),
    ],
)
def test_the_page_is_for_prometheus_and_people_not_for_web_pages(headers: dict[str, str], status: int) -> None:
    port = free_port()
    server = serve(port, RoleMetrics([], None))
    assert server is not None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics", headers=headers)
        assert connection.getresponse().status == status
    finally:
        connection.close()
        server.shutdown()
        server.server_close()


@pytest.mark.embedded
def test_the_store_of_real_rows_is_counted(page: Any, tmp_path: Path) -> None:
    pytest.importorskip("chdb")
    from sinks.clickhouse.client import connect
    from sinks.clickhouse.migrate import migrate
    from streams.embedded.clickhouse import Server

    server = Server(tmp_path / "clickhouse")
    server.start()
    try:
        with connect(server.url, password=server.password) as client:
            migrate(client, "deskwatch")
            pipeline = Pipeline(Writer(client, "deskwatch", POLICIES))
            served = store_metrics(pipeline, Counter(), NOT_STARTED)
            desk = Desk(3, POLICIES, wall=False)
            created = event("1", "ticket.created", "2026-11-02T01:00:00Z", priority="high")
            desk.feed("tickets", [record(0, created)], 0)
            batch = Batch()
            for output in desk.snapshot(1 << 8, {"tickets": 1}).outputs:
                if output.topic in PROGRESS_TOPICS:
                    batch.add(rows_of(output.value))
            pipeline.writer.write(batch)
            rows = page(served)["deskwatch_store_rows_total"][1]
            for (table,), number in rows.items():
                assert client.command(f"SELECT count() FROM deskwatch.{table}") == number
            assert ("ticket_rows",) in rows
    finally:
        server.stop()
