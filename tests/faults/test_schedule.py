"""A round is a pure function of its seed: which faults are injected, and what is fed."""

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.replay.log import place
from tests.faults.log import disorderly
from tests.faults.schedule import FIRST, KILL_BROKER, KINDS, LAST, WORKERS, schedule

ON_KAFKA = [*KINDS, KILL_BROKER]


@given(seed=st.integers(0, 1 << 40), seconds=st.floats(5, 600), number=st.integers(0, 30))
def test_the_seed_alone_decides_the_schedule(seed: int, seconds: float, number: int) -> None:
    plan = schedule(seed, seconds, ON_KAFKA, number)
    assert plan == schedule(seed, seconds, ON_KAFKA, number)
    assert len(plan) == number
    assert plan == sorted(plan, key=lambda fault: fault.at_s)
    assert all(FIRST * seconds - 0.01 <= fault.at_s <= LAST * seconds + 0.01 for fault in plan)
    assert all(0 <= fault.which < WORKERS for fault in plan)
    assert max(Counter(fault.kind for fault in plan).values(), default=0) <= number // len(ON_KAFKA) + 2


def test_other_seeds_give_other_schedules() -> None:
    assert len({tuple(schedule(seed, 25, ON_KAFKA, 4)) for seed in range(100)}) == 100


def test_every_kind_comes_often_in_the_rounds_of_make_faults() -> None:
    for kinds in (list(KINDS), ON_KAFKA):
        counts = Counter(fault.kind for seed in range(1, 31) for fault in schedule(seed, 25, kinds, 4))
        assert min(counts[kind] for kind in kinds) >= 8, counts


def test_the_events_of_a_round_are_in_disorder_and_always_the_same() -> None:
    lines = disorderly(7, 3_000)
    assert lines == disorderly(7, 3_000)
    assert lines != disorderly(8, 3_000)
    events = [event for line in lines if (event := place(line).event) is not None]
    identities = Counter((event.source, event.id) for event in events)
    assert len(events) >= 3_000
    assert len(identities) == 3_000
    assert 80 <= sum(number == 2 for number in identities.values()) <= 220
    assert 1 <= len(lines) - len(events) <= 20
    assert any(latter.at < former.at for former, latter in itertools.pairwise(events))
