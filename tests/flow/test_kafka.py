"""Features of Apache Kafka only: a persistent log, reported settings, deletion of records, transactions."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from streams.cli import doctor
from streams.kafka.topics import CHANGELOG, CONFIGS, create_topics
from streams.settings import Settings
from tests.apache_kafka import Kafka
from tests.flow.conftest import ToyDesk, started_kafka, wait_for
from tests.flow.toy import CALLS, PARTITIONS, TICKETS, toy_events

pytestmark = pytest.mark.kafka


@pytest.fixture
def toy_on_kafka(kafka: Kafka, tmp_path: Path) -> Iterator[ToyDesk]:
    desk = ToyDesk(kafka.address, tmp_path)
    try:
        yield desk
    finally:
        desk.close()


def test_the_topics_are_as_they_were_asked_for(kafka: Kafka) -> None:
    create_topics(Settings(broker=kafka.address, partitions=1))
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in CONFIGS]
    reported = admin.describe_configs(resources, config_filter="all")["topic"]
    admin.close()
    for name, config in CONFIGS.items():
        found = {key: reported[name][key]["value"] for key in (*config, "min.insync.replicas")}
        assert found == {**config, "min.insync.replicas": "1"}, name
    assert int(reported[CHANGELOG]["min.compaction.lag.ms"]["value"]) >= 3_600_000


def test_doctor_looks_at_the_topics_and_at_how_long_a_group_keeps_its_place(kafka: Kafka) -> None:
    create_topics(Settings(broker=kafka.address, partitions=1))
    found = {finding.about: finding for finding in doctor.kafka(kafka.address, 1)}
    assert found.keys() == {"broker", "topics", "topic settings", "groups"}
    assert all(finding.status == "ok" for finding in found.values()), found
    assert "7 days" in found["groups"].says


def test_a_killed_broker_goes_on_with_its_log(tmp_path: Path) -> None:
    with started_kafka(tmp_path) as kafka:
        desk = ToyDesk(kafka.address, tmp_path / "desk")
        desk.produce(1000)
        kafka.kill()
        kafka.start()
        assert kafka.process is not None
        found = asyncio.run(desk.read(TICKETS)) + asyncio.run(desk.read(CALLS))
        assert sum(map(len, found)) == 1000


class WithoutTopics(ToyDesk):
    """A desk whose topics are made later, by `create_topics`."""

    def _create_topics(self) -> None:
        pass

    def create_topics(self) -> None:
        super()._create_topics()


def test_a_worker_that_was_there_before_its_topics_takes_them_when_they_come(kafka: Kafka, tmp_path: Path) -> None:
    desk = WithoutTopics(kafka.address, tmp_path)
    try:
        worker = desk.worker("a")
        wait_for("the group to share out nothing", lambda: "Ignoring missing topic" in worker.text())
        desk.create_topics()
        desk.produce(500)
        desk.wait_folded()
    finally:
        desk.close()


def test_offsets_without_records_are_passed_over(toy_on_kafka: ToyDesk) -> None:
    """Records that retention deleted, commit markers, and a transaction that was aborted: it never happened.

    tickets[0]   . . . . 4 5 | C 12 13 | A . . | 16        . deleted or aborted, | marker
    """
    desk = toy_on_kafka
    desk.produce(2000)
    deleted = {TopicPartition(desk.prefix + TICKETS, number): 100 + number for number in range(PARTITIONS)}
    admin = KafkaAdminClient(bootstrap_servers=desk.broker)
    admin.delete_records(deleted)
    admin.close()
    forget(desk, {tp.partition: count for tp, count in deleted.items()})
    asyncio.run(produce_in_transactions(desk))
    desk.finish()
    worker = desk.worker("a")
    worker.wait_owner(PARTITIONS)
    desk.wait_folded()
    assert worker.stop()[0] == 0
    desk.check()
    assert worker.statistics("gaps") > 0


def forget(desk: ToyDesk, deleted: dict[int, int]) -> None:
    """Take the deleted tickets' events out of what is expected."""
    kept, seen = [], dict.fromkeys(range(PARTITIONS), 0)
    for topic, event in desk.events:
        number = event.ticket % PARTITIONS
        if topic == TICKETS:
            seen[number] += 1
        if topic != TICKETS or seen[number] > deleted[number]:
            kept.append((topic, event))
    desk.events, desk.gaps = kept, sum(deleted.values())


async def produce_in_transactions(desk: ToyDesk) -> None:
    """Ten transactions, every third of them aborted, and then an event on each partition, after all markers."""
    events = toy_events(seed=2)
    producer = AIOKafkaProducer(bootstrap_servers=desk.broker, transactional_id=desk.prefix)
    async with producer:
        for round_ in range(10):
            aborted = round_ % 3 == 2
            touched = set()
            await producer.begin_transaction()
            for _ in range(200):
                topic, event = next(events)
                touched.add((topic, event.ticket % PARTITIONS))
                value = msgspec.json.encode(event)
                await producer.send(desk.prefix + topic, value, partition=event.ticket % PARTITIONS)
                if aborted:
                    desk.gaps += 1
                else:
                    desk.events.append((topic, event))
            await producer.flush()
            await (producer.abort_transaction() if aborted else producer.commit_transaction())
            desk.gaps += len(touched)
    async with AIOKafkaProducer(bootstrap_servers=desk.broker) as plain:
        missing = {(topic, number) for topic in (TICKETS, CALLS) for number in range(PARTITIONS)}
        while missing:
            topic, event = next(events)
            if (topic, event.ticket % PARTITIONS) in missing:
                missing.discard((topic, event.ticket % PARTITIONS))
                value = msgspec.json.encode(event)
                await plain.send_and_wait(desk.prefix + topic, value, partition=event.ticket % PARTITIONS)
                desk.events.append((topic, event))
