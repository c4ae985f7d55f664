"""A place is free when its process has ended, however that came, and not before."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.kafka.membership import Place

_HOLD = """
import sys, time; from pathlib import Path; from streams.kafka.membership import Place
place = Place(Path(sys.argv[1]))
for member in sys.argv[2:]: place.hold(member)
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


def test_the_place_of_a_killed_worker_is_inherited_once(tmp_path: Path) -> None:
    folder = tmp_path / "group"
    with worker(folder, "a-1") as killed, worker(folder, "b-1"):
        assert Place(folder).inherit() == ""
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        first, second = Place(folder), Place(folder)
        assert first.inherit() == "a-1"
        assert second.inherit() == ""  # b lives, and a has an heir
        first.hold("a-1")  # the group took it
        assert second.inherit() == ""


def test_of_several_dead_the_one_that_joined_last_comes_first(tmp_path: Path) -> None:
    for member in ("z-1", "a-1"):
        with worker(tmp_path, member):
            pass
    heirs = Place(tmp_path), Place(tmp_path), Place(tmp_path)
    assert [heir.inherit() for heir in heirs] == ["a-1", "z-1", ""]


def test_a_frozen_worker_keeps_its_place(tmp_path: Path) -> None:
    with worker(tmp_path, "a-1") as frozen:
        frozen.send_signal(signal.SIGSTOP)
        assert Place(tmp_path).inherit() == ""


def test_a_worker_that_joined_again_has_its_new_place_only(tmp_path: Path) -> None:
    with worker(tmp_path, "a-1", "a-2"):
        pass
    heir = Place(tmp_path)
    assert heir.inherit() == "a-2"
    heir.hold("b-1")  # the group had given a-2 up
    assert [file.name for file in tmp_path.iterdir()] == ["b-1"]


def test_a_worker_that_left_leaves_no_place(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.hold("")  # the group let it go before it knew
    place.hold("a-1")
    place.leave()
    assert list(tmp_path.iterdir()) == []
