"""Which record of a fetched list is folded next: lists may come twice, be dropped on the way, or follow a gap."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from faust.types.tuples import TP

from streams.checkpoint.app import CheckpointApp
from streams.checkpoint.input_position import place
from streams.checkpoint.partition import Partition
from tests.flow.toy import ToyState

INPUT = TP("tickets", 0)


class Fetched(NamedTuple):
    offset: int


class Seeks:
    """The consumer, as far as the table asks it here."""

    def __init__(self, earliest: int) -> None:
        self.earliest, self.sought = earliest, list[int]()

    async def earliest_offsets(self, tp: TP) -> Mapping[TP, int]:
        return {tp: self.earliest}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.sought.append(partitions[INPUT])


def placed(want: int, *lists: range, earliest: int = 0) -> tuple[list[int | None], list[int], int]:
    """Offer lists of these offsets: return the first offset folded of each, the seeks, and the gaps accepted."""
    app = CheckpointApp("unit", broker="kafka://127.0.0.1:1")
    table: Any = app.checkpoint_table("desk", new_state=ToyState, inputs=["tickets"], outputs=[], partitions=1)
    part = Partition(0, ToyState(0), offsets={"tickets": want} if want else {})
    seeks = Seeks(earliest)
    app._consumer = seeks

    async def run() -> list[int | None]:
        found: list[int | None] = []
        for offsets in lists:
            start = await place(table, part, INPUT, [Fetched(offset) for offset in offsets])
            found.append(None if start is None else ([*offsets, offsets.stop][start]))
            if start is not None:
                part.offsets["tickets"] = offsets.stop
        return found

    return asyncio.run(run()), seeks.sought, table.statistics.gaps


def test_lists_that_follow_each_other() -> None:
    assert placed(5, range(5, 9), range(9, 12)) == ([5, 9], [], 0)


def test_a_list_that_comes_again_is_folded_from_where_it_is_new() -> None:
    assert placed(5, range(2, 9), range(2, 9), range(2, 12)) == ([5, 9, 9], [], 0)


def test_a_dropped_list_is_fetched_again_and_what_was_under_way_is_passed_over() -> None:
    lists = range(9, 12), range(12, 15), range(5, 9), range(9, 15)
    assert placed(5, *lists) == ([None, None, 5, 9], [5], 0)


def test_the_first_list_of_all_may_have_been_dropped() -> None:
    assert placed(0, range(4, 8), range(0, 4), range(4, 8)) == ([None, 0, 4], [0], 0)


def test_a_gap_is_accepted_when_the_same_list_comes_again() -> None:
    assert placed(5, range(9, 12), range(12, 15), range(9, 15)) == ([None, None, 9], [5], 1)


def test_a_gap_inside_what_was_dropped() -> None:
    assert placed(5, range(9, 12), range(7, 12)) == ([None, 7], [5], 1)


def test_records_that_the_topic_no_longer_keeps_are_not_waited_for() -> None:
    assert placed(5, range(9, 12), earliest=9) == ([9], [], 1)
    assert placed(0, range(9, 12), earliest=9) == ([9], [], 1)
