"""The running role store: from a broker's topics into ClickHouse, through faults and kills."""

import asyncio
import random
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from sinks.clickhouse.client import connect
from sinks.clickhouse.events import dead_letter_row
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.rows import Batch, encoded
from streams.app import STORE
from streams.errors import STOPPED_FOR_GOOD
from streams.kafka.topics import create_topics
from streams.models.dead_letters import dead_letter
from streams.models.records import Output
from streams.models.topics import DEAD_LETTERS, LEDGER
from streams.replay.log import place
from streams.replay.verify import compare
from streams.settings import Settings
from tests.embedded.faulty import FaultyServer, drop_after, drop_before, refuse
from tests.flow.conftest import Worker, wait_for
from tests.sinks.desk import OFFICE, Database, Record, checkpoints, disorderly, ms, outputs, policies

EVERY = 40  # lines a checkpoint


@pytest.fixture
def environment(broker: str, server: FaultyServer, tmp_path: Path) -> dict[str, str]:
    """Settings of a worker; the topics exist."""
    create_topics(Settings(broker=broker, partitions=1))
    policy = tmp_path / "policy.toml"
    policy.write_text(OFFICE)
    named = {"BROKER": broker, "CLICKHOUSE": server.url, "POLICY": str(policy), "DATA": str(tmp_path)}
    named |= {"PARTITIONS": "1", "CLICKHOUSE_PASSWORD": server.password}
    return {f"DESKWATCH_{name}": value for name, value in named.items()}


def send(broker: str, records: Sequence[Output]) -> None:
    async def run() -> None:
        async with AIOKafkaProducer(bootstrap_servers=broker, linger_ms=5) as producer:
            sent = [await producer.send(one.topic, one.value, one.key, 0, headers=list(one.headers)) for one in records]
            await asyncio.gather(*sent)

    asyncio.run(run())


def committed(broker: str, topic: str) -> int:
    async def ask() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        tp = TopicPartition(topic, 0)
        offsets = await admin.list_consumer_group_offsets(STORE, partitions=[tp])
        await admin.close()
        return int(offsets[tp].offset)

    return asyncio.run(ask())


def test_all_is_in_clickhouse_after_faults_and_a_kill(
    broker: str, apps: str, server: FaultyServer, environment: dict[str, str], tmp_path: Path
) -> None:
    """
    topics       first half |  rest, a dead letter, an unknown message
    a         ======x
    b               .......===========>     writes again what was written and not acknowledged
    """
    client = connect(server.url, password=server.password)
    pipeline, direct = Database(client, "deskwatch"), Database(client, "direct")
    for database in (pipeline, direct):
        migrate(client, database.name)
    lines = disorderly(random.Random(8))
    events = [Output(place(value).topic, None, value) for value in lines]
    sent = [output for checkpoint in outputs(lines, policies(), EVERY) for output in checkpoint]
    came = Record(b"\xffnonsense", "tickets", 999_999, ms("mon 10:00"))
    letter = dead_letter("tickets", came, "it is nonsense")
    batch = Batch()
    for rows in checkpoints(lines, policies(), EVERY):
        for part in rows:
            batch.add(part)
    row = dead_letter_row(Record(letter.value, DEAD_LETTERS, headers=letter.headers))
    assert row is not None
    batch.add(encoded([row]))
    direct.writer().write(batch)
    direct.writer().write_calendars()

    for fault in (drop_after, refuse(241), drop_before, drop_after):
        server.inject(fault, "insert into `deskwatch`.")
    send(broker, events[: len(events) // 2] + sent[: len(sent) // 2])
    first = Worker("a", f"{apps}:store", environment, tmp_path / "a.log")
    try:
        wait_for("rows", lambda: pipeline.one("SELECT count() FROM ledger_rows") > 0)
        first.send(signal.SIGKILL)
        first.process.wait()
        send(broker, events[len(events) // 2 :] + sent[len(sent) // 2 :] + [Output(LEDGER, None, b"{}"), letter])
        second = Worker("b", f"{apps}:store", environment, tmp_path / "b.log")
        try:
            ledger = sum(output.topic == LEDGER for output in sent) + 1
            wait_for("all to be committed", lambda: committed(broker, LEDGER) == ledger)
            wait_for("the events", lambda: pipeline.one("SELECT count() FROM events") == len(events))
            wait_for("the dead letter", lambda: pipeline.one("SELECT count() FROM dead_letters") == 1)
            code, seconds = second.stop()
        finally:
            second.process.kill()
    finally:
        first.process.kill()
    assert code == 0
    assert seconds < 8  # a stack waits ten seconds before it kills
    assert second.text().count("are passed over") == 1
    assert "ERROR" not in second.text()
    for difference in compare(client, pipeline.name, direct.name, {}):
        assert (difference.surplus, difference.missing) == (0, 0), difference
    letters = "SELECT topic, partition, offset, received_at, reason, hex(value) FROM dead_letters"
    assert pipeline.rows(letters) == direct.rows(letters)
    client.close()


def test_a_database_without_schema_ends_the_worker_with_a_sentence(
    apps: str, server: FaultyServer, environment: dict[str, str], tmp_path: Path
) -> None:
    client = connect(server.url, password=server.password)
    client.command("CREATE DATABASE empty")
    client.close()
    worker = Worker("c", f"{apps}:store", {**environment, "DESKWATCH_DATABASE": "empty"}, tmp_path / "c.log")
    try:
        assert worker.process.wait(30) == STOPPED_FOR_GOOD
    finally:
        worker.process.kill()
    assert "deskwatch migrate" in worker.text()


def test_a_worker_whose_clickhouse_is_away_ends_promptly(
    apps: str, server: FaultyServer, environment: dict[str, str], tmp_path: Path
) -> None:
    client = connect(server.url, password=server.password)
    migrate(client, "away")
    client.close()
    server.inject(refuse(210), "desk.closed", times=1000)  # the first that it asks
    worker = Worker("d", f"{apps}:store", {**environment, "DESKWATCH_DATABASE": "away"}, tmp_path / "d.log")
    try:
        wait_for("it to say so", lambda: "waiting for it (nothing is lost)" in worker.text())
        code, seconds = worker.stop()
    finally:
        worker.process.kill()
        server._planned.clear()
    assert code == 0
    assert seconds < 5
    assert worker.text().count("waiting for it") == 1
