"""Says in one sentence why this Python cannot run Deskwatch: `make` asks it first. Any Python can read it, 2.7 too."""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Deskwatch needs Python 3.11 or later, and %s is %d.%d: name another one, make PYTHON=python3.11 for example."
        % ((sys.executable,) + tuple(sys.version_info[:2]))
    )
try:
    for name in ("venv", "ensurepip"):  # Debian packs them apart from Python
        __import__(name)
except ImportError:
    sys.exit(
        "%s cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv), or "
        "name another Python, make PYTHON=python3.11 for example." % sys.executable
    )
