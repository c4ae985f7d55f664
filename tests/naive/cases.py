"""Where the cases with right values are: beside the repository, or where DESK_CASES says; else tests skip."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.naive.fold import fold

FOLDER = Path(os.environ.get("DESK_CASES", Path(__file__).parents[3] / "shared" / "cases"))

Row = dict[str, Any]


def lines(case: str, file: str = "events.jsonl") -> list[bytes]:
    """The lines of a case's log; skips the test if it is not there."""
    path = FOLDER / case / file
    if not path.is_file():
        pytest.skip(f"the case {case} is not here: set DESK_CASES to the directory of cases")
    return path.read_bytes().splitlines()


def policy(case: str) -> Row:
    """The policy of a case."""
    return tomllib.loads((FOLDER / case / "policy.toml").read_text())


def folded(case: str) -> dict[str, list[Row]]:
    """What the naive fold makes of a case, which is the same in the reverse order of arrival."""
    log = lines(case)
    tables = fold(log, [policy(case)])
    assert fold(log[::-1], [policy(case)]) == tables
    return tables


def of(rows: list[Row], *names: str, **values: Any) -> list[Any]:
    """These columns of the rows with these values; a single column as it is."""
    found = [row for row in rows if all(row[name] == value for name, value in values.items())]
    return [tuple(row[name] for name in names) if len(names) > 1 else row[names[0]] for row in found]
