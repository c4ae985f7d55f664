"""A round: start the product, feed events, inject faults, drain, and compare every view with the fold of the log."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sinks.clickhouse.client import Client
from streams.checkpoint.takeover import TOOK_OVER_LOG
from streams.embedded.roles import prepare, start_role, start_roles
from streams.embedded.stack import StackError
from streams.policies import policies_of
from streams.replay.feeder import ReplayError
from streams.replay.verify import verified
from streams.settings import Settings
from tests.faults.clickhouse import AWAY
from tests.faults.feeding import Feeding
from tests.faults.result import Injected, Result
from tests.faults.schedule import KILL_BROKER, WORKERS, Fault
from tests.faults.system import System
from tests.faults.watch import Changelog, Progress

MIN_IN_FLIGHT = 1000
"""Events that must be in flight for a fault to count."""

PATIENCE_S = 5.0
"""How long a fault waits for so many."""

SESSION_S = 6.0
FROZEN_S = SESSION_S + 4.0
FAULT_S = 3.0
CURRENT_S = 3.0
BROKER_AWAY_S = 2.0
STAY_S = 6.0
FOLLOWS_S = 30.0
DRAIN_S = 180.0
START_S = 60.0

ABANDONED_LOGS = ("is given up", "is abandoned")
"""What a track worker logs when it abandons unsaved work."""
YIELDED_LOGS = (*ABANDONED_LOGS, "was taken over", "claimed it back", "Took over")
"""What a worker logs once it notices that its partitions were taken over."""


class Round:
    """One round over a system.

    Arguments:
        lines: what is fed, at `rate` lines a second.
        faults: what is injected when.
        away_s: how long ClickHouse stays away.
        tell: called with what is under way.
    """

    def __init__(
        self,
        system: System,
        settings: Settings,
        lines: Sequence[bytes],
        faults: Sequence[Fault],
        *,
        rate: float,
        away_s: float,
        tell: Callable[[str], None],
    ) -> None:
        self.system, self.settings, self.lines, self.faults = system, settings, lines, faults
        self.rate, self.away_s, self.tell = rate, away_s, tell
        self._clickhouse, self._joined = threading.Lock(), threading.Lock()

    def run(self, result: Result) -> None:
        """Run it, and fill in the result."""
        started = time.monotonic()
        self.settings, client = prepare(self.system, self.settings)
        partitions = self.settings.partitions
        start_roles(self.system, self.settings, "log", WORKERS)
        self.changelog = Changelog(self.system.broker, partitions)
        self.progress = Progress(self.system, self.settings.database, partitions)
        try:
            self._await_workers()
            self.feeding = Feeding(self.lines, self.system.broker, partitions, self.rate)
            with ThreadPoolExecutor(max(1, len(self.faults))) as pool:
                injecting = [pool.submit(self._inject_when_due, fault) for fault in self.faults]
            result.injected = [each.result() for each in injecting]
            result.drain_s = self._drain(client)
            result.events = self.feeding.fed
            self._check(client, result)
            result.folded_again = self._folded_again()
        except (TimeoutError, ReplayError, StackError) as error:
            result.violations.append(str(error))
        finally:
            self.progress.stop()
            self.changelog.stop()
        result.peak_mb = {name: round(peak) for name, peak in self.system.peak_mb.items()}
        result.skipped_checkpoints = self.changelog.skipped()
        result.seconds = time.monotonic() - started
        result.clean = not result.violations

    def _await_workers(self) -> None:
        """Wait until the track workers share the partitions, and store runs."""
        self.tell("starting")
        until = time.monotonic() + START_S
        names = [track(which) for which in range(WORKERS)]
        while sum(len(self.system.partitions_of(name)) for name in names) != self.settings.partitions or not all(
            self.system.partitions_of(name) for name in names
        ):
            self.system.check()
            if time.monotonic() > until:
                raise TimeoutError(f"the workers did not share the partitions within {START_S:.0f} s")
            time.sleep(0.1)

    # --- faults -------------------------------------------------------------------------------------------------------

    def _inject_when_due(self, fault: Fault) -> Injected:
        until = self.feeding.began + fault.at_s
        time.sleep(max(0.0, until - time.monotonic()))
        while (in_flight := self._in_flight()) < MIN_IN_FLIGHT and time.monotonic() < until + PATIENCE_S:
            time.sleep(0.02)
        self.tell(f"{fault.kind} with {in_flight:,} events in flight")
        injected = Injected(fault.kind, in_flight)
        self.inject(fault, injected)
        return injected

    def inject(self, fault: Fault, injected: Injected) -> None:
        """Inject a fault, and wait for what follows."""
        name = track(fault.which)
        match fault.kind:
            case "kill_track":
                self._kill_track(name, injected)
            case "freeze_track":
                self._freeze(name, injected)
            case "join_and_leave":
                self._join_and_leave(injected)
            case "rolling_restart":
                self._restart(name, injected)
            case "kill_store":
                self.system.kill("store")
            case "kill_clickhouse":
                self.system.kill("clickhouse")
            case "clickhouse_away":
                self._fault(injected, AWAY, self.away_s)
            case kind if kind == KILL_BROKER:
                self.system.kill_broker(BROKER_AWAY_S)
            case kind:
                self._fault(injected, kind, FAULT_S)

    def _in_flight(self) -> int:
        return self.feeding.in_flight(self.progress.done)

    def _fault(self, injected: Injected, name: str, seconds: float) -> None:
        with self._clickhouse:  # one after the other
            with self.system.fault(name):
                time.sleep(seconds)
            ended = time.monotonic()
            while self._in_flight() > CURRENT_S * self.rate and time.monotonic() < ended + DRAIN_S:
                time.sleep(0.1)
            injected.caught_up_s = time.monotonic() - ended

    def _kill_track(self, name: str, injected: Injected) -> None:
        partitions, at = self.system.partitions_of(name), time.monotonic()
        self.system.kill(name)
        self._await_takeover(partitions, at)
        injected.takeover_s = self.changelog.takeover_s(partitions, at)

    def _await_takeover(self, partitions: list[int], at: float) -> None:
        while time.monotonic() < at + 30 and self.changelog.takeover_s(partitions, at) is None:
            time.sleep(0.1)

    def _freeze(self, name: str, injected: Injected) -> None:
        partitions, at = self.system.partitions_of(name), time.monotonic()
        pid = self.system.send(name, signal.SIGSTOP)
        time.sleep(FROZEN_S)
        while time.monotonic() < at + 30 and not self.changelog.taken_over(partitions, at):
            time.sleep(0.1)
        injected.takeover_s = self.changelog.takeover_s(partitions, at)
        said, skipped = len(self.system.log_of(name)), self.changelog.skipped()
        if self.system.pid(name) != pid:
            return  # killed by another fault meanwhile
        self.system.send(name, signal.SIGCONT)
        injected.woken = bool(partitions) and self.changelog.taken_over(
            partitions, at
        )  # else nothing was taken from it
        until = time.monotonic() + 15
        while not injected.fenced and time.monotonic() < until:
            time.sleep(0.2)
            words = self.system.log_of(name)[said:]
            yielded = any(sign in words for sign in YIELDED_LOGS)
            injected.fenced = injected.woken and (yielded or self.changelog.skipped() > skipped)

    def _join_and_leave(self, injected: Injected) -> None:
        with self._joined:
            at, abandoned = time.monotonic(), self._abandoned()
            name = track(WORKERS)
            start_role(self.system, self.settings, "log", name)
            self._await_part(name)
            time.sleep(STAY_S)
            self.system.stop(name)
            self._await_all()
            injected.pause_s = self.changelog.longest_pause_s(at, time.monotonic())
            injected.abandoned = self._abandoned() - abandoned

    def _restart(self, name: str, injected: Injected) -> None:
        at, abandoned = time.monotonic(), self._abandoned()
        self.system.stop(name)
        said = len(self.system.log_of(name))
        start_role(self.system, self.settings, "log", name)
        self._await_part(name, said)
        self._await_all()
        injected.pause_s = self.changelog.longest_pause_s(at, time.monotonic())
        injected.abandoned = self._abandoned() - abandoned

    def _await_part(self, name: str, said: int = 0) -> None:
        """Wait until a worker has taken partitions over: read its log from the character `said` on."""
        until = time.monotonic() + FOLLOWS_S
        while TOOK_OVER_LOG not in self.system.log_of(name)[said:] and time.monotonic() < until:
            time.sleep(0.1)

    def _await_all(self) -> None:
        """Wait until every partition has a new checkpoint, twice: another rebalance could follow the first."""
        for pause_s in (0.0, STAY_S):
            time.sleep(pause_s)
            since = time.monotonic()
            while not self.changelog.all_written(since) and time.monotonic() < since + FOLLOWS_S:
                if self.feeding.finished():
                    return
                time.sleep(0.1)

    def _folded_again(self) -> int | None:
        """Stop the track workers, and compare the records that they folded with those that were fed."""
        names = [track(which) for which in range(WORKERS + 1)]
        for name in names:
            self.system.stop(name)
        folded = self.system.folded(names)
        return None if folded is None else folded - sum(self.feeding.ends.values())

    def _abandoned(self) -> int:
        logs = [self.system.log_of(track(which)) for which in range(WORKERS + 1)]
        return sum(log.count(sign) for log in logs for sign in ABANDONED_LOGS)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _drain(self, client: Client) -> float:
        """Wait until all is in ClickHouse; returns the seconds since the last event was fed. Raises TimeoutError."""
        while not self.feeding.finished():
            self.system.check()
            time.sleep(0.05)
        self.tell("draining")
        started = time.monotonic()
        while time.monotonic() < started + DRAIN_S:
            self.system.check()
            came, behind = self.progress.complete
            if not behind and all(came.get(tp, 0) >= end for tp, end in self.feeding.ends.items()):
                return time.monotonic() - started
            time.sleep(0.1)
        missing = {tp: (came.get(tp, 0), end) for tp, end in self.feeding.ends.items() if came.get(tp, 0) < end}
        raise TimeoutError(
            f"not all came to ClickHouse within {DRAIN_S:.0f} s: {missing}, {behind} parts of later stages"
        )

    def _check(self, client: Client, result: Result) -> None:
        self.tell("verifying")
        differences = verified(client, self.settings.database, self.lines, policies_of(self.settings))
        for difference in differences:
            if difference.surplus or difference.missing:
                result.violations.append(
                    f"{difference.view}: {difference.surplus:,} rows only in the pipeline, "
                    f"{difference.missing:,} only recomputed, e.g. {difference.examples[:2]}"
                )
        came = client.query("SELECT count() FROM dead_letters").result_rows[0][0]
        sent = sum(b'"poison-' in line for line in self.lines)
        if came < sent:
            result.violations.append(f"dead_letters: {came:,} of {sent:,} came")
        result.duplicates = client.query("SELECT sum(duplicates) FROM data_quality").result_rows[0][0]


def track(which: int) -> str:
    """The name of a track worker among the stack's parts."""
    return "track" if not which else f"track-{which + 1}"
