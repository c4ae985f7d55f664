"""A round is a pure function of its seed: what strikes, and what is fed."""

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.replay.log import place
from tests.faults.log import disorderly
from tests.faults.schedule import FIRST, KILL_BROKER, KINDS, LAST, WORKERS, schedule

ON_KAFKA = [*KINDS, KILL_BROKER]


@given(seed=st.integers(0, 1 << 40), seconds=st.floats(5, 600), strikes=st.integers(0, 30))
def test_the_seed_alone_says_what_strikes_when(seed: int, seconds: float, strikes: int) -> None:
    plan = schedule(seed, seconds, ON_KAFKA, strikes)
    assert plan == schedule(seed, seconds, ON_KAFKA, strikes)
    assert len(plan) == strikes
    assert plan == sorted(plan, key=lambda strike: strike.at_s)
    assert all(FIRST * seconds - 0.01 <= strike.at_s <= LAST * seconds + 0.01 for strike in plan)
    assert all(0 <= strike.which < WORKERS for strike in plan)
    assert max(Counter(strike.kind for strike in plan).values(), default=0) <= strikes // len(ON_KAFKA) + 2


def test_other_seeds_strike_otherwise() -> None:
    assert len({tuple(schedule(seed, 25, ON_KAFKA, 4)) for seed in range(100)}) == 100


def test_in_the_thirty_rounds_of_make_faults_every_kind_strikes_often() -> None:
    for kinds in (list(KINDS), ON_KAFKA):
        struck = Counter(strike.kind for seed in range(1, 31) for strike in schedule(seed, 25, kinds, 4))
        assert min(struck[kind] for kind in kinds) >= 8, struck


def test_the_events_of_a_round_are_disorderly_and_always_the_same() -> None:
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
