"""A member is dead when its process has ended, however that came, and not before."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.membership import Members

_ENTER = """
import sys, time; from pathlib import Path; from streams.membership import Members
members = Members(Path(sys.argv[1]))
for member in sys.argv[2:]: members.enter(member)
print("entered", flush=True); time.sleep(600)
"""


@contextmanager
def worker(folder: Path, *members: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that was each of these members, one after the other."""
    process = subprocess.Popen([sys.executable, "-c", _ENTER, str(folder), *members], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"entered\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_killed_worker_leaves_a_dead_member_behind(tmp_path: Path) -> None:
    members = Members(tmp_path / "group")
    with worker(members.folder, "a-1") as killed, worker(members.folder, "b-1"):
        assert list(members.dead()) == []
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert list(members.dead()) == ["a-1"]
        members.forget("a-1")
        assert list(members.dead()) == []
    assert list(members.dead()) == ["b-1"]


def test_a_frozen_worker_is_not_dead(tmp_path: Path) -> None:
    with worker(tmp_path, "a-1") as frozen:
        frozen.send_signal(signal.SIGSTOP)
        assert list(Members(tmp_path).dead()) == []


def test_a_worker_that_joined_again_is_its_new_member_only(tmp_path: Path) -> None:
    with worker(tmp_path, "a-1", "a-2"):
        pass
    assert list(Members(tmp_path).dead()) == ["a-2"]


def test_a_worker_that_left_is_not_dead(tmp_path: Path) -> None:
    members = Members(tmp_path)
    members.enter("")  # the group let it go before it knew
    members.enter("a-1")
    assert list(members.dead()) == []
    members.leave()
    assert list(members.dead()) == []
