"""A log in the order of business time, whatever the order of its lines and files.

file 1     10:00  (no event)  10:05  10:02         10:00  (no event)  10:01  10:02  10:03  10:05
file 2     10:01  10:03                       ->
"""

import gzip
import tracemalloc
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.models.instants import format_instant
from streams.replay.figures import LogFigures
from streams.replay.log import LogError, place
from streams.replay.order import LINE_BYTES, Sorter, by_time, inspect

START = 1_791_763_200_000
NO_EVENT = -1


def line(at: int, number: int) -> bytes:
    """An event `at` minutes after START, or, for NO_EVENT, a line that is none."""
    if at == NO_EVENT:
        return b'{"number": %d}' % number
    time = format_instant(START + at * 60_000)
    head = {"specversion": "1.0", "source": "t", "id": str(number), "type": "ticket.created", "time": time}
    return msgspec.json.encode({**head, "data": {"ticket_id": f"t{number}"}})


def write(file: Path, lines: list[bytes]) -> Path:
    text = b"".join(line + b"\n" for line in lines)
    file.write_bytes(gzip.compress(text) if file.suffix == ".gz" else text)
    return file


def expected(logs: list[list[bytes]]) -> list[bytes]:
    """Slowly: each line with the time of the last event up to it, sorted by time, file and line."""
    keyed = []
    for n, log in enumerate(logs):
        latest = -1
        for m, value in enumerate(log):
            found = place(value).event
            latest = latest if found is None else found.at
            keyed.append((latest, n, m, value))
    return [value for *_, value in sorted(keyed)]


minutes = st.lists(st.one_of(st.just(NO_EVENT), st.integers(0, 9)), max_size=12)


@given(logs=st.lists(minutes, min_size=1, max_size=4), packed=st.booleans())
def test_files_are_merged_and_sorted_by_time(
    logs: list[list[int]], packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    lines = [[line(at, 100 * n + m) for m, at in enumerate(log)] for n, log in enumerate(logs)]
    files = [write(folder / (f"{n}.jsonl.gz" if packed else f"{n}.jsonl"), log) for n, log in enumerate(lines)]
    assert list(by_time(inspect(files))) == expected(lines)


def test_what_a_log_holds_is_known_before_it_is_fed(tmp_path: Path) -> None:
    log = [line(5, 0), line(NO_EVENT, 1), line(4, 2), line(5, 3), b'{"type": "ticket.sneezed"}']
    files = [write(tmp_path / "a.jsonl", log), write(tmp_path / "b.jsonl", [line(1, 9), line(1, 8)])]
    found = inspect(files)
    assert found.in_order == (False, True)
    assert (found.figures.lines, found.figures.events) == (7, 5)
    assert found.figures.unknown == {"ticket.sneezed": 1}
    assert [number for _, number in found.figures.reasons()] == [1, 1]


@given(ats=st.lists(st.integers(0, 5), max_size=60), room=st.integers(1, 60))
def test_runs_on_the_disk_change_nothing(ats: list[int], room: int) -> None:
    timed = [(at, b"line %d\nof two" % number) for number, at in enumerate(ats)]
    sorter = Sorter(room * LINE_BYTES)
    for each in timed:
        sorter.add(each)
    assert list(sorter.sorted()) == sorted(timed, key=lambda each: each[0])


def test_memory_is_bounded() -> None:
    """40 MB of lines within 4 MB and what Python needs for them."""
    sorter = Sorter(4 << 20)
    tracemalloc.start()
    try:
        for number in range(40_000):
            sorter.add((-number, bytes(1000)))
        previous = -40_000
        for at, _ in sorter.sorted():
            assert at > previous
            previous = at
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full takes nothing."""
    full = partial(Path("/dev/full").open, "r+b", buffering=0)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    sorter = Sorter(0)
    with pytest.raises(LogError, match=r"cannot be sorted in .*No space left on device"):
        sorter.add((1, b"line"))


def test_a_cut_file_is_found_before_anything_is_fed(tmp_path: Path) -> None:
    packed = gzip.compress(b"\n".join(line(n, n) for n in range(500)))
    (tmp_path / "b.jsonl.gz").write_bytes(packed[:-20])
    with pytest.raises(LogError, match=r"b\.jsonl\.gz cannot be read to its end"):
        inspect([write(tmp_path / "a.jsonl", [line(1, 1)]), tmp_path / "b.jsonl.gz"])


def test_names_are_bounded() -> None:
    figures = LogFigures()
    for number in range(50):
        for _ in range(2):
            figures.count(place(b'{"type": "made.up_%d"}' % number))
    assert len(figures.unknown) == 21
    assert figures.unknown["others"] == 60
