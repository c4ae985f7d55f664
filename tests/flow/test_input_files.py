"""Files as people have them: of another format, out of order, in parts, with a wrong time; by replay and recompute."""

import gzip
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from streams.cli.main import app
from tests.flow.month import deskwatch, lines_of, whole_job, write
from tests.flow.running import value
from tests.sinks.desk import event

pytestmark = pytest.mark.embedded

TABLE = b"\n".join([b"ticket_id,created,status", *(b"%d,2026-10-12 09:00,open" % n for n in range(1300))]) + b"\n"
TICKET = event("ticket.created", "mon 10:00")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def recomputed(folder: Path, *files: object) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(deskwatch("recompute", "--json", "--data", folder, *files))
    return found


# A file that is none of events


def test_a_replay_of_another_file_ends_with_the_sentence_of_the_worker(tmp_path: Path) -> None:
    """More than half of the last 1,000 records are no events: the worker stops, and would stop again."""
    (tmp_path / "export.csv").write_bytes(TABLE)
    result = run("replay", "--embedded", "--drain", "--data", tmp_path / "d", tmp_path / "export.csv")
    assert result.exit_code == 1
    assert "1,000 of the last 1,000 records of signals[0] up to offset 999 are no events" in result.output
    assert "Traceback" not in result.output


def test_a_recomputation_of_another_file_ends_with_the_commonest_reasons(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_bytes(TABLE)
    result = run("recompute", "--data", tmp_path / "d", tmp_path / "export.csv")
    assert result.exit_code == 1
    assert re.search(
        r"None of the 1,301 lines of \S+export\.csv is an event\. .*got `int` \(1,300 of them\)", result.output
    )
    assert not (tmp_path / "d").exists()


def test_one_event_is_enough(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(TABLE + TICKET)
    found = recomputed(tmp_path / "d", tmp_path / "log.jsonl")
    assert (found["events"], found["dead_letters"]) == (1, 1301)
    assert found["dead_letter_reasons"][0]["n"] == 1300


@pytest.mark.parametrize("command", [("recompute",), ("replay", "--embedded", "--drain")], ids=["recompute", "replay"])
def test_utf_16_is_said_before_anything_is_done(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(TICKET.decode().encode("utf-16"))
    result = run(*command, "--data", tmp_path / "d", tmp_path / "log.jsonl")
    assert result.exit_code == 1
    assert "UTF-16" in result.output
    assert not (tmp_path / "d" / "clickhouse").exists()


# The summary


def test_the_summary_says_what_should_be_looked_at(tmp_path: Path) -> None:
    """Unknown types by name, dead letters by reason, and a last event that lies years after the one before."""
    log = [
        TICKET,
        TICKET,  # a duplicate
        event("ticket.created", "mon 10:00", "t1").replace(b'"t1"', b'"t1","team":"A"'),  # a conflict
        event("ticket.replied", "mon 11:00", "t9", author="agent"),  # an orphan
        event("ticket.sneezed", "mon 11:00"),
        event("Ticket.Created", "mon 11:00"),
        event("Ticket.Created", "mon 11:01"),
        event("ticket.created", "mon 11:00", "t2", priority="P1"),
        event("ticket.created", "mon 11:00", "t3", priority="P1"),
        b"nonsense",
        event("ticket.created", "mon 11:00", "t4").replace(b"2026", b"2031"),
    ]
    file = write(tmp_path / "log.jsonl.gz", log)
    for found in (recomputed(tmp_path / "r", file), whole_job(tmp_path / "p", file)):
        expected = {"as_of": "2031-10-12T11:00:00.000Z", "lines": 11, "dead_letters": 3, "unknown": 3}
        counts = {"duplicates": 1, "conflicts": 1, "orphans": 1, "released": 0}
        assert found | expected | counts == found
        assert found["unknown_types"] == {"Ticket.Created": 2, "ticket.sneezed": 1}
        assert [letter["n"] for letter in found["dead_letter_reasons"]] == [2, 1]
        (warning,) = found["warnings"]
        assert "lies 1,826.0 days after the one before, of 2026-10-12T11:00:00.000Z" in warning
    printed = run("recompute", "--data", tmp_path / "t", file).output
    assert re.search(r"as_of +2031-10-12T11:00:00.000Z\n", printed)
    assert "Unknown type 'Ticket.Created': 2\n" in printed
    assert "Warning: The last event, of 2031" in printed


# The order of lines and files


def test_lines_out_of_order_and_files_in_parts_give_the_same(days: Path, tmp_path: Path) -> None:
    """Backwards, in two files of every other line: sorted; as it is, what is late is counted."""
    lines = lines_of(days)[::3]
    whole = write(tmp_path / "whole.jsonl.gz", lines)
    halves = [write(tmp_path / f"{n}.jsonl.gz", lines[n::2][::-1]) for n in range(2)]
    found = whole_job(tmp_path / "d", *halves)
    assert (found["events"], found["late"]) == (len(lines), 0)
    deskwatch("verify", "--data", tmp_path / "d", "--from", whole)
    deskwatch("verify", "--data", tmp_path / "d", *halves)
    assert recomputed(tmp_path / "r", *halves)["late"] == 0
    assert recomputed(tmp_path / "a", "--as-is", *halves)["late"] > 0


def test_a_replay_as_it_is_gives_the_same_views(days: Path, tmp_path: Path) -> None:
    lines = lines_of(days)[::3]
    backwards = write(tmp_path / "log.jsonl.gz", lines[::-1])
    whole_job(tmp_path / "d", "--as-is", backwards)
    order = "SELECT argMin(time, offset) > argMax(time, offset) AS backwards FROM events WHERE topic = 'tickets'"
    assert value(tmp_path / "d", f"{order} AND partition = 0") == 1
    deskwatch("verify", "--data", tmp_path / "d")


def test_a_byte_order_mark_costs_no_event(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + TICKET))
    assert recomputed(tmp_path / "d", tmp_path / "log.jsonl.gz")["events"] == 1
