"""Customers through the whole job: known late, linked, on several partitions and workers, out of order."""

from pathlib import Path

import msgspec
import pytest

from streams.models.instants import DAY
from streams.simulator import World, encode, events
from tests.desk.logs import MONDAY
from tests.flow.month import deskwatch, shuffled_within_an_hour, whole_job, write

pytestmark = pytest.mark.embedded


def linked(n: int) -> bytes:
    """A link between two of the simulated customers, whose facts are at home in different partitions."""
    event = {"specversion": "1.0", "id": f"link{n}", "source": "test", "type": "customer.linked"}
    data = {"customer_id": f"K{n + 1:06}", "other_id": f"K{n:06}"}
    return msgspec.json.encode({**event, "time": "2026-10-13T00:00:00Z", "data": data})


def test_out_of_order_on_other_partitions_it_is_what_the_log_says(tmp_path: Path) -> None:
    world = World(seed=3, start=MONDAY, end=MONDAY + 4 * DAY, agents=8)
    lines = [encode(event) for event in events(world)] + [linked(n) for n in range(1, 60)]
    log = write(tmp_path / "log.jsonl.gz", lines)
    disordered = write(tmp_path / "disordered.jsonl.gz", shuffled_within_an_hour(lines * 2, seed=5))
    whole_job(tmp_path / "d", disordered, "--partitions", 3, "--workers", 2)
    deskwatch("verify", "--data", tmp_path / "d", "--from", log)
    asked = "SELECT max(length(ids)), max(risk_index), sum(fcr_provisional) > 0, count() > 50 FROM customers"
    (found,) = deskwatch("sql", "--data", tmp_path / "d", asked, "--json").splitlines()
    ids, risk, provisional, many = msgspec.json.decode(found).values()
    assert int(ids) >= 20
    assert 0 < risk <= 100
    assert (provisional, many) == (1, 1)
    (raised,) = deskwatch(
        "sql", "--data", tmp_path / "d", "--json",
        "SELECT count() FROM risk_warnings WHERE rule = 'complaint.risk' AND notEmpty(reasons)",
    ).splitlines()  # fmt: skip
    assert int(*msgspec.json.decode(raised).values()) > 0
