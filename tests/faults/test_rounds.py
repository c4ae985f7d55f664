"""The short part of the fault suite (`make faults` runs the long one): faults under load, and every view is exact."""

import time
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from streams.app import STORE, TRACK
from streams.embedded.roles import start_role
from streams.settings import Settings
from tests.faults.log import disorderly
from tests.faults.report import as_text
from tests.faults.result import Injected, Result
from tests.faults.round import MIN_IN_FLIGHT, Round, track
from tests.faults.schedule import KILL_BROKER, KINDS, Fault, schedule
from tests.faults.system import System

RATE, SECONDS = 1000.0, 15.0


def round_with(folder: Path, seed: int, plan: list[Fault], *, kafka: bool = False) -> Result:
    result = Result(seed, "kafka" if kafka else "embedded")
    system = System(folder, kafka=kafka)
    with system:
        lines = disorderly(seed, int(RATE * SECONDS))
        Round(system, Settings(data=folder), lines, plan, rate=RATE, away_s=3, tell=print).run(result)
    print(as_text(result))
    return result


@pytest.mark.faults
@pytest.mark.embedded
def test_every_view_equals_the_log_on_the_embedded_broker(tmp_path: Path) -> None:
    result = round_with(tmp_path, 1, schedule(1, SECONDS, list(KINDS), 4))
    assert result.violations == []
    assert all(fault.in_flight >= MIN_IN_FLIGHT for fault in result.injected)


@pytest.mark.faults
@pytest.mark.kafka
def test_every_view_equals_the_log_on_apache_kafka(tmp_path: Path) -> None:
    plan = schedule(1, SECONDS, list(KINDS), 3)
    plan[1] = plan[1]._replace(kind=KILL_BROKER)
    result = round_with(tmp_path, 2, plan, kafka=True)
    assert result.violations == []


class LongAway(Round):
    """The broker goes away with events in flight, for longer than any producer waits, and comes back on its log."""

    AWAY_S = 40.0

    def inject(self, fault: Fault, injected: Injected) -> None:
        while not self.feeding.finished():
            time.sleep(0.01)
        injected.in_flight = self._in_flight()
        self.system.kill_broker(self.AWAY_S)


@pytest.mark.faults
@pytest.mark.kafka
def test_workers_survive_a_broker_that_is_away_for_long(tmp_path: Path) -> None:
    """Workers that cannot append end, and are started again until the broker answers.

    broker  ======x                 ======
    workers =======~~~~~~~x x  x    =========> drained
    """
    result = Result(4, "kafka")
    system = System(tmp_path, kafka=True)
    with system:
        plan, lines = [Fault(KILL_BROKER, 1.0)], disorderly(4, 8_000)
        LongAway(system, Settings(data=tmp_path), lines, plan, rate=2_000, away_s=0, tell=print).run(result)
    assert result.violations == []
    assert result.injected[0].in_flight >= MIN_IN_FLIGHT


class ForgottenGroups(Round):
    """The consumer groups are deleted, and with them the committed offsets and generations."""

    def inject(self, fault: Fault, injected: Injected) -> None:
        workers = ["store", track(0), track(1)]
        for name in workers:
            self.system.stop(name)
        admin = KafkaAdminClient(bootstrap_servers=self.system.broker)
        admin.delete_groups([TRACK, STORE])
        admin.close()
        for name in workers:
            start_role(self.system, self.settings, "log", name)


@pytest.mark.faults
@pytest.mark.kafka
def test_the_committed_offsets_may_be_lost(tmp_path: Path) -> None:
    """Track continues from its checkpoints; store rewrites everything, which changes nothing."""
    result = Result(5, "kafka")
    system = System(tmp_path, kafka=True)
    with system:
        plan, lines = [Fault("groups deleted", 5.0)], disorderly(5, 8_000)
        ForgottenGroups(system, Settings(data=tmp_path), lines, plan, rate=1_000, away_s=0, tell=print).run(result)
    assert result.violations == []
