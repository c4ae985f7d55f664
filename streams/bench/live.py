"""The latency of warnings on a running desk: `deskwatch bench live`.

    fed now       0 s ─── warm-up ─── 15 s ────────────────────────────────────────────── the end
    risk-warnings                     latency of each warning: from its instant until it is read from the topic
    storm                                         60 s ── STORM clocks breach ── 120 s

Broker, one track worker and role escalate, on the wall clock; a receiver counts its messages.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.bench.broker import BenchError, Broker, Group
from streams.bench.live_feed import STORM_TARGET_MS, STORM_WARN_AT, TARGET_MS, UNANSWERED, WARN_AT
from streams.bench.measure import environment
from streams.bench.worker import Worker
from streams.checkpoint.takeover import TOOK_OVER_LOG
from streams.embedded.broker import APPS
from streams.embedded.roles import argv_of
from streams.kafka.topics import create_topics
from streams.models.instants import MINUTE
from streams.models.topics import INPUTS, WARNINGS
from streams.settings import Settings

RULES = ("sla.at_risk", "sla.breached")
WARM_UP_S = 15.0
COMMIT_TIMEOUT_S = 60.0
POLICY = f"""
version = "live"
timezone = "UTC"
[calendars.always]
hours = "24x7"
[[sla]]
name = "storm"
match = {{ category = ["storm"] }}
calendar = "always"
warn_at = {STORM_WARN_AT}
first_response = "{STORM_TARGET_MS // 1000}s"
[[sla]]
name = "live"
calendar = "always"
warn_at = {WARN_AT}
first_response = "{TARGET_MS // 1000}s"
[[escalation]]
severity = ["critical"]
steps = [ {{ after = "0m", to = "web" }} ]
[receivers]
web = {{ url_env = "DESKWATCH_WEB_URL", digest_every = "10s" }}
"""


@dataclass(frozen=True)
class Live:
    """The figures. Latencies in seconds; rates in events a second; peak memory in MiB."""

    events: int
    warnings: int
    p50_s: float
    p99_s: float
    max_s: float
    slowest_rate: float
    """The lowest rate of committed events, over any five seconds after the warm-up."""
    behind_s: float
    """Seconds from the last event until all offsets were committed."""
    track_mb: float
    escalate_mb: float
    messages: int
    """Messages that the receiver got, digests included."""


class _Warning(msgspec.Struct):
    rule: str = ""
    raised_at: int = 0


class _Event(msgspec.Struct):
    type: str
    data: _Warning


def measure(
    settings: Settings, folder: Path, *, rate: float, seconds: float, storm: int, tell: Callable[[str], None]
) -> Live:
    """Measure once. Raises BenchError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "live.toml").write_text(POLICY)
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder))
        create_topics(replace(settings, broker=broker.address))
        receiver = stack.enter_context(_receiver())
        env = {
            **environment(),
            "DESKWATCH_BROKER": broker.address,
            "DESKWATCH_CLOCK": "wall",
            "DESKWATCH_PARTITIONS": str(settings.partitions),
            "DESKWATCH_POLICY": str(folder / "live.toml"),
            "DESKWATCH_DATA": str(folder),
            "DESKWATCH_METRICS_PORT": "0",
            "DESKWATCH_API_PORT": "0",
            "DESKWATCH_WEB_URL": receiver.url,
        }
        track, escalate = (
            stack.enter_context(Worker(role, argv_of(role, APPS), env, folder)) for role in ("track", "escalate")
        )
        tell("starting")
        while TOOK_OVER_LOG not in track.log.read_text():
            track.check_alive()
            time.sleep(0.1)
        figures = rate, storm, seconds
        argv = [sys.executable, "-m", "streams.bench.live_feed", broker.address, str(settings.partitions)]
        feeding = subprocess.Popen([*argv, *map(str, figures)], stdout=subprocess.PIPE, text=True, env=environment())
        stack.callback(feeding.kill)
        tell("feeding")
        observed = asyncio.run(_observe(broker.address, settings.partitions, feeding, track))
        return observed.result(rate, seconds, storm, track.peak_mb(), escalate.peak_mb(), receiver.posted)


class _Observed:
    """The observations of a run: the instant and latency of each warning, and the committed events over time."""

    def __init__(self) -> None:
        self.began = time.time_ns() // 1_000_000
        self.latencies: list[tuple[int, float]] = []
        self.seen: Counter[str] = Counter()
        self.committed: list[tuple[float, int]] = []
        self.events, self.behind_s = 0, 0.0

    def read(self, value: bytes) -> None:
        """Note a message of risk-warnings."""
        now = time.time_ns() // 1_000_000
        found = msgspec.json.decode(value, type=_Event)
        if found.type == "warning.raised" and found.data.rule in RULES:
            self.seen[found.data.rule] += 1
            self.latencies.append((found.data.raised_at, (now - found.data.raised_at) / 1000))

    def result(
        self, rate: float, seconds: float, storm: int, track_mb: float, escalate_mb: float, messages: int
    ) -> Live:
        """The figures. Raises BenchError if warnings are missing."""
        breaching = min(storm, int(storm * max(0.0, seconds * 1000 - STORM_TARGET_MS) / MINUTE))
        breaching += int(max(0.0, seconds - TARGET_MS / 1000) * rate / 4 / UNANSWERED)
        if self.seen["sla.breached"] < breaching - 2:
            raise BenchError(f"{breaching:,} clocks were to breach, and {self.seen['sla.breached']:,} warnings came")
        from_ms = self.began + WARM_UP_S * 1000
        found = sorted(latency for at, latency in self.latencies if at >= from_ms)
        if len(found) < 100:
            raise BenchError(f"Only {len(found)} warnings came after the first {WARM_UP_S:.0f} s: feed for longer.")
        cuts = statistics.quantiles(found, n=100)
        return Live(
            self.events, len(found), cuts[49], cuts[98], found[-1], self._slowest(), self.behind_s, track_mb,
            escalate_mb, messages,
        )  # fmt: skip

    def _slowest(self) -> float:
        warm = [look for look in self.committed if look[0] >= WARM_UP_S]
        rates = [
            (later[1] - look[1]) / (later[0] - look[0])
            for n, look in enumerate(warm)
            if (later := next((one for one in warm[n:] if one[0] >= look[0] + 5), None)) is not None
        ]
        return min(rates, default=0.0)


async def _observe(broker: str, partitions: int, feeding: "subprocess.Popen[str]", track: Worker) -> _Observed:
    """Read warnings until all fed events are committed."""
    observed = _Observed()
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", fetch_max_wait_ms=20)
    began_s = time.monotonic()
    async with consumer, Group(broker, "deskwatch-track", INPUTS, partitions) as group:
        consumer.assign([TopicPartition(WARNINGS, n) for n in range(partitions)])
        looked, ended_s, ends = 0.0, None, {}
        while True:
            for records in (await consumer.getmany(timeout_ms=50)).values():
                for record in records:
                    observed.read(record.value)
            now = time.monotonic() - began_s
            if ended_s is None and feeding.poll() is not None:
                ends, ended_s = _fed(feeding), now
                observed.events = sum(ends.values())
            if now - looked < 0.5:
                continue
            looked = now
            track.check_alive()
            committed = await group.committed()
            if ended_s is None:
                observed.committed.append((now, sum(committed.values())))
            elif all(committed[tp] >= end for tp, end in ends.items()):
                observed.behind_s = now - ended_s
                return observed
            elif now - ended_s > COMMIT_TIMEOUT_S:
                raise BenchError(
                    f"Not all that was fed was committed within {COMMIT_TIMEOUT_S:.0f} s (see {track.log})"
                )


def _fed(feeding: "subprocess.Popen[str]") -> dict[tuple[str, int], int]:
    assert feeding.stdout is not None
    if feeding.returncode:
        raise BenchError(f"The feed ended with exit status {feeding.returncode}")
    return {(topic, partition): end for topic, partition, end in json.loads(feeding.stdout.read())}


class _Receiver:
    """Counts the messages that are posted to it."""

    def __init__(self) -> None:
        self.posted = 0
        counting = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                counting.posted += 1
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/"


@contextmanager
def _receiver() -> Iterator[_Receiver]:
    receiver = _Receiver()
    threading.Thread(target=receiver.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
