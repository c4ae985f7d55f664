"""Batches are committed in order, and never before they are acknowledged."""

from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.in_flight import InFlight


@given(st.lists(st.tuples(st.sampled_from(["deliver", "ack", "seek", "commit"]), st.integers(1, 5)), max_size=40))
def test_what_is_committed_was_acknowledged(steps: list[tuple[str, int]]) -> None:
    """Deliver, acknowledge in order, seek back to the first batch in hand, commit: a batch in hand is not committed."""
    in_flight, acked = InFlight(), set[int]()
    in_hand: list[range] = []
    end, committed = 0, 0
    for step, size in steps:
        if step == "deliver":
            in_hand.append(range(end, end + size))
            in_flight.deliver(end, end + size - 1, acked)
            end += size
        elif step == "ack" and in_hand:
            acked.add(in_hand.pop(0)[-1])
        elif step == "seek" and in_hand:
            end = in_hand[0].start
            in_hand.clear()
        elif step == "commit":
            committed = in_flight.commit(acked) or committed
            assert committed == (in_hand[0].start if in_hand else end)
            assert in_flight.skipped(acked) is None


def test_a_batch_that_is_skipped_is_named_and_stops_the_commits() -> None:
    """
    delivered      0..4   5..9   10..14
    acknowledged   0..4          10..14      9 was never acknowledged
    """
    in_flight, acked = InFlight(), {4, 14}
    for first in (0, 5, 10):
        in_flight.deliver(first, first + 4, acked)
    assert in_flight.commit(acked) == 5
    assert in_flight.skipped(acked) == 9
    assert in_flight.commit(acked) is None


def test_batches_that_are_fetched_again_are_acknowledged_again() -> None:
    """
    delivered      0..4   5..9   sought back to 0   0..6
    acknowledged   0..4                             (both former batches are forgotten)
    """
    in_flight, acked = InFlight(), set[int]()
    in_flight.deliver(0, 4, acked)
    in_flight.deliver(5, 9, acked)
    acked.add(4)
    in_flight.deliver(0, 6, acked)
    assert in_flight.commit(acked) is None
    acked.add(6)
    assert in_flight.commit(acked) == 7
