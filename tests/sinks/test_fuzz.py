"""ClickHouse stores every event that the codec accepts, unchanged."""

import pytest

from tests.fuzz.mutations import Mutator
from tests.fuzz.test_fuzz import corpus  # noqa: F401  # a fixture
from tests.sinks.desk import Database

pytestmark = pytest.mark.embedded


def test_mutated_events_are_stored(database: Database, corpus: list[bytes]) -> None:  # noqa: F811
    mutator = Mutator(corpus, seed=5)
    lines = [record.value for _, record in (mutator.record() for _ in range(4000)) if record.value]
    database.fold(lines)
    events = database.one("SELECT count() FROM event_rows")
    letters = database.one("SELECT count() FROM dead_letters")
    assert min(events, letters) > 1000
    for view in ("sla_ledger", "sla_outcomes", "tickets", "calls", "surveys", "risk_warnings", "window_minutes"):
        database.rows(f"SELECT * FROM {view}")
