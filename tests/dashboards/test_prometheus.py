"""The files of Prometheus: every metric in them exists, and promtool accepts them, where it is installed."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sinks.metrics.escalate import ESCALATE
from sinks.metrics.page import PROCESS
from sinks.metrics.store import STORE
from sinks.metrics.track import TRACK

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "dashboards" / "prometheus"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
NAMES = {metric.name for metric in (*TRACK, *STORE, *ESCALATE)} | set(PROCESS) | {"up"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_metrics_that_exist_and_says_what_to_do(rule: dict[str, Any]) -> None:
    expression = re.sub(r'"[^"]*"', '""', rule["expr"])
    assert set(re.findall(r"\b(?:deskwatch|process)_\w+|\bup\b", expression)) <= NAMES
    for label in re.findall(r"\bby \((\w+)\)", expression):
        assert any(label in metric.labels for metric in (*TRACK, *STORE, *ESCALATE))
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "action"}
    assert all(text.endswith((".", "?")) for text in rule["annotations"].values())


def test_alerts_that_silence_others_exist() -> None:
    alerts = {rule["alert"] for rule in RULES}
    for rule in yaml.safe_load((FOLDER / "alertmanager.yml").read_text())["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(re.findall(r"[A-Z]\w+", matcher)) <= alerts


def test_every_alert_that_is_no_plain_increase_has_a_worked_example() -> None:
    text = "".join(re.sub("#.*", "", line) for line in (Path(__file__).parent / "alerts_test.yml").open())
    examples = set(re.findall(r"\w+", text))
    for rule in RULES:
        plain = re.search(r"increase\(\w+\[\d+m\]\)\)? > 0$", rule["expr"]) and "for" not in rule
        assert plain or rule["alert"] in examples, rule["alert"]


def run(tool: str, *arguments: str | Path) -> None:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed (Debian: prometheus, prometheus-alertmanager)")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_configuration() -> None:
    run("promtool", "check", "config", FOLDER / "prometheus.yml")


def test_alerts_fire_as_in_the_worked_examples() -> None:
    run("promtool", "test", "rules", Path(__file__).parent / "alerts_test.yml")


def test_amtool_takes_the_configuration() -> None:
    run("amtool", "check-config", FOLDER / "alertmanager.yml")
