"""Keeps a run of this release as test data, so that later releases are tested against it.

    python -m tests.releases.keep FOLDER

FOLDER/log.jsonl.xz        the log: a simulated desk of three days, and a few handwritten events
FOLDER/topics.msgpack.xz   each record of every topic, changelogs too, after the first two days
FOLDER/clickhouse.tar.xz   the embedded database at that time
FOLDER/kept.json           the release, its rules, the partitions, the number of lines fed, the rows of each view
FOLDER/rows.json           the fields of each row
"""

import asyncio
import json
import lzma
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from sinks.clickhouse.progress import done, stages_behind
from sinks.clickhouse.rows import WIRE_ROWS
from streams.cli.options import settings_of
from streams.embedded.roles import prepare, start_roles
from streams.embedded.stack import Stack
from streams.kafka.topics import CONFIGS
from streams.models.instants import format_instant, parse_instant
from streams.models.restatements import RULES
from streams.models.topics import ACTIONS
from streams.replay.feeder import feed
from streams.replay.verify import VIEWS

PARTITIONS = 4
DAYS, KEPT_DAYS = 3, 2
STARTS_AT = parse_instant("2026-10-12T00:00:00+08:00")
DAY = 86_400_000


def by_hand() -> Iterable[bytes]:
    """What the simulated desk has not: an incident, a closure, a ticket in every status, a dead letter."""

    def event(kind: str, hours: float, **data: Any) -> bytes:
        at = STARTS_AT + round(hours * 3_600_000)
        return msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": f"{kind}/{at}/{data.get('ticket_id', '')}",
                "source": "/by-hand",
                "type": kind,
                "time": format_instant(at),
                "data": data,
            }
        )

    for n, status in enumerate(("new", "open", "pending", "on_hold", "solved", "closed", "reopened")):
        ticket = f"h-{status}"
        yield event(
            "ticket.created", 9 + n / 60, ticket_id=ticket, team="returns", customer_id=f"h-{n}", priority="high"
        )
        if status == "reopened":
            yield event("ticket.status_changed", 10, ticket_id=ticket, status="solved")
        if status != "new":
            yield event("ticket.status_changed", 10.5, ticket_id=ticket, status=status.replace("reopened", "open"))
    for n in range(3):
        yield event(
            "ticket.created", 11 + n, ticket_id=f"child-{n}", parent_id="h-open", priority="urgent", team="returns"
        )
    yield event(
        "desk.closed",
        12,
        calendar="office",
        **{"from": format_instant(STARTS_AT + DAY), "to": format_instant(STARTS_AT + DAY + 36_000_000)},
        reason="fire drill",
    )
    yield event("ticket.created", 12)  # no ticket_id: a dead letter


def log_lines() -> list[bytes]:
    """The whole log, in the order of time."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "log.jsonl"
        from typer.testing import CliRunner

        from streams.cli.main import app

        result = CliRunner().invoke(
            app, ["simulate", "--seed", "3", "--agents", "6", "--for", f"{DAYS}d", "--out", str(out)]
        )
        assert result.exit_code == 0, result.output
        lines = [*out.read_bytes().splitlines(), *by_hand()]
    return sorted(lines, key=lambda line: parse_instant(json.loads(line)["time"]))


async def read_topics(broker: str) -> list[tuple[Any, ...]]:
    """(topic, partition, offset, timestamp, key, value, headers) of every record there is."""
    found: list[tuple[Any, ...]] = []
    async with AIOKafkaConsumer(
        bootstrap_servers=broker, auto_offset_reset="earliest", max_partition_fetch_bytes=8 << 20
    ) as consumer:
        await consumer._client.force_metadata_update()
        parts = [
            TopicPartition(topic, n) for topic in CONFIGS for n in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        assert {tp.topic for tp in parts} == set(CONFIGS)
        for tp in parts:
            consumer.assign([tp])
            consumer.seek(tp, 0)
            quiet = 0
            while quiet < 2:
                records = (await consumer.getmany(tp, timeout_ms=300)).get(tp, [])
                quiet = 0 if records else quiet + 1
                found += [
                    (r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records
                ]
    return found


def answer(kind: str, warning_id: str, at: int) -> dict[str, Any]:
    """The action of a person on a warning."""
    data = {"warning_id": warning_id, "by": "li.wei", "note": "calling back"}
    about = {"specversion": "1.0", "id": f"{kind}/{warning_id}", "source": "/by-hand", "type": kind}
    return {**about, "time": format_instant(at), "data": data}


async def act(broker: str, events: list[dict[str, Any]]) -> None:
    """Put answers on the topic of actions."""
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        for event in events:
            key = event["data"]["warning_id"].encode()
            await producer.send_and_wait(ACTIONS, msgspec.json.encode(event), key=key)


def settle(client: Any, fed: Any) -> None:
    """Wait until all that was fed, and what came of it, is in ClickHouse."""
    until = time.monotonic() + 120
    while True:
        came = done(client, PARTITIONS)
        if all(came[tp] >= end for tp, end in fed.ends.items()) and not stages_behind(
            client, PARTITIONS, escalated=True
        ):
            return
        assert time.monotonic() < until, "the log did not drain"
        time.sleep(0.2)


def keep(folder: Path) -> None:
    """Run this release over the first days of the log and keep what it left."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = log_lines()
    fed_until = STARTS_AT + KEPT_DAYS * DAY
    first = [line for line in lines if parse_instant(json.loads(line)["time"]) < fed_until]
    with tempfile.TemporaryDirectory() as data:
        with Stack(Path(data)) as stack:
            settings, client = prepare(stack, settings_of(Path(data), partitions=PARTITIONS))
            start_roles(stack, settings, "log")
            settle(client, asyncio.run(feed(first, stack.broker, PARTITIONS, None, lambda _n: None)))
            critical = client.query(
                "SELECT warning_id, raised_at FROM risk_warnings WHERE severity = 'critical' AND state != 'cleared' "
                "ORDER BY raised_at, warning_id LIMIT 2"
            ).result_rows
            answers = zip(("warning.acknowledge", "warning.disagree"), critical, strict=True)
            asyncio.run(act(stack.broker, [answer(kind, row[0], fed_until - 1000) for kind, row in answers]))
            time.sleep(5)
            counts = {
                view: client.query(f"SELECT count() FROM {view}").result_rows[0][0]
                for view in [*VIEWS, "escalations", "escalation_events", "dead_letters", "data_quality"]
            }
            client.close()
            for name in ("escalate", "watch", "track", "store"):
                stack.stop(name, 20)
            records = asyncio.run(read_topics(stack.broker))
        with tarfile.open(folder / "clickhouse.tar.xz", "w:xz", preset=9) as tar:
            tar.add(Path(data) / "clickhouse", "clickhouse")
    (folder / "log.jsonl.xz").write_bytes(lzma.compress(b"\n".join(lines) + b"\n", preset=9))
    (folder / "topics.msgpack.xz").write_bytes(lzma.compress(msgspec.msgpack.encode(records), preset=9))
    about = {
        "release": version("deskwatch"),
        "rules": RULES,
        "partitions": PARTITIONS,
        "fed": len(first),
        "views": counts,
    }
    (folder / "kept.json").write_text(json.dumps(about, indent=1) + "\n")
    rows = {kind.table: kind.__struct_fields__ for kind in WIRE_ROWS}
    (folder / "rows.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
