"""The core against the naive fold on the recorded logs: ledger and counters, row by row, figure by figure."""

import gzip
import tomllib
from itertools import islice

import msgspec
import pytest

from streams import policies
from tests.desk.compare import FAMILIES, decoded, ledger_of, minutes_of, rows_of
from tests.desk.laws import FCR
from tests.naive.fold import fold
from tests.recorded import recorded

SOME = 25_000  # lines; `make proof` takes all lines of all logs


def compare(name: str, number: int | None) -> None:
    """Fold the first lines of a log both ways."""
    with gzip.open(recorded(name)) as file:
        lines = [line.strip() for line in islice(file, number)]
    events = decoded(lines)
    as_of = max(event.at for event, _ in events)
    rows = rows_of(events, policies.load(policies.DEFAULT), as_of, snapshot_every=5000)
    naive = fold(map(msgspec.json.decode, lines), [tomllib.loads(policies.DEFAULT.read_text())], as_of)
    assert ledger_of(rows.values()) == naive["ledger"]
    for view, (_, _, counters) in FAMILIES.items():
        counted = [{name: n for name, n in row.items() if name not in FCR} for row in naive[view]]
        expected = [row for row in counted if any(row[name] for name in counters if name not in FCR)]
        found = [{name: n for name, n in row.items() if name not in FCR} for row in minutes_of(rows.values(), view)]
        found = [row for row in found if any(row[name] for name in counters if name not in FCR)]
        assert found == expected


LOGS = ["service_month.jsonl.gz", "tickets_volvo.jsonl.gz", "calls_bank.jsonl.gz"]


@pytest.mark.parametrize("name", LOGS)
def test_the_beginning_of_a_recorded_log(name: str) -> None:
    compare(name, SOME)


@pytest.mark.bench
@pytest.mark.parametrize("name", LOGS)
def test_a_recorded_log(name: str) -> None:
    compare(name, None)
