"""Too many dead letters stop a partition: with an error, with all of them kept, and until a person decides.

records   ....xxxxx     window 10, max_ratio 0.5: no verdict before 10 records were read
          0       9
"""

from collections import deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.desk.saved import FULL
from streams.desk.track.dead_letter_limit import DeadLetterLimit, DeadLetterMonitor, TooManyDeadLetters
from streams.desk.track.partition import Desk
from streams.models.codec import LARGEST
from tests.sinks.desk import Record, event, policies

LIMIT = DeadLetterLimit(max_ratio=0.5, window=10)
UNKNOWN = b'{"type":"ticket.sneezed"}'


def records(pattern: str, first: int = 0) -> list[Record]:
    """A run of records: `.` an event, `x` none, `u` one of unknown type."""
    values = {".": event("ticket.created", "mon 10:00"), "x": b"{", "u": UNKNOWN}
    return [Record(values[kind], offset=first + n) for n, kind in enumerate(pattern)]


def fed(desk: Desk, run: Sequence[Record]) -> list[bytes]:
    """Feed as a worker does, with a checkpoint in between whenever it stops early; the letters that left."""
    left: list[bytes] = []
    start = 0
    while start < len(run):
        start = desk.feed("tickets", run, start)
        desk.advance(None)
        left += [output.value for output in desk.snapshot(1, {}).outputs if output.topic == "dead-letters"]
    return left


def desk(limit: DeadLetterLimit = LIMIT) -> Desk:
    return Desk(2, policies(), wall=False, limit=limit)


@given(st.text(alphabet=".x", max_size=40), st.sampled_from([0.0, 0.5, 0.9, 1.0]), st.integers(1, 12))
def test_it_stops_when_the_share_of_the_last_records_is_over_the_limit(pattern: str, ratio: float, window: int) -> None:
    monitor = DeadLetterMonitor(0, ["tickets"], DeadLetterLimit(ratio, window))
    last: deque[bool] = deque(maxlen=window)
    stopped = False
    for record, kind in zip(records(pattern), pattern, strict=True):
        last.append(kind == "x")
        stopped |= kind == "x" and len(last) == window and sum(last) > ratio * window
        if kind == "x":
            monitor.reject("tickets", record, "no event", 1)
        monitor.count_read("tickets", 1)
        assert (monitor.stop is not None) == stopped


def test_the_worker_stops_with_a_sentence_and_all_letters_are_kept() -> None:
    stopping = desk()
    assert len(fed(stopping, records("....xxxxxx"))) == 6
    with pytest.raises(TooManyDeadLetters) as stop:
        stopping.advance(None)
    says = str(stop.value)
    assert says.startswith("6 of the last 10 records of tickets[2] up to offset 9 are no events (the last: ")
    assert "DESKWATCH_DEAD_LETTER_RATIO=1" in says
    assert "\n" not in says


@pytest.mark.parametrize("pattern", ["xxxxxxxxx", "u" * 30, ".x" * 20, "u" * 20 + "xxxxx" + "." * 20])
def test_a_few_poison_messages_and_unknown_types_do_not_stop_it(pattern: str) -> None:
    assert len(fed(desk(), records(pattern))) == pattern.count("x")


@pytest.mark.parametrize("each", [1, 3, 1000])
def test_a_successor_stops_too_until_the_limit_is_another(each: int) -> None:
    stopping = desk()
    changelog: dict[bytes, bytes | None] = {}
    run = records("x" * 30)
    left, start = 0, 0
    while stopping.dead_letters.stop is None:
        start = stopping.feed("tickets", run[: start + each], start)
        stopping.advance(None)
        taken = stopping.snapshot(1, {})
        changelog.update(taken.entries)
        left += sum(output.topic == "dead-letters" for output in taken.outputs)
    assert left == start == 10

    def successor(limit: DeadLetterLimit) -> Desk:
        found = desk(limit)
        for key, value in changelog.items():
            found.load(key, value)
        found.restored()
        return found

    with pytest.raises(TooManyDeadLetters, match="10 of the last 10 records of tickets"):
        successor(LIMIT).advance(None)
    with pytest.raises(TooManyDeadLetters):
        successor(LIMIT).feed("tickets", run, start)
    assert len(fed(successor(DeadLetterLimit(max_ratio=1.0, window=10)), run[start:])) == 20


def test_large_letters_do_not_outgrow_a_checkpoint() -> None:
    large = [Record(b"x" * (3 << 20), offset=n) for n in range(9)]
    found = desk(DeadLetterLimit(max_ratio=1.0))
    start, sizes = 0, []
    while start < len(large):
        end = found.feed("tickets", large, start)
        assert end > start
        start = end
        sizes.append(sum(len(output.value) for output in found.snapshot(1, {}).outputs))
    assert max(sizes) < FULL + (1 << 20)


def test_large_events_do_not_outgrow_a_checkpoint() -> None:
    def large(n: int) -> Record:
        return Record(event("ticket.created", "mon 10:00", ticket_id=f"t{n}", attributes={"a": "x" * (LARGEST - 500)}))

    run = [large(n) for n in range(12)]
    found = desk()
    start, sizes = 0, []
    while start < len(run):
        start = found.feed("tickets", run, start)
        sizes.append(sum(len(value or b"") for _, value in found.snapshot(1, {}).entries))
    assert max(sizes) < FULL + (2 << 20)
