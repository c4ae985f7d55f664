"""A process that ends unexpectedly is restarted, after a pause that grows until a run lasts long enough."""

from streams.embedded.process import LONGEST_PAUSE_S, Restarts


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(restarts: Restarts, clock: Clock, seconds: float) -> float:
    """Start, run for so many seconds, end; the pause."""
    restarts.started()
    clock.now += seconds
    return restarts.ended()


def test_the_pause_doubles_to_its_limit_and_is_short_again_after_a_long_run() -> None:
    clock = Clock()
    restarts = Restarts(settled_s=20.0, pause_s=0.5, now=clock)
    pauses = [run(restarts, clock, 1.0) for _ in range(9)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert run(restarts, clock, 21.0) == 0.5
    assert run(restarts, clock, 1.0) == 1.0


def test_it_is_due_after_the_pause() -> None:
    clock = Clock()
    restarts = Restarts(settled_s=20.0, pause_s=0.5, now=clock)
    run(restarts, clock, 1.0)
    clock.now += 0.25
    assert not restarts.due()
    clock.now += 0.25
    assert restarts.due()


def test_a_process_that_has_worked_once_is_settled_for_good() -> None:
    clock = Clock()
    restarts = Restarts(settled_s=20.0, now=clock)
    restarts.started()
    clock.now += 20.0
    assert not restarts.settled()
    clock.now += 0.25
    assert restarts.settled()
    restarts.started()
    assert restarts.settled()
