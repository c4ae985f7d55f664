"""Apache Kafka itself on this machine, for tests and measurements: one node, loopback only, no Docker.

The jars come from Maven once, into `~/.cache/deskwatch` (or `$XDG_CACHE_HOME`). A broker keeps its log in a folder.
Unlike the embedded broker, it continues with that log on the same port after a kill and a restart.

    with Kafka(folder) as kafka:
        … kafka.address …
        kafka.kill()
        kafka.start()
"""

import base64
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.embedded.broker import answers
from streams.embedded.process import Process
from streams.errors import UserError

VERSION = "4.1.1"  # of the jars; docker-compose.yml runs the same
_LOG4J = "2.24.3"  # Kafka 4.1.1's own
START_S = 60.0
STOP_S = 20.0
FETCH_S = 600.0
PORTS = range(20_000, 32_000)
"""Below the kernel's range of outgoing ports: a port in that range could be taken while the broker is down."""

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>deskwatch</groupId><artifactId>kafka</artifactId><version>{VERSION}</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency><!-- without it the broker's errors go nowhere -->
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{_LOG4J}</version>
    </dependency>
  </dependencies>
</project>
"""
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")  # starts in half the time


class KafkaUnavailable(UserError):
    """Apache Kafka cannot run here. The message is one sentence that says why."""


def jars() -> Path:
    """The folder with Kafka's jars, fetched by Maven if they are missing. Raises KafkaUnavailable.

    Concurrent processes wait for the first one.
    """
    if shutil.which("java") is None:
        raise KafkaUnavailable("Apache Kafka needs Java (17 or later), and there is no `java` here.")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deskwatch"
    found = cache / f"kafka-{VERSION}"
    if found.is_dir():
        return found
    if shutil.which("mvn") is None:
        raise KafkaUnavailable("Apache Kafka's jars are fetched by Maven, and there is no `mvn` here.")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.is_dir():
            _fetch(cache / f"kafka-{VERSION}.part").rename(found)
    return found


def _fetch(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "pom.xml").write_text(_POM)
    argv = ["mvn", "-q", "-B", "-f", str(folder / "pom.xml"), _PLUGIN, "-DincludeScope=runtime"]
    try:
        subprocess.run(
            [*argv, f"-DoutputDirectory={folder}"], check=True, text=True, capture_output=True, timeout=FETCH_S
        )
    except subprocess.CalledProcessError as error:
        said = next((line for line in error.stdout.splitlines() if "ERROR" in line), f"exit status {error.returncode}")
        raise KafkaUnavailable(f"Maven cannot fetch Apache Kafka {VERSION}: {said}") from None
    except subprocess.TimeoutExpired:
        raise KafkaUnavailable(f"Maven did not fetch Apache Kafka {VERSION} within {FETCH_S:.0f} s.") from None
    return folder


class Kafka:
    """One Apache Kafka node, broker and controller; its log in `folder` survives restarts.

    Arguments:
        folder: created if it does not exist; `broker.log` in it is the broker's output.
        config: settings of the broker, which override those of :meth:`_config`.

    The process dies with the *thread* that started it (:class:`Process`). Raises KafkaUnavailable.
    """

    def __init__(self, folder: Path, config: Mapping[str, str] | None = None) -> None:
        self._classpath = f"{jars()}/*"
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process: Process | None = None
        self._properties = folder / "server.properties"
        lines = {**self._config(free_port()), **(config or {})}
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        self._format()

    def _config(self, controller: int) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "auto.create.topics.enable": "false",  # an unknown topic is a mistake
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # A killed broker may register again after its former session: 9 s by default.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",  # 6 s by default, too long for tests
            "log.cleaner.dedupe.buffer.size": str(16 << 20),  # 128 MiB by default, a quarter of the heap
        }

    def _format(self) -> None:
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
        arguments = ["format", "--standalone", "-t", identity, "-c", str(self._properties)]
        done = subprocess.run(
            ["java", *_JVM, "-cp", self._classpath, "kafka.tools.StorageTool", *arguments],
            text=True,
            capture_output=True,
            timeout=START_S,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
            raise KafkaUnavailable(f"Apache Kafka's log cannot be formatted in {self.folder}: {said[0]}")

    def start(self) -> None:
        """Start it, with its log if it ran before; returns once it serves requests."""
        log = self.folder / "broker.log"
        argv = ["java", *_JVM, "-cp", self._classpath, "kafka.Kafka", str(self._properties)]
        self.process = Process("kafka", argv, {}, self.folder / "broker.pid", log)
        until = time.monotonic() + START_S
        try:
            while not (self.process.listens(self.port) and answers(self.address) and self._serves()):
                if self.process.exit_status() is not None or time.monotonic() > until:
                    raise KafkaUnavailable(f"Apache Kafka did not start: {self.process.last_words()} (see {log})")
                time.sleep(0.05)
        except BaseException:
            self.kill()
            raise

    def _serves(self) -> bool:
        """Whether topics can be created and groups joined; the broker answers other requests earlier.

        A request for the offsets of a group makes the broker create the topic for them.
        """
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.address)
        except KafkaError:
            return False
        try:
            if not admin.describe_cluster()["brokers"]:
                return False
            admin.list_group_offsets("readiness")
            return True
        except KafkaError:
            return False
        finally:
            admin.close()

    def kill(self) -> None:
        """End it at once, with SIGKILL; the log remains."""
        if self.process is not None:
            self.process.send(signal.SIGKILL)
            self.process.end(STOP_S)

    def stop(self) -> None:
        """End it cleanly: it closes its log."""
        if self.process is not None:
            self.process.ask_to_end()
            self.process.end(STOP_S)

    def __enter__(self) -> "Kafka":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    """A free port of 127.0.0.1 that no outgoing connection will take; another server may take it."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
