"""A member id is free once its process has ended, for any reason, and not before."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.kafka.membership import MemberId

_HOLD = """
import sys, time; from pathlib import Path; from streams.kafka.membership import MemberId
member_id = MemberId(Path(sys.argv[1]))
for member in sys.argv[2:]: member_id.hold(member)
print("held", flush=True); time.sleep(600)
"""


@contextmanager
def worker(folder: Path, *members: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that was each of these members, one after the other."""
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(folder), *members], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_member_id_of_a_killed_worker_is_reclaimed_once(tmp_path: Path) -> None:
    folder = tmp_path / "group"
    with worker(folder, "a-1") as killed, worker(folder, "b-1"):
        assert MemberId(folder).reclaim() == ""
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        first, second = MemberId(folder), MemberId(folder)
        assert first.reclaim() == "a-1"
        assert second.reclaim() == ""  # b lives, and a-1 is taken
        first.hold("a-1")  # the group accepted it
        assert second.reclaim() == ""


def test_of_several_dead_workers_the_last_one_that_joined_comes_first(tmp_path: Path) -> None:
    for member in ("z-1", "a-1"):
        with worker(tmp_path, member):
            pass
    restarted = MemberId(tmp_path), MemberId(tmp_path), MemberId(tmp_path)
    assert [member_id.reclaim() for member_id in restarted] == ["a-1", "z-1", ""]


def test_a_frozen_worker_keeps_its_member_id(tmp_path: Path) -> None:
    with worker(tmp_path, "a-1") as frozen:
        frozen.send_signal(signal.SIGSTOP)
        assert MemberId(tmp_path).reclaim() == ""


def test_a_worker_that_joined_again_holds_its_new_member_id_only(tmp_path: Path) -> None:
    with worker(tmp_path, "a-1", "a-2"):
        pass
    restarted = MemberId(tmp_path)
    assert restarted.reclaim() == "a-2"
    restarted.hold("b-1")  # the group had removed a-2
    assert [file.name for file in tmp_path.iterdir()] == ["b-1"]


def test_a_worker_that_left_leaves_no_file(tmp_path: Path) -> None:
    member_id = MemberId(tmp_path)
    member_id.hold("")  # the group removed it before it knew
    member_id.hold("a-1")
    member_id.release()
    assert list(tmp_path.iterdir()) == []
