"""Every socket that listens, of every role and command: on this machine's loopback interface only."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from streams.embedded.process import free_port
from streams.embedded.roles import prepare, start_roles
from streams.embedded.stack import Stack
from streams.settings import Settings
from tests.embedded.waiting import until

pytestmark = pytest.mark.embedded

ROLES = ("track", "watch", "store", "escalate")


def listening(pid: int | None) -> list[str]:
    """The addresses at which a process listens, over TCP and UDP; `host` for each, without the port."""
    if pid is None:
        return []
    found = psutil.Process(pid).net_connections("inet")
    return sorted(c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN or (c.type == 2 and not c.raddr))


def status(port: int, headers: dict[str, str]) -> int:
    """The status of the first page at a port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        settings, client = prepare(stack, Settings(data=stack.directory.data))
        client.close()
        start_roles(stack, settings, "wall")
        yield stack


@pytest.mark.parametrize(
    ("part", "sockets"), [("broker", 1), ("clickhouse", 1), ("track", 1), ("watch", 1), ("store", 1), ("escalate", 2)]
)
def test_a_part_of_the_stack_listens_on_loopback(stack: Stack, part: str, sockets: int) -> None:
    """A role: its metrics page; escalate its API, too."""
    until(lambda: len(listening(stack.pid(part))) >= sockets, part)
    assert listening(stack.pid(part)) == ["127.0.0.1"] * sockets
    assert listening(os.getpid()) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_plain_faust_worker_listens_on_loopback_and_answers_no_web_page(
    stack: Stack, role: str, tmp_path: Path
) -> None:
    """`faust -A streams.app worker`: Faust's own pages are on all addresses by default."""
    environment = {
        "DESKWATCH_BROKER": stack.broker,
        "DESKWATCH_CLICKHOUSE": stack.clickhouse,
        "DESKWATCH_CLICKHOUSE_PASSWORD_FILE": str(stack.directory.password_file),
        "DESKWATCH_DATA": str(tmp_path),
    }
    port = free_port()
    argv = [sys.executable, "-m", "faust", "-A", f"{stack.apps}:{role}", "worker", "--web-port", str(port)]
    with subprocess.Popen(argv, env={**os.environ, **environment}, stdout=subprocess.DEVNULL) as worker:
        try:
            until(lambda: listening(worker.pid), role)
            assert listening(worker.pid) == ["127.0.0.1"]
            assert (status(port, {}), status(port, {"Origin": "null"})) == (200, 403)
        finally:
            worker.kill()
