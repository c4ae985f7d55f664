"""`deskwatch run` keeps its roles running once they have worked, and ends when one cannot."""

import signal
import sys
import threading
from pathlib import Path

import pytest

from streams.cli import run
from streams.cli.errors import Refused
from streams.settings import Settings

COUNTS = "import sys, time, pathlib; p = pathlib.Path({file!r}); n = p.stat().st_size; p.write_text('x' * (n + 1)); "


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Grows by a byte with every start of a role."""
    monkeypatch.setattr(run, "LOOK_S", 0.01)
    monkeypatch.setattr(run, "SETTLED_S", 0.05)
    monkeypatch.setattr(run, "PAUSE_S", 0.02)
    counted = tmp_path / "starts"
    counted.touch()
    return counted


def program(monkeypatch: pytest.MonkeyPatch, file: Path, then: str) -> None:
    start = COUNTS.format(file=str(file))
    monkeypatch.setattr(run, "argv_of", lambda role: [sys.executable, "-S", "-c", f"role = {role!r}; {start}{then}"])


def test_a_role_that_has_worked_is_started_again_until_it_ends_well(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program(monkeypatch, file, "time.sleep(0.5); sys.exit(n < 2)")
    run._work(["store"], Settings(data=file.parent))
    assert file.stat().st_size == 3
    assert "store ended with exit status 1: started again in 0.02 s." in capsys.readouterr().err


def test_a_role_that_never_worked_ends_the_command_and_the_other_roles(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SETTLED_S", 60.0)
    program(monkeypatch, file, "sys.exit(1) if role == 'store' else time.sleep(60)")
    with pytest.raises(Refused, match="The role store ended with an error"):
        run._work(["track", "store"], Settings(data=file.parent))


def test_sigterm_ends_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, file, "time.sleep(60)")
    threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGTERM)).start()
    run._work(["track", "store"], Settings(data=file.parent))
