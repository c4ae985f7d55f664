"""Batches are committed in order, and never before they are acknowledged."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kafka.in_flight import InFlight


class Batch:
    """The offsets `first` to `end` - 1, fetched at once."""

    def __init__(self, first: int, end: int) -> None:
        self.first, self.end = first, end


RESPONSE = 5
"""Records that a broker sends at once: a consumer hands them out in any pieces, and many pieces end where these end."""


class Following:
    """A partition whose batches wait for their agent, are folded, and are acknowledged once the fold is saved.

    A batch that starts too late is left: the partition was sought back, and what is missing is still to come. One that
    was folded before is acknowledged.
    """

    def __init__(self) -> None:
        self.in_flight = InFlight()
        self.waiting, self.folded = list[Batch](), list[Batch]()
        self.fetched = self.next_to_fold = self.saved = self.committed = 0

    def deliver(self, size: int) -> None:
        response = self.fetched - self.fetched % RESPONSE
        batch = Batch(self.fetched, min(self.fetched + size, response + RESPONSE))
        self.in_flight.deliver(batch, batch.first, batch.end - 1)
        self.waiting.append(batch)
        self.fetched = batch.end

    def fold(self, _: int = 0) -> None:
        if self.waiting and (batch := self.waiting.pop(0)).first <= self.next_to_fold:
            self.next_to_fold = max(self.next_to_fold, batch.end)
            self.folded.append(batch)

    def save(self, _: int = 0) -> None:
        self.saved = self.next_to_fold
        while self.folded:
            self.in_flight.ack(self.folded.pop(0))

    def seek_back(self, _: int = 0) -> None:
        self.fetched = self.next_to_fold

    def commit(self, _: int = 0) -> None:
        self.committed = self.in_flight.commit() or self.committed


STEPS = (Following.deliver, Following.fold, Following.save, Following.seek_back, Following.commit)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, RESPONSE)), min_size=20, max_size=100))
def test_what_is_committed_was_saved_and_nothing_is_skipped(
    steps: list[tuple[Callable[[Following, int], None], int]],
) -> None:
    """Whenever the partition is sought back, and in whichever pieces it is fetched again."""
    following = Following()
    for step, size in steps:
        step(following, size)
        assert following.committed <= following.saved
        if step is Following.commit:
            assert following.in_flight.skipped() is None
    following.seek_back()
    following.deliver(1)
    while following.waiting:
        following.fold()
    following.save()
    following.commit()
    assert following.committed == following.fetched


def test_a_batch_that_is_skipped_is_named_and_stops_the_commits() -> None:
    """
    delivered      0..4   5..9   10..14
    acknowledged   0..4          10..14      9 was never acknowledged
    """
    in_flight = InFlight()
    batches = [Batch(first, first + 5) for first in (0, 5, 10)]
    for batch in batches:
        in_flight.deliver(batch, batch.first, batch.end - 1)
    assert in_flight.ack(batches[0])
    assert in_flight.ack(batches[2])
    assert in_flight.commit() == 5
    assert in_flight.skipped() == 9
    assert in_flight.commit() is None


def test_batches_that_are_fetched_again_are_acknowledged_again() -> None:
    """
    delivered      0..4   5..9   sought back to 0   0..9
    acknowledged   0..4                                    5..9 (both former batches do not count)
    """
    in_flight = InFlight()
    first, second, again = Batch(0, 5), Batch(5, 10), Batch(0, 10)
    for batch in (first, second):
        in_flight.deliver(batch, batch.first, batch.end - 1)
    assert in_flight.ack(first)
    in_flight.deliver(again, 0, 9)
    assert not in_flight.ack(second)
    assert in_flight.commit() is None
    assert in_flight.ack(again)
    assert in_flight.commit() == 10
