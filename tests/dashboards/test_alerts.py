"""Every metric that an alert asks for has a sample on the page of a running role: an alert without one never fires."""

import asyncio
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from streams.cli.options import settings_of
from streams.cli.run import ROLES
from streams.embedded.roles import prepare, start_roles
from streams.embedded.stack import Stack
from streams.models.topics import FACTS
from streams.replay.feeder import feed

pytestmark = pytest.mark.embedded

ALERTS = Path(__file__).parents[2] / "dashboards" / "prometheus" / "alerts.yml"
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
PATIENCE_S = 60.0

EVENT = '{"specversion":"1.0","source":"t","id":"%s","type":"ticket.%s","time":"%s","data":{"ticket_id":"%s"%s}}'
LOG = [
    (EVENT % ("1", "created", "2026-10-12T02:00:00Z", "T1", ',"priority":"urgent"')).encode(),
    b'{"specversion":"1.0"}',  # a dead letter
    (EVENT % ("2", "created", "2026-10-19T02:00:00Z", "T2", "")).encode(),  # T1 breached long ago, and is escalated
]


def names(expression: str) -> set[str]:
    """The metrics of ours in an alert's expression."""
    return set(re.findall(r"\b(?:deskwatch|process)_\w+", re.sub(r'"[^"]*"', "", expression)))


async def send_unknown(broker: str) -> None:
    """A message of an output topic that no version knows."""
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await producer.send_and_wait(FACTS, b'{"type": "deskwatch.painting_rows", "data": {}}')


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """The metrics with a sample, on the pages of all roles, once the roles have done a little of everything."""
    data = tmp_path_factory.mktemp("data")
    with Stack(data) as stack:
        settings, client = prepare(stack, settings_of(data))
        client.close()
        start_roles(stack, settings, "log")
        asyncio.run(feed(LOG, stack.broker, settings.partitions, None, lambda _n: None))
        asyncio.run(send_unknown(stack.broker))
        wanted = set().union(*(names(rule["expr"]) for rule in RULES))
        until, found = time.monotonic() + PATIENCE_S, set[str]()
        while not wanted <= found and time.monotonic() < until:
            time.sleep(0.5)
            found = {name for role in ROLES for name in samples_of(stack.addresses[f"metrics-{role}"])}
        yield found


def samples_of(url: str) -> set[str]:
    try:
        with urllib.request.urlopen(url) as answer:
            text = answer.read().decode()
    except OSError:  # not up yet
        return set()
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_metric_of_an_alert_has_a_sample(rule: dict[str, Any], sampled: set[str]) -> None:
    assert names(rule["expr"]) <= sampled
