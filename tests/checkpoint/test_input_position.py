"""The next record to fold: batches may arrive twice, be dropped on the way, follow a gap, or never arrive.

topic      0 1 2 3 4 5 6 7 8 9 ...
folded     ─────────> want 5
fetched              5..8, 9..12     in order
                2..8                 again: from index 3
                             9..12   a gap: seek back to 5, and see what arrives
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from aiokafka.errors import IllegalStateError
from faust.types.tuples import TP

from streams.checkpoint.input_position import SEEK_PATIENCE_S, STALL_S, InputPosition
from streams.checkpoint.partition import Partition, Statistics
from tests.flow.toy import ToyState

INPUT = TP("tickets", 0)


class Fetched(NamedTuple):
    offset: int


class Consumer:
    """A consumer of one partition; `position` is what it hands out next, `end` the high watermark."""

    def __init__(self, earliest: int = 0) -> None:
        self.earliest, self.handed_out, self.end = earliest, 0, 0
        self.sought = list[int]()
        self.assigned = True

    def assignment(self) -> set[TP]:
        return {INPUT} if self.assigned else set()

    def highwater(self, tp: TP) -> int | None:
        return self.end or None

    async def position(self, tp: TP) -> int:
        self._check()
        return self.handed_out

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        self._check()
        return dict.fromkeys(partitions, self.earliest)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self._check()
        self.sought.append(partitions[INPUT])
        self.handed_out = partitions[INPUT]

    def _check(self) -> None:
        if not self.assigned:
            raise IllegalStateError


class Reading:
    """A partition whose input position is `want`, on a clock of its own."""

    def __init__(self, want: int, earliest: int = 0) -> None:
        self.consumer, self.statistics, self.now = Consumer(earliest), Statistics(), 1000.0
        self.part = Partition(0, ToyState(0), offsets={"tickets": want} if want else {})
        self.position = InputPosition(
            lambda: self.consumer, ["tickets"], self.statistics, logging.getLogger("test"), lambda: self.now
        )

    def fetch(self, offsets: range) -> int | None:
        """A batch of these offsets comes in: fold what is new of it; the first offset folded, None if nothing yet."""
        records = [Fetched(offset) for offset in offsets]
        with self.position.feeding("tickets"):
            index: int | None = asyncio.run(self.position.index_of_next(self.part, INPUT, records))
        if index is None:
            return None
        self.part.offsets["tickets"] = offsets.stop
        return offsets[index] if index < len(offsets) else offsets.stop

    def fetch_all(self, *batches: range) -> list[int | None]:
        return [self.fetch(batch) for batch in batches]

    def look(self, later_s: float) -> list[int]:
        """Look for stalled records after so many seconds; the seeks so far."""
        self.now += later_s
        asyncio.run(self.position.refetch_stalled(self.part))
        return self.consumer.sought


# --- the next record --------------------------------------------------------------------------------------------------


def test_batches_that_follow_each_other() -> None:
    reading = Reading(want=5)
    assert reading.fetch_all(range(5, 9), range(9, 12)) == [5, 9]
    assert reading.consumer.sought == []


def test_a_batch_that_comes_again_is_folded_from_where_it_is_new() -> None:
    assert Reading(want=5).fetch_all(range(2, 9), range(2, 9), range(2, 12)) == [5, 9, 9]


def test_the_index_is_that_of_the_wanted_record() -> None:
    reading = Reading(want=5)
    records = [Fetched(offset) for offset in (2, 4, 5, 8)]
    assert asyncio.run(reading.position.index_of_next(reading.part, INPUT, records)) == 2
    reading.part.offsets["tickets"] = 7  # no record has this offset: compaction, transactions
    assert asyncio.run(reading.position.index_of_next(reading.part, INPUT, records)) == 3
    reading.part.offsets["tickets"] = 9
    assert asyncio.run(reading.position.index_of_next(reading.part, INPUT, records)) == len(records)


def test_the_first_batch_of_all_may_have_been_dropped() -> None:
    reading = Reading(want=0)
    assert reading.fetch_all(range(4, 8), range(0, 4), range(4, 8)) == [None, 0, 4]
    assert reading.consumer.sought == [0]


# --- a gap ------------------------------------------------------------------------------------------------------------


def test_a_dropped_batch_is_fetched_again_and_batches_under_way_are_passed_over() -> None:
    """
    fetched   9..12      12..15   5..9   9..15
              seek 5     passed   5      9
    """
    reading = Reading(want=5)
    assert reading.fetch_all(range(9, 12), range(12, 15), range(5, 9), range(9, 15)) == [None, None, 5, 9]
    assert (reading.consumer.sought, reading.statistics.sought_back, reading.statistics.gaps) == ([5], 1, 0)


def test_a_gap_is_accepted_when_the_same_batch_comes_again() -> None:
    """
    fetched   9..12      12..15   9..15
              seek 5     passed   9: there is no 5..8
    """
    reading = Reading(want=5)
    assert reading.fetch_all(range(9, 12), range(12, 15), range(9, 15)) == [None, None, 9]
    assert (reading.consumer.sought, reading.statistics.gaps) == ([5], 1)


def test_a_gap_inside_the_dropped_batch() -> None:
    reading = Reading(want=5)
    assert reading.fetch_all(range(9, 12), range(7, 12)) == [None, 7]
    assert (reading.consumer.sought, reading.statistics.gaps) == ([5], 1)


@pytest.mark.parametrize("want", [0, 5])
def test_records_that_the_topic_no_longer_keeps_are_not_waited_for(want: int) -> None:
    reading = Reading(want, earliest=9)
    assert reading.fetch(range(9, 12)) == 9
    assert (reading.consumer.sought, reading.statistics.gaps) == ([], 1)


def test_a_seek_back_whose_batch_is_dropped_too_is_repeated_after_a_while() -> None:
    """
    fetched   9..12      12..15 ── 5 s ──> 12..15     5..9
              seek 5     passed            seek 5     5
    """
    reading = Reading(want=5)
    assert reading.fetch_all(range(9, 12), range(12, 15)) == [None, None]
    reading.now += SEEK_PATIENCE_S
    assert reading.fetch_all(range(12, 15), range(5, 9)) == [None, 5]
    assert reading.consumer.sought == [5, 5]


def test_a_partition_that_is_revoked_while_seeking_back_folds_nothing() -> None:
    reading = Reading(want=5)
    reading.consumer.assigned = False
    assert reading.fetch(range(9, 12)) is None
    assert reading.consumer.sought == []


# --- nothing comes ----------------------------------------------------------------------------------------------------


def stalled(want: int = 5) -> Reading:
    """Records up to 9 were handed out, and dropped."""
    reading = Reading(want)
    reading.consumer.handed_out = reading.consumer.end = 10
    assert reading.look(0.0) == []
    return reading


def test_handed_out_records_that_do_not_come_in_are_fetched_again() -> None:
    """
    handed out 5..9, dropped       10 s ──> seek 5 ──> 5..9
    """
    reading = stalled()
    assert reading.look(STALL_S) == []
    assert reading.look(0.1) == [5]
    assert reading.statistics.sought_back == 1
    assert reading.fetch(range(5, 10)) == 5
    assert reading.look(2 * STALL_S) == [5]


def test_they_are_not_fetched_a_third_time_if_nothing_comes_then() -> None:
    """
    handed out 5..9, all transaction markers   10 s ──> seek 5 ──> nothing ── end 10 ──> 12 ── 10 s ──> seek 5
    """
    reading = stalled()
    assert reading.look(STALL_S + 1) == [5]
    reading.consumer.handed_out = 10
    for _ in range(3):
        assert reading.look(STALL_S + 1) == [5]
    reading.consumer.handed_out = reading.consumer.end = 12
    assert reading.look(STALL_S + 1) == [5, 5]


def test_records_that_are_not_handed_out_yet_wait_their_turn() -> None:
    reading = stalled()
    reading.consumer.handed_out = 5
    assert reading.look(STALL_S + 1) == []


def test_a_topic_whose_batches_come_in_does_not_stall() -> None:
    """Batches of a topic are folded one after the other, over all partitions; one of them may take long."""
    reading = stalled()
    with reading.position.feeding("tickets"):
        assert reading.look(3 * STALL_S) == []
    assert reading.look(STALL_S) == []
    assert reading.look(0.1) == [5]


def test_a_takeover_forgets_what_was_seen_before() -> None:
    reading = stalled()
    assert reading.fetch(range(9, 12)) is None
    reading.position.restart()
    assert reading.fetch(range(9, 12)) is None
    assert reading.consumer.sought == [5, 5]  # not taken for a gap
    assert reading.look(STALL_S + 1) == [5, 5]  # the standstill begins here


def test_a_partition_that_is_not_assigned_has_no_end() -> None:
    reading = stalled()
    assert reading.position.end(INPUT) == 10
    reading.consumer.assigned = False
    assert reading.position.end(INPUT) is None
    assert reading.look(STALL_S + 1) == []
