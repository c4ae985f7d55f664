"""The data of an earlier release are opened by this one, restated, continued, and proved equal to the log.

kept by the release      day 1 ── day 2 ──|  changelogs, topics, ClickHouse
this release             restated ────────|── day 3 ──> verify: all three days
"""

import asyncio
import json
import lzma
import signal
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from sinks.clickhouse import migrate as migrations
from streams import policies
from streams.cli.options import settings_of
from streams.desk.output.release import sentence
from streams.embedded.client import client_of
from streams.embedded.roles import prepare, start_roles
from streams.embedded.stack import Stack
from streams.models.restatements import RULES
from streams.replay.feeder import feed
from streams.replay.restated import FormerRules, restatements
from streams.replay.verify import verified
from streams.settings import Settings
from tests.flow.conftest import Worker
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
        self.rules: int = self.about.get("rules", 1)
        with tarfile.open(folder / "clickhouse.tar.xz") as tar:
            tar.extractall(data, filter="data")


@pytest.fixture(params=RELEASES)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    return Kept(HERE / request.param, tmp_path / "data")


def test_a_kept_database_is_opened_and_verified(kept: Kept) -> None:
    """If its rules are others, its rows are as they were, and verify says who restates them."""
    with client_of(kept.data, "deskwatch") as client:
        migrations.migrate(client, "deskwatch")
        counts = {view: client.query(f"SELECT count() FROM {view}").result_rows[0][0] for view in kept.about["views"]}
        assert counts.pop("freshness") >= kept.about["views"].pop("freshness")  # a row for each view
        assert counts == kept.about["views"]
        fed, policy = kept.lines[: kept.about["fed"]], policies.load(policies.DEFAULT)
        if kept.rules == RULES:
            assert [each for each in verified(client, "deskwatch", fed, policy) if each.surplus or each.missing] == []
        else:
            with pytest.raises(FormerRules, match="start role track, which restates what it holds"):
                verified(client, "deskwatch", fed, policy)


@pytest.mark.parametrize("killed", [False, True])
def test_kept_topics_are_taken_over_and_the_next_day_is_right(kept: Kept, killed: bool) -> None:
    """`killed`: by a worker that is killed in the middle of the restatement, and then by another one."""
    if killed and kept.rules == RULES:
        pytest.skip("the rules are the same: nothing is restated")
    with Stack(kept.data) as stack:
        settings, client = prepare(stack, settings_of(kept.data, partitions=kept.about["partitions"]))
        asyncio.run(_restore(stack.broker, kept.records))
        if killed:
            _restate_until_killed(settings)
        start_roles(stack, settings, "log")
        rest = kept.lines[kept.about["fed"] :]
        assert rest
        settle(client, asyncio.run(feed(rest, stack.broker, settings.partitions, None, lambda _n: None)))
        differing = verified(client, "deskwatch", kept.lines, policies.load(policies.DEFAULT))
        assert [each for each in differing if each.surplus or each.missing] == []
        by = client.query("SELECT acknowledged_by FROM risk_warnings WHERE acknowledged_by != ''").result_rows
        assert by == [("li.wei",)]
        _check_restatements(kept, client, settings.partitions)
        client.close()


def _restate_until_killed(settings: Settings) -> None:
    env = {
        "DESKWATCH_BROKER": settings.broker,
        "DESKWATCH_CLOCK": "log",
        "DESKWATCH_PARTITIONS": str(settings.partitions),
        "DESKWATCH_DATA": str(settings.data),
    }
    worker = Worker("killed", "tests.releases.killed:app", env, settings.data / "log" / "killed.log")
    assert worker.process.wait(60) == -signal.SIGKILL, worker.text()


def _check_restatements(kept: Kept, client: Any, partitions: int) -> None:
    """Each partition says what changed, in ClickHouse and in a worker's log."""
    found = restatements(client, "deskwatch")
    log = "".join(file.read_text() for file in (kept.data / "log").glob("*.log"))
    if kept.rules == RULES:
        assert found == []
        return
    assert [(row.stage, row.partition, row.rules_from, row.rules_to) for row in found] == [
        (stage, n, kept.rules, RULES) for stage in ("track", "customers") for n in range(partitions)
    ]
    assert all(row.subjects for row in found)
    assert sum(row.corrected for row in found) > 0
    assert all(sentence(row) in log for row in found)


async def _restore(broker: str, records: list[list[Any]]) -> None:
    """Write the records to the same topics, partitions and offsets."""
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all", max_request_size=9 << 20) as producer:
        sent = [
            await producer.send(topic, value, key, partition=partition, headers=[tuple(header) for header in headers])
            for topic, partition, _offset, _timestamp, key, value, headers in records
        ]
        written = [(await each).offset for each in sent]
    assert written == [offset for _, _, offset, *_ in records]
