"""Files of events: whatever program wrote them, and however they end."""

import gzip
from pathlib import Path

import pytest

from streams.models.topics import ACTIONS
from streams.replay.log import LogError, place, read
from tests.sinks.desk import event

LINES = [event("ticket.created", "mon 10:00", f"t{n}") for n in range(3)]


def test_a_byte_order_mark_is_no_part_of_a_line(tmp_path: Path) -> None:
    """Windows programs write one; of files put together, each has its own."""
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"".join(b"\xef\xbb\xbf" + line + b"\r\n" for line in LINES))
    assert list(read([file])) == LINES


@pytest.mark.parametrize(("codec", "named"), [("utf-16", "FF FE"), ("utf-16-be", "00 7B"), ("utf-16-le", "7B 00")])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_utf_16_is_refused_by_its_name(codec: str, named: str, packed: bool, tmp_path: Path) -> None:
    text = b"\n".join(LINES).decode().encode(codec)
    file = tmp_path / ("log.jsonl.gz" if packed else "log.jsonl")
    file.write_bytes(gzip.compress(text) if packed else text)
    with pytest.raises(LogError, match=rf"log\.jsonl.* is UTF-16 \(it begins with {named}\)"):
        list(read([file]))


def damaged(packed: bytes, kind: str) -> bytes:
    middle = len(packed) // 2
    return {
        "cut": packed[:middle],
        "changed": packed[:middle] + bytes(byte ^ 255 for byte in packed[middle : middle + 8]) + packed[middle + 8 :],
        "no gzip": b"\n".join(LINES),
    }[kind]


@pytest.mark.parametrize("kind", ["cut", "changed", "no gzip"])
def test_a_damaged_gz_is_named(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl.gz"
    file.write_bytes(damaged(gzip.compress(b"\n".join(LINES * 50)), kind))
    with pytest.raises(LogError, match=r"log\.jsonl\.gz cannot be read to its end: .+\."):
        list(read([file]))


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").touch()
    assert list(read([tmp_path / "log.jsonl"])) == []


def test_an_action_on_a_warning_goes_to_all_partitions_and_moves_no_clock() -> None:
    data = {"warning_id": "w1", "by": "li"}
    line = place(event("warning.acknowledge", "mon 10:00", **data))
    assert (line.topic, line.key, line.broadcast, line.event) == (ACTIONS, "w1", True, None)
    assert line.action is not None
    assert line.fault is None
    faulty = place(event("warning.acknowledge", "mon 10:00", warning_id="w1"))
    assert (faulty.topic, faulty.action) == (ACTIONS, None)
    assert faulty.fault is not None
