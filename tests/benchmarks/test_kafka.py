"""Fetching Apache Kafka: once, also for concurrent callers; the error message if it is not available."""

import re
import threading
from pathlib import Path

import pytest

from tests import apache_kafka as kafka
from tests.apache_kafka import PORTS, VERSION, KafkaUnavailable, free_port, jars

ROOT = Path(__file__).parents[2]
FETCH = """
echo called >> "$CALLS"
sleep 0.2
for it; do case "$it" in -DoutputDirectory=*) touch "${it#*=}/a.jar";; esac; done
"""
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the path, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return folder


def program(folder: Path, name: str, script: str = "") -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    file.chmod(0o755)


def test_without_java_or_maven_it_says_which_is_missing(programs: Path) -> None:
    with pytest.raises(KafkaUnavailable, match="there is no `java` here"):
        jars()
    program(programs, "java")
    with pytest.raises(KafkaUnavailable, match="there is no `mvn` here"):
        jars()


def test_the_error_of_maven_is_passed_on_and_a_retry_starts_over(programs: Path) -> None:
    program(programs, "java")
    program(programs, "mvn", "echo '[ERROR] no route to host'; exit 1")
    with pytest.raises(KafkaUnavailable, match=rf"cannot fetch Apache Kafka {VERSION}: .*no route to host"):
        jars()
    program(programs, "mvn", FETCH)
    assert (jars() / "a.jar").exists()


def test_concurrent_callers_wait_for_the_first_download(programs: Path, tmp_path: Path) -> None:
    program(programs, "java")
    program(programs, "mvn", FETCH)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(jars())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert (len(found), (tmp_path / "calls").read_text()) == (4, "called\n")
    assert jars() == found[0]


@pytest.mark.skipif(not EPHEMERAL.exists(), reason="only Linux says which ports it gives to outgoing connections")
def test_no_port_is_one_of_the_ephemeral_range() -> None:
    lowest = int(EPHEMERAL.read_text().split()[0])
    assert all(free_port() in PORTS for _ in range(20))
    assert PORTS.stop <= lowest


def test_the_installation_for_docker_runs_the_same_version() -> None:
    images = re.findall(r"image: apache/kafka:(\S+)", (ROOT / "docker-compose.yml").read_text())
    assert images == [kafka.VERSION]
