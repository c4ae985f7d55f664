"""Where a partition stands in its input topics: what is folded next, and what is fetched again because it was lost.

Faust drops lists of records on the way when a rebalance interrupts it (transport/consumer.py:750 the rest of a fetch,
:1213 the one that is handed over), and counts on seeking to the committed offsets afterwards. Where it drops one later
than that, a later list of the partition shows the hole; where none comes, time does.
"""

import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from aiokafka.errors import IllegalStateError
from faust.types.tuples import TP

from streams.checkpoint.partition import Partition

if TYPE_CHECKING:
    from streams.checkpoint.table import CheckpointTable

SEEK_PATIENCE_S = 5.0
"""How long lists that were fetched before a seek back may still come in."""

STALL_S = 10.0
"""How long lists of a topic may be on their way when none comes in, before they are held to be lost."""


async def place(table: "CheckpointTable", part: Partition, tp: TP, records: Sequence[Any]) -> int | None:
    """Return the index of the record that is to be folded next; None if it is not among them, but comes again.

    A list that begins too far on followed one that was dropped, or a gap in the topic. Seek back to tell: after a
    gap the same list comes again, and nothing earlier.

        want 5, got 9..12 (dropped 5..8)   seek 5 ──> 5..8, 9..12
        want 5, got 9..12 (no 5..8)        seek 5 ──> 9..12          a gap: go on from 9
    """
    want, first, now = part.offsets.get(tp.topic, 0), records[0].offset, time.monotonic()
    if first <= want:
        part.gaps.pop(tp.topic, None)
        return bisect_left(records, want, key=attrgetter("offset"))
    wanted, came, at = part.gaps.get(tp.topic, (-1, -1, 0.0))
    if wanted == want and first <= came:
        _accept_gap(table, part, tp, first)
        return 0
    if wanted == want and now - at < SEEK_PATIENCE_S:
        return None  # was under way before the seek
    part.gaps[tp.topic] = (want, first, now)
    table.statistics.sought_back += 1
    try:
        earliest = (await table.app.consumer.earliest_offsets(tp))[tp]
        if want < first <= earliest:
            _accept_gap(table, part, tp, first)
            return 0
        await table.app.consumer.seek_wait({tp: want})
    except IllegalStateError:
        table.log.info("%s[%d] was revoked while seeking back", *tp)
    return None


def _accept_gap(table: "CheckpointTable", part: Partition, tp: TP, first: int) -> None:
    want = part.offsets.get(tp.topic, 0)
    table.statistics.gaps += 1
    table.log.warning("%s[%d] has no records at offsets %d to %d: going on after them", *tp, want, first - 1)
    part.offsets[tp.topic] = first
    part.gaps.pop(tp.topic, None)


async def seek_stalled(table: "CheckpointTable", part: Partition) -> None:
    """Fetch again what was handed out and not folded, where no list of its topic has come in for long.

    handed out 5..9, dropped, nothing comes      10 s ──> seek 5 ──> 5..9
    handed out 5..9, all a transaction's markers 10 s ──> seek 5 ──> nothing: that was all
    """
    now = time.monotonic()
    for topic in table.inputs:
        tp, want = TP(topic, part.number), part.offsets.get(topic, 0)
        end = table.fetched_to(tp)
        stood, since, sought = part.stalls.get(topic, (-1, now, -1))
        if want != stood or end is None or end <= want:
            part.stalls[topic] = (want, now, -1)
        elif end != sought and now - max(since, table.fed_at.get(topic, since)) > STALL_S:
            part.stalls[topic] = (want, now, end if await _fetch_again(table, tp, want) else -1)


async def _fetch_again(table: "CheckpointTable", tp: TP, want: int) -> bool:
    with suppress(IllegalStateError):  # it was revoked meanwhile
        if await table.app.consumer.position(tp) > want:  # else it waits its turn, and is not handed out yet
            table.statistics.sought_back += 1
            table.log.info("%s[%d]: nothing came of the records from offset %d on: fetching them again", *tp, want)
            await table.app.consumer.seek_wait({tp: want})
            return True
    return False
