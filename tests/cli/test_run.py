"""`deskwatch run` keeps its roles running once they have worked, and ends when one cannot."""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from streams.cli.errors import Refused
from streams.cli.run import supervise
from streams.embedded.process import Restarts

COUNTS = "import sys, time, pathlib; p = pathlib.Path({file!r}); n = p.stat().st_size; p.write_text('x' * (n + 1)); "
SLEEP_S = 60
SLEEPS = f"import time; time.sleep({SLEEP_S})"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Grows by a byte with every start of a role that counts."""
    counted = tmp_path / "starts"
    counted.touch()
    return counted


def python(script: str) -> Sequence[str]:
    return [sys.executable, "-S", "-c", script]


def test_a_role_that_has_worked_is_started_again_until_it_ends_well(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = python(COUNTS.format(file=str(file)) + "time.sleep(0.5); sys.exit(n < 2)")
    supervise({"store": store}, os.environ, lambda: Restarts(settled_s=0.05, pause_s=0.02))
    assert file.stat().st_size == 3
    assert "store ended with exit status 1: started again in 0.02 s." in capsys.readouterr().err


def test_a_role_that_never_worked_ends_the_command_and_the_other_roles(file: Path) -> None:
    store = python(COUNTS.format(file=str(file)) + "sys.exit(1)")
    with pytest.raises(Refused, match="The role store ended with an error"):
        supervise({"track": python(SLEEPS), "store": store}, os.environ, lambda: Restarts(settled_s=60.0))
    assert file.stat().st_size == 1


def test_sigterm_ends_all() -> None:
    threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGTERM)).start()
    began = time.monotonic()
    supervise({"track": python(SLEEPS), "store": python(SLEEPS)}, os.environ)
    assert time.monotonic() - began < SLEEP_S / 2
