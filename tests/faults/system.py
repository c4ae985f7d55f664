"""The system under test: the embedded stack, with a ClickHouse that can be made to fail, and a broker of either kind.

Its parts are the processes of the product. The stack restarts a part that dies, as in a demo or a replay; under Docker,
the restart policy does that.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from streams.checkpoint.table import PROCESSED_LOG
from streams.checkpoint.takeover import TOOK_OVER_LOG
from streams.embedded.stack import Stack
from tests.apache_kafka import Kafka
from tests.faults.clickhouse import AWAY

_PROCESSED_LOG = re.compile(r"CheckpointTable: desk\]: " + PROCESSED_LOG.replace("%d", r"(\d+)"))
_STARTED_LOG = "Worker]: Starting"
"""what a track worker logs at its end and at its start."""


class System(Stack):
    """A stack into which faults can be injected.

    Arguments:
        data: its directory.
        kafka: whether the broker is Apache Kafka; else the embedded one.
        track: the command line of a track worker; None: that of the product.
    """

    def __init__(self, data: Path, *, kafka: bool = False, track: Sequence[str] | None = None) -> None:
        super().__init__(data)
        self.kafka = Kafka(data / "kafka") if kafka else None
        self.fault_file = data / "fault"
        self._track = track
        self.peak_mb: dict[str, float] = {}

    def _start_broker(self) -> Callable[[], None]:
        kafka = self.kafka
        if kafka is None:
            return super()._start_broker()
        self.addresses["broker"] = kafka.address
        self._order(lambda: kafka.start() or True)  # type: ignore[func-returns-value]
        return lambda: None

    def _clickhouse_argv(self) -> list[str]:
        return [sys.executable, "-m", "tests.faults.clickhouse", "--fault", str(self.fault_file.absolute())]

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Start a role; a track worker with the command line that was given."""
        super().start(name, self._track if self._track and name.startswith("track") else argv, env)

    def _end(self) -> None:
        super()._end()
        if self.kafka is not None:
            self.kafka.stop()

    # --- faults -------------------------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """Kill -9 a part; the stack starts it again."""
        self.send(name, signal.SIGKILL)

    def send(self, name: str, number: signal.Signals, patience_s: float = 10.0) -> int:
        """Send a signal to a part as soon as it runs; returns its process id."""
        until = time.monotonic() + patience_s
        while (pid := self.pid(name)) is None and time.monotonic() < until:
            time.sleep(0.05)
        if pid is not None:
            os.kill(pid, number)
        return pid or 0

    def kill_broker(self, away_s: float) -> None:
        """Kill -9 Apache Kafka, and start it again on its log some seconds later."""
        kafka = self.kafka
        assert kafka is not None
        kafka.kill()
        time.sleep(away_s)
        self._order(lambda: kafka.start() or True)  # type: ignore[func-returns-value]

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Inject a fault into the inserts; `away`: ClickHouse is killed, and stays away until the `with` block ends."""
        self.fault_file.write_text(name)
        if name == AWAY:
            self.kill("clickhouse")
        try:
            yield
        finally:
            self.fault_file.unlink()

    # --- memory and logs ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Update the peak memory of each part."""
        for name in list(self._parts):
            self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), self.memory_bytes(name) / (1 << 20))

    def log_of(self, name: str) -> str:
        """The log of a part, so far."""
        file = self._log(name)
        return file.read_text(errors="replace") if file.exists() else ""

    def partitions_of(self, name: str) -> list[int]:
        """The partitions that a track worker took over last."""
        _, found, rest = self.log_of(name).rpartition(TOOK_OVER_LOG)
        listed = rest.partition("]")[0].lstrip("[")
        return [int(number) for number in listed.split(",")] if found and listed else []

    def folded(self, names: Sequence[str]) -> int | None:
        """How many records these track workers, which have ended, folded; None if one was killed and could not say."""
        logs = [self.log_of(name) for name in names]
        counts = [int(number) for log in logs for number in _PROCESSED_LOG.findall(log)]
        return sum(counts) if len(counts) == sum(log.count(_STARTED_LOG) for log in logs) else None
