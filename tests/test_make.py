"""`make` says in one sentence why a Python cannot run Deskwatch."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECK = ROOT / ".ci" / "check_python.py"


def checked(before: str = "") -> "subprocess.CompletedProcess[str]":
    """The check, after some statements that make this Python another one."""
    script = f"import sys; {before}; exec(open({str(CHECK)!r}).read())"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_this_python_will_do() -> None:
    done = checked("pass")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("sys.version_info = (3, 10, 4)", "Deskwatch needs Python 3.11 or later, and .* is 3.10: name another one"),
        ("sys.modules['ensurepip'] = None", "cannot make virtual environments: install its venv module"),
        ("sys.modules['venv'] = None", "cannot make virtual environments: install its venv module"),
    ],
)
def test_what_is_missing_is_one_sentence(before: str, says: str) -> None:
    done = checked(before)
    assert done.returncode == 1
    assert re.search(says, done.stderr)
    assert done.stderr.count("\n") == 1


def test_the_lowest_python_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    assert "(3, 11)" in CHECK.read_text()


def test_the_check_can_be_read_by_an_old_python() -> None:
    """No syntax that Python 2.7 lacks: it could not even say why it will not do."""
    text = CHECK.read_text()
    assert text.isascii()
    assert not re.search(r'\bf"|:=|print |: \w+ =', text)
