"""A worker restarted with another policy: a changed past is refused, or restated, and the tables follow.

t1        created 10:00 ──── 10:30 ──── 11:00 ──── 12:00
policy a  1 h                           breached
policy b                     2 h                   breached         "b" was added on tuesday
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.cli.options import settings_of
from streams.embedded.roles import argv_of, prepare
from streams.embedded.stack import Stack
from streams.errors import STOPPED_FOR_GOOD
from tests.flow.conftest import Worker, wait_for
from tests.flow.month import deskwatch
from tests.flow.running import feed, rows
from tests.sinks.desk import OFFICE, event

pytestmark = [pytest.mark.embedded, pytest.mark.faults]

LEDGER = "SELECT transition, formatDateTime(at, '%H:%i'), policy_version FROM sla_ledger ORDER BY seq"
BEHIND = """
SELECT countIf(as_of < (SELECT max(as_of) FROM progress_rows FINAL)) FROM progress_rows FINAL
WHERE topic_name IN ('sla-ledger', 'facts', 'rollups', 'risk-warnings') OR topic_name LIKE '%/customers'
"""
A = OFFICE.replace('resolution = "1h"', 'resolution = "1h"\nwarn_at = 1.0')
B = A.replace('version = "1"', 'version = "2"\neffective_from = "2026-10-12T10:30:00Z"').replace('"1h"', '"2h"')


class Desk:
    """A store role that stays, and track workers that come and go."""

    def __init__(self, folder: Path) -> None:
        self.data, self.policies, self.folder = folder / "d", folder / "policies", folder
        self.policies.mkdir()
        (self.policies / "a.toml").write_text(A)
        self.stack = Stack(self.data)
        self.workers: list[Worker] = []

    def start(self) -> None:
        settings, client = prepare(self.stack, settings_of(self.data, self.policies))
        client.close()
        self.env = {
            "DESKWATCH_BROKER": settings.broker,
            "DESKWATCH_CLOCK": "log",
            "DESKWATCH_DATA": str(self.data),
            "DESKWATCH_POLICY": str(self.policies),
        }
        self.stack.start("store", argv_of("store", self.stack.apps), self.env)

    def track(self, name: str, **more: str) -> Worker:
        worker = Worker(name, f"{self.stack.apps}:track", {**self.env, **more}, self.folder / f"{name}.log")
        self.workers.append(worker)
        return worker


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    with desk.stack:
        desk.start()
        try:
            yield desk
        finally:
            for worker in desk.workers:
                worker.process.kill()
                worker.process.wait()


def test_a_version_in_the_past_is_refused_until_it_may_restate(desk: Desk) -> None:
    first = desk.track("first")
    feed(desk.data, event("ticket.created", "mon 10:00", team="C"), event("call.offered", "tue 17:00", "c1"))
    wait_for("the breach", lambda: len(rows(desk.data, LEDGER)) == 2)
    assert rows(desk.data, LEDGER) == [("activated", "10:00", "1"), ("breached", "11:00", "1")]
    assert first.stop()[0] == 0

    (desk.policies / "b.toml").write_text(B)
    refused = desk.track("refused")
    assert refused.process.wait(30) == STOPPED_FOR_GOOD
    last = refused.text().strip().splitlines()[-1]
    assert last.startswith("deskwatch-track stops: The policy version 2 (")
    assert "takes effect in the past, from 2026-10-12T10:30:00.000Z on" in last
    assert "--restate" in last

    desk.stack.stop("store")  # it writes the calendars of the versions it was started with
    desk.stack.start("store", argv_of("store", desk.stack.apps), desk.env)
    restating = desk.track("restating", DESKWATCH_RESTATE="yes")
    wait_for("the restatement", lambda: len(rows(desk.data, LEDGER)) == 3)
    ledger = [("activated", "10:00", "1"), ("retargeted", "10:30", "2"), ("breached", "12:00", "2")]
    wait_for("the ledger", lambda: rows(desk.data, LEDGER) == ledger)
    assert restating.stop()[0] == 0

    again = desk.track("again")
    again.wait_owner(4)
    feed(desk.data, event("ticket.created", "tue 17:30", "t2", team="C"))
    wait_for("a new ticket", lambda: len(rows(desk.data, LEDGER)) == 4)
    wait_for("all to be stored", lambda: rows(desk.data, BEHIND) == [(0,)])  # the stage customers comes behind the desk
    assert again.stop()[0] == 0
    deskwatch("verify", "--data", desk.data, "--policy", desk.policies)
