"""The speed of the simulation: at least 20,000 events a second, with only open contacts in memory."""

import resource
import time

import pytest

from streams.simulator import World, encode, events
from streams.simulator.kernel import DAY

from .conftest import MONDAY


@pytest.mark.bench
def test_twenty_thousand_events_a_second() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    count = sum(1 for each in events(World(1, MONDAY, MONDAY + 28 * DAY, agents=200)) if encode(each))
    rate = count / (time.process_time() - started)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{count} events, {rate:.0f} a second, {grown:.0f} MiB more")
    assert rate > 20_000
    assert grown < 200
