"""The place of the recorded logs: beside the repository, or in DESK_LOGS; tests without them are skipped."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("DESK_LOGS", Path(__file__).parents[2] / "shared" / "data"))


def recorded(name: str) -> Path:
    """A recorded log; skips the test if it is not there."""
    file = FOLDER / name
    if not file.is_file():
        pytest.skip(f"the recorded log {name} is not here: set DESK_LOGS to its directory")
    return file


def service_month() -> Path:
    """A month of a real service desk."""
    return recorded("service_month.jsonl.gz")
