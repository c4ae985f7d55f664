"""Incidents through the whole pipeline: the same in any number of partitions, and never held up by a dead worker."""

import asyncio
import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from streams.embedded.broker import APPS
from streams.kafka.partitioner import partition_of
from streams.models.instants import format_instant
from streams.models.topics import INPUTS
from tests.flow.conftest import Worker, wait_for
from tests.flow.month import whole_job, write
from tests.flow.running import objects
from tests.flow.test_escalation import PARTITIONS, events, own_broker
from tests.naive.desk import ticket
from tests.sinks.receivers import http_receiver

pytestmark = pytest.mark.embedded
__all__ = ["own_broker"]
POLICY = """
version = "t"
timezone = "UTC"
[calendars.always]
hours = "24x7"
[[sla]]
name = "all"
calendar = "always"
warn_at = 0.75
first_response = { normal = "1h", urgent = "2s" }
[[escalation]]
severity = ["critical"]
steps = [ { after = "0m", to = "lead" } ]
[receivers]
lead = { url_env = "DESKWATCH_LEAD_URL", burst = 1000 }
"""
CHILDREN = 1000


def outage() -> list[dict[str, Any]]:
    """An incident with a thousand reports, which breach after an hour, one every three seconds.

    report   n % 3   0  a child from its creation
                     1  linked an hour later, after its breach
                     2  linked, and not any more half an hour later
    """
    found = [ticket(0, "created", ticket_id="INC"), ticket(200, "created", ticket_id="END")]
    for n in range(CHILDREN):
        name, since = f"REQ-{n}", 1 + n / 20
        parent = {"parent_id": "INC"} if n % 3 == 0 else {}
        found.append(ticket(since, "created", f"{n} created", ticket_id=name, **parent))
        if n % 3:
            found.append(ticket(since + 60.01, "updated", f"{n} linked", ticket_id=name, parent_id="INC"))
        if n % 3 == 2:
            found.append(ticket(since + 90, "updated", f"{n} let go", ticket_id=name, parent_id=""))
    return sorted(found, key=lambda event: str(event["time"]))


def test_an_incident_escalates_the_same_with_one_four_and_eight_partitions(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl.gz", [msgspec.json.encode({"specversion": "1.0", **event}) for event in outage()])
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    found = []
    for partitions in (1, 4, 8):
        data = tmp_path / str(partitions)
        whole_job(data, log, "--policy", policy, "--partitions", partitions)
        question = "SELECT * EXCEPT (sent_at) FROM escalations ORDER BY warning_id, step, state"
        found.append(objects("sql", "--data", data, question))
        found.append(objects("sql", "--data", data, "SELECT * FROM escalation_events ORDER BY warning_id, seq"))
    assert found[0] == found[2] == found[4]
    assert found[1] == found[3] == found[5]
    whole = Counter(
        row["state"]
        for row in found[0]
        if row["rule"] == "sla.breached" and row["step"] == 0 and row["subject"][0] == "R"
    )
    later = len(range(2, CHILDREN, 3))  # they lead incidents of their own again
    assert whole == {"folded": CHILDREN - later, "leads": later}


def test_a_dead_worker_delays_no_critical_of_other_partitions_by_ten_seconds(own_broker: str, tmp_path: Path) -> None:
    """
    worker one      x breaches, told at once         t1, t2 (of "nobody") breach ... told within 10 s, as one incident
    worker two      frozen: its desk tells nothing
    """
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    environment = {
        "DESKWATCH_BROKER": own_broker,
        "DESKWATCH_PARTITIONS": str(PARTITIONS),
        "DESKWATCH_POLICY": str(policy),
        "DESKWATCH_DATA": str(tmp_path),
        "DESKWATCH_SESSION": "60",
        "DESKWATCH_METRICS_PORT": "0",
        "DESKWATCH_API_PORT": "0",
    }
    with ExitStack() as stack:
        lead = stack.enter_context(http_receiver())
        environment["DESKWATCH_LEAD_URL"] = lead.url
        escalate = start(stack, "escalate", "escalate", environment, tmp_path)
        one = start(stack, "one", "track", environment, tmp_path)
        two = start(stack, "two", "track", environment, tmp_path)
        escalate.wait_owner(PARTITIONS)
        wait_for("a partition each", lambda: len(one.took_over()) == len(two.took_over()) == 1, 90)
        two.process.send_signal(signal.SIGSTOP)
        (home,) = one.took_over()
        parent, x, t1, t2 = (name_in(home, name) for name in ("nobody", "x", "t1", "t2"))
        asyncio.run(create(own_broker, home, {x: "", t1: parent, t2: parent}))
        wait_for("all three", lambda: len(told(own_broker)) == 3, 30)
        found = told(own_broker)
        delays = {name: (row["at"] - raised_at(own_broker, name)) / 1000 for name, row in found.items()}
        assert found[t2]["state"] == "folded"
        assert delays[x] < 3
        assert 7 < delays[t1] < 10
        two.process.kill()
    assert len(lead.got) == 2


def start(stack: ExitStack, name: str, role: str, environment: dict[str, str], folder: Path) -> Worker:
    worker = Worker(name, f"{APPS}:{role}", environment, folder / f"{name}.log")
    stack.callback(worker.process.wait)
    stack.callback(worker.process.kill)
    return worker


def told(broker: str) -> dict[str, Any]:
    """By ticket, the event by which its breach was sent, or folded."""
    rows = [row for row in events(broker) if row["rule"] == "sla.breached"]
    return {row["ticket_id"]: row for row in rows if row["state"] in ("sent", "folded")}


def name_in(partition: int, name: str) -> str:
    """An id with this beginning, of a ticket in this partition."""
    return next(id_ for n in range(100) if partition_of(id_ := f"{name}-{n}", PARTITIONS) == partition)


async def create(broker: str, partition: int, parents: dict[str, str]) -> None:
    """Create urgent tickets now, one after another: of one instant, the warning with the least id would lead."""
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        now = time.time_ns() // 1_000_000
        for n, (name, parent_id) in enumerate(parents.items()):
            time_ = format_instant(now + n)
            data = {"ticket_id": name, "priority": "urgent", **({"parent_id": parent_id} if parent_id else {})}
            event = {"specversion": "1.0", "id": name, "source": "/t", "type": "ticket.created", "time": time_}
            value = msgspec.json.encode({**event, "data": data})
            await producer.send_and_wait(INPUTS[0], value, key=name.encode(), partition=partition)


def raised_at(broker: str, ticket_id: str) -> int:
    """When the first step of a ticket's breach fell due, or, folded, when it was raised."""
    (row,) = [
        row for row in events(broker) if (row["ticket_id"], row["rule"], row["seq"]) == (ticket_id, "sla.breached", 1)
    ]
    return int(row["due_at"] or row["at"])
