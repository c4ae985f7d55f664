"""`deskwatch bench warning-quality` over a small log, every figure computed by hand."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams import policies
from streams.cli.main import app
from streams.cli.warning_quality import measure
from streams.desk.output.warnings import warning_id
from streams.models.instants import parse_instant
from tests.naive.desk import Row, event, ticket

DAY = 24 * 60
AT_RISK = warning_id("sla.at_risk", "T/first_response/1", parse_instant("2026-10-12T06:00:00Z"))


def log() -> list[Row]:
    """Two questions of the customer c (8 h to answer, at risk after 6 h), and a complaint two days later.

    T    0 ----- 6 h at risk ---- 8 h breached ---------- 9 h answered
    U    0 ----- 6 h at risk - 7 h answered
    V                                                         2 d: complaint
    """
    rows = [ticket(0, "created", "T", ticket_id="T", customer_id="c")]
    rows += [ticket(0, "created", "U", ticket_id="U", customer_id="c")]
    rows += [ticket(9 * 60, "replied", "T2", ticket_id="T", author="agent")]
    rows += [ticket(7 * 60, "replied", "U2", ticket_id="U", author="agent")]
    rows += [ticket(9 * 60, "status_changed", f"{t}3", ticket_id=t, status="solved") for t in "TU"]
    rows += [ticket(2 * DAY, "created", "V", ticket_id="V", customer_id="c", kind="complaint")]
    rows += [event(10 * 60, "warning.acknowledge", "ack", warning_id=AT_RISK, by="ann")]
    return [{"specversion": "1.0", **row} for row in rows]


def written(folder: Path) -> Path:
    file = folder / "log.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in log()), encoding="utf-8")
    return file


def test_each_rule_beside_the_random_predictor(tmp_path: Path) -> None:
    found = {(each.rule, each.outcome): each for each in measure([written(tmp_path)], policies.load(policies.DEFAULT))}
    breach = found["sla.at_risk", "breach"].score
    assert (breach.warnings, breach.hits, breach.outcomes, breach.caught) == (2, 1, 1, 1)
    assert (breach.lead_median, breach.candidates) == (2 * 3_600_000, 6)  # T, U, V: first response and resolution
    assert breach.random_precision == 1 / 6
    assert breach.random_recall == pytest.approx(1 / 3)  # two of six drawn: 1 - C(5, 2) / C(6, 2)
    complaint = found["sla.at_risk", "complaint"]
    assert (complaint.score.hits, complaint.score.caught, complaint.score.outcomes) == (2, 1, 1)
    assert (complaint.acknowledged, complaint.disagreed) == (1, 0)
    assert ("sla.breached", "breach") not in found


def test_the_command_prints_an_object_a_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["bench", "warning-quality", str(written(tmp_path)), "--json"])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    names = {"rule", "outcome", "warnings", "precision", "recall", "lead_median_s", "random_precision", "random_recall"}
    assert names <= rows[0].keys()
    assert CliRunner().invoke(app, ["bench", "warning-quality"]).exit_code == 2
    assert CliRunner().invoke(app, ["bench", "warning-quality", str(tmp_path / "none")]).exit_code == 1
