"""The data of an earlier release are opened by this one, continued, and proved equal to the log.

kept by the release      day 1 ── day 2 ──|  changelogs, topics, ClickHouse
this release                              |── day 3 ──> verify: all three days
"""

import asyncio
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from sinks.clickhouse import migrate as migrations
from streams import policies
from streams.cli.options import settings_of
from streams.embedded.client import client_of
from streams.embedded.roles import prepare, start_roles
from streams.embedded.stack import Stack
from streams.replay.feeder import feed
from streams.replay.verify import verified
from tests.releases.keep import settle

pytestmark = pytest.mark.embedded

HERE = Path(__file__).parent
RELEASES = sorted(folder.name for folder in HERE.glob("v*"))


class Kept:
    """The kept data of a release: its log, the number of lines that were fed, its records; ClickHouse is in `data`."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.data = data
        self.about: dict[str, Any] = json.loads((folder / "kept.json").read_text())
        self.lines = lzma.decompress((folder / "log.jsonl.xz").read_bytes()).splitlines()
        self.records = msgspec.msgpack.decode(lzma.decompress((folder / "topics.msgpack.xz").read_bytes()))
        with tarfile.open(folder / "clickhouse.tar.xz") as tar:
            tar.extractall(data, filter="data")


@pytest.fixture(params=RELEASES)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    return Kept(HERE / request.param, tmp_path / "data")


def test_a_kept_database_is_opened_and_verified(kept: Kept) -> None:
    with client_of(kept.data, "deskwatch") as client:
        migrations.migrate(client, "deskwatch")
        counts = {view: client.query(f"SELECT count() FROM {view}").result_rows[0][0] for view in kept.about["views"]}
        assert counts == kept.about["views"]
        differing = verified(client, "deskwatch", kept.lines[: kept.about["fed"]], policies.load(policies.DEFAULT))
        assert [each for each in differing if each.surplus or each.missing] == []


def test_kept_topics_are_taken_over_and_the_next_day_is_right(kept: Kept) -> None:
    with Stack(kept.data) as stack:
        settings, client = prepare(stack, settings_of(kept.data, partitions=kept.about["partitions"]))
        asyncio.run(_restore(stack.broker, kept.records))
        start_roles(stack, settings, "log")
        rest = kept.lines[kept.about["fed"] :]
        assert rest
        settle(client, asyncio.run(feed(rest, stack.broker, settings.partitions, None, lambda _n: None)))
        differing = verified(client, "deskwatch", kept.lines, policies.load(policies.DEFAULT))
        assert [each for each in differing if each.surplus or each.missing] == []
        by = client.query("SELECT acknowledged_by FROM risk_warnings WHERE acknowledged_by != ''").result_rows
        assert by == [("li.wei",)]
        client.close()


async def _restore(broker: str, records: list[list[Any]]) -> None:
    """Write the records to the same topics, partitions and offsets."""
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all", max_request_size=9 << 20) as producer:
        sent = [
            await producer.send(topic, value, key, partition=partition, headers=[tuple(header) for header in headers])
            for topic, partition, _offset, _timestamp, key, value, headers in records
        ]
        written = [(await each).offset for each in sent]
    assert written == [offset for _, _, offset, *_ in records]
