"""The whole job on some days of the recorded month: in any arrangement, ClickHouse agrees with the log."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from streams.models.topics import INPUTS
from tests.flow.month import check_views, deskwatch, lines_of, shuffled_within_an_hour, whole_job, write

pytestmark = pytest.mark.embedded


def broken(identity: str, kind: str, data: str, time: str = "2026-10-17T08:00:00Z") -> bytes:
    """A line that is not a valid event, because of its data or time."""
    head = f'"specversion":"1.0","id":"{identity}","source":"t","type":"{kind}","time":"{time}"'
    return f'{{{head},"data":{data}}}'.encode()


BROKEN = {
    "malformed JSON": b'{"specversion":"1.0","id":"x1",',
    "no ticket_id": broken("x2", "ticket.created", "{}"),
    "wrong type": broken("x3", "call.answered", '{"call_id":"c","wait_s":"long"}'),
    "negative duration": broken("x4", "call.answered", '{"call_id":"c","wait_s":-1}'),
    "year 9999": broken("x5", "ticket.created", '{"ticket_id":"t"}', "9999-12-31T23:59:59Z"),
    "score outside": broken(
        "x6", "survey.responded", '{"survey_id":"s","metric":"csat","score":9,"scale_min":1,"scale_max":5}'
    ),
    "not UTF-8": broken("x7", "ticket.created", '{"ticket_id":"t"}').replace(b"x7", b"x7\xff"),
    "2 MB": broken("x8", "ticket.created", '{"ticket_id":"t","url":"' + "u" * (2 << 20) + '"}'),
}
UNKNOWN = b'{"specversion":"1.0","id":"y","source":"t","type":"ticket.sneezed","time":"2026-10-17T08:00:00Z","data":{}}'


def test_doubled_shuffled_on_other_partitions_by_two_workers(days: Path, tmp_path: Path) -> None:
    disordered = write(tmp_path / "log.jsonl.gz", shuffled_within_an_hour(lines_of(days) * 2, seed=7))
    counts = whole_job(tmp_path / "d", disordered, "--partitions", 3, "--workers", 2)
    assert counts["events"] * 2 == counts["lines"]
    deskwatch("verify", "--data", tmp_path / "d", "--from", days)


def test_the_views_are_what_the_log_says_and_what_is_no_event_is_a_dead_letter(days: Path, tmp_path: Path) -> None:
    lines = lines_of(days)
    for n, line in enumerate([*BROKEN.values(), UNKNOWN]):
        lines.insert(n * 1000, line)
    counts = whole_job(tmp_path / "d", write(tmp_path / "log.jsonl.gz", lines))
    assert counts["dead_letters"] == len(BROKEN)
    assert counts["events"] == len(lines) - len(BROKEN) - 1
    check_views(days, "--data", tmp_path / "d")
    judged = "SELECT uniqExact(rule) AS rules FROM risk_warnings WHERE dimension IN ('all', 'queue', 'category')"
    assert msgspec.json.decode(deskwatch("sql", "--data", tmp_path / "d", judged, "--json"))["rules"] >= 4
    letters = deskwatch("sql", "--data", tmp_path / "d", "SELECT topic, reason FROM dead_letters", "--json")
    reasons = [msgspec.json.decode(line) for line in letters.splitlines()]
    assert all(letter["topic"] in INPUTS and letter["reason"] for letter in reasons)
    quality = deskwatch(
        "sql", "--data", tmp_path / "d", "SELECT sum(dead_letters) d, sum(unknown) u FROM data_quality", "--json"
    )
    assert msgspec.json.decode(quality) == {"d": len(BROKEN), "u": 1}


def test_verify_finds_a_difference(days: Path, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl.gz", lines_of(days)[:4000])
    deskwatch("recompute", "--data", tmp_path / "d", log)
    deskwatch("verify", "--data", tmp_path / "d")
    lose = "ALTER TABLE fact_rows DELETE WHERE counter = 'created' AND at % 7000 = 0 SETTINGS mutations_sync = 1"
    deskwatch("sql", "--data", tmp_path / "d", lose)
    result = CliRunner().invoke(app, ["verify", "--data", str(tmp_path / "d"), "--from", str(log)])
    assert result.exit_code == 1
    assert "ticket_minutes" in result.stdout
    assert "DIFFERENT" in result.stdout
