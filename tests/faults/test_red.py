"""The suite can fail: with the claim, the outbox or the deduplication switched off it does, and with none it does not.

before the append    a ====~~~~~~~~~~~ (zombie: appends) ====      ~ frozen, x killed
                     b ====:==========:x=====
after the append     a ====x   =====                               the outputs are not sent by the killed one
"""

import os
import random
import signal
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from streams.settings import Settings
from streams.simulator import World, encode, events
from tests.faults.log import MONDAY, disordered
from tests.faults.result import Result, Struck
from tests.faults.round import Round, track
from tests.faults.schedule import Strike
from tests.faults.system import System

pytestmark = [pytest.mark.embedded, pytest.mark.faults]

TRACK = [sys.executable, "-m", "faust", "-A", "tests.faults.broken:app", "worker", "-l", "info", "--without-web"]
RATE = 800.0
FREEZE, KILL = Strike("freeze_before_append", 3.0, 1), Strike("kill_after_append", 2.0)


class StrikingRound(Round):
    """A round that strikes at points of a checkpoint, too."""

    def act(self, strike: Strike, struck: Struck) -> None:
        if strike.kind == "freeze_before_append":
            self._freeze_before_append(strike, struck)
        elif strike.kind == "kill_after_append":
            self._strike_itself(track(strike.which), "appended KILL")
        else:
            super().act(strike, struck)

    def _strike_itself(self, name: str, how: str) -> int:
        pid = self.system.pid(name)
        assert pid is not None
        file = self.system.directory.data / f"strike-{pid}"
        file.with_suffix(".draft").write_text(how)
        file.with_suffix(".draft").rename(file)
        until = time.monotonic() + 20
        while file.exists():
            assert time.monotonic() < until, f"{name} wrote no checkpoint"
            time.sleep(0.02)
        return pid

    def _freeze_before_append(self, strike: Strike, struck: Struck) -> None:
        name, other = track(strike.which), track(1 - strike.which)
        partitions, at = self.system.partitions_of(name), time.monotonic()
        pid = self._strike_itself(name, "append STOP")
        self._await_takeover(partitions, at)
        struck.takeover_s = self.changelog.takeover_s(partitions, at)
        struck.woken = struck.takeover_s is not None
        time.sleep(2)
        os.kill(pid, signal.SIGCONT)
        time.sleep(1)
        self.system.kill(other)
        self._await_takeover(self.system.partitions_of(other), time.monotonic())


def dense(seconds: float) -> list[bytes]:
    """Simulated events of one busy hour and a half: each minute's pane goes on changing for as long as it is fed."""
    number = int(seconds * RATE)
    contacts = number / 11 * 8
    world = World(seed=3, start=MONDAY, agents=int(contacts / 20), contacts_a_day=contacts)
    return disordered(random.Random(3), islice((encode(event) for event in events(world)), number))


def struck_round(folder: Path, lines: list[bytes], strikes: list[Strike]) -> Result:
    result = Result(0, "embedded")
    system = System(folder, track=TRACK)
    with system:
        settings = Settings(data=folder)
        StrikingRound(system, settings, lines, strikes, rate=RATE, away_s=5, tell=print).run(result)
    return result


def differing(result: Result) -> set[str]:
    return {fault.partition(":")[0] for fault in result.faults}


def test_with_the_claim_a_zombie_counts_for_nobody(tmp_path: Path) -> None:
    result = struck_round(tmp_path, dense(30), [FREEZE])
    assert result.faults == []
    assert result.skipped_checkpoints >= 1  # the zombie's, which is in the log


def test_with_the_outbox_what_was_not_sent_is_sent_again(tmp_path: Path) -> None:
    result = struck_round(tmp_path, dense(8), [KILL])
    assert result.faults == []
    assert result.duplicates > 0  # and with the deduplication they count once


def test_without_the_claim_a_zombie_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN", "claim")
    # In which views depends on what the zombie had folded; or ClickHouse refuses what two owners made of one sequence.
    assert struck_round(tmp_path, dense(30), [FREEZE]).faults


def test_without_the_outbox_outputs_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN", "outbox")
    assert "sla_ledger" in differing(struck_round(tmp_path, dense(8), [KILL]))


def test_without_deduplication_events_count_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN", "deduplication")
    assert {"ticket_minutes", "call_minutes"} & differing(struck_round(tmp_path, dense(5), []))
