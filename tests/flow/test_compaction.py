"""A changelog that Kafka really compacts: small segments and a short lag here, the safe setting in all other tests."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.checkpoint.changelog import Changelog
from streams.checkpoint.fencing import ENTRY, LogReader
from streams.desk.partition_state import Snapshot
from streams.kafka.app import BatchApp
from streams.kafka.topics import CHANGELOG_CONFIG
from tests.flow.conftest import CHANGELOG, ToyDesk, started_kafka, wait_for
from tests.flow.toy import LEDGER, PARTITIONS

pytestmark = pytest.mark.kafka

LAG_MS = 4000  # an owner writes a zombie's keys again within two checkpoints: one second
ZOMBIE = b"\x93\x07\x07\x07"  # an entry that no worker writes: [7, 7, 7]
COMPACTED = {
    **CHANGELOG_CONFIG,
    "cleanup.policy": "compact",
    "segment.ms": "500",
    "min.compaction.lag.ms": str(LAG_MS),
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "0",
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ToyDesk]:
    with started_kafka(tmp_path / "kafka", log_cleaner_backoff_ms="200") as kafka:
        desk = ToyDesk(kafka.address, tmp_path)
        desk.create_topic(CHANGELOG, COMPACTED)
        try:
            yield desk
        finally:
            desk.close()


def test_a_worker_restores_exactly_from_a_compacted_changelog(desk: ToyDesk) -> None:
    """
    a     =====:========x          many checkpoints
    log        z . . . .  . . . .  compacted; z: a zombie's checkpoint of keys of a's and of a new one
    b                     ======>  restores from what is left
    """
    desk.produce(rate=1000)
    first = desk.worker("a", TOY_LIMIT="20000")
    first.wait_owner(PARTITIONS)
    wait_for("entries on every partition", lambda: min(map(len, asyncio.run(desk.read(CHANGELOG)))) > 500)
    asyncio.run(zombie_checkpoint(desk))
    wait_for("the zombie's records to be compacted away", lambda: not zombies(desk), 90)
    vanished = [gone(records) for records in asyncio.run(desk.read(CHANGELOG))]
    assert min(vanished) > 200, vanished
    first.send(signal.SIGKILL)
    second = desk.worker("b")
    second.wait_owner(PARTITIONS)
    desk.finish()
    desk.wait_folded()
    assert second.stop()[0] == 0
    readers = desk.check()
    assert all(reader.epoch >= 2 for reader in readers)


async def zombie_checkpoint(desk: ToyDesk) -> None:
    """Append a checkpoint of a former epoch to every partition: it overwrites an entry, removes one, and adds one."""
    written = await desk.read(CHANGELOG)
    changelog = Changelog(
        desk.prefix + CHANGELOG, [desk.prefix + LEDGER], BatchApp("unit", broker=f"kafka://{desk.broker}").conf
    )
    await changelog.start()
    for number, records in enumerate(written):
        keys = sorted({record.key for record in records if record.key[:1] == ENTRY and record.value is not None})
        snapshot = Snapshot([(keys[0][1:], ZOMBIE), (keys[1][1:], None), (b"t999999999", ZOMBIE)], [])
        await changelog.append(number, LogReader(epoch=0, owner="zombie", sequence=7).checkpoint(snapshot, {}))
    await changelog.stop()


def zombies(desk: ToyDesk) -> int:
    """How many of the zombie's records are still in the changelog."""
    return sum(record.value == ZOMBIE for records in asyncio.run(desk.read(CHANGELOG)) for record in records)


def gone(records: list[Any]) -> int:
    """How many offsets hold no record any more."""
    return int(records[-1].offset) + 1 - len(records)
