"""`deskwatch doctor` says what is wrong, and what to do."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import typer
from kafka import KafkaAdminClient
from typer.testing import CliRunner

from streams.cli import doctor as parts
from streams.cli.doctor import doctor
from streams.cli.migrate import migrate
from streams.embedded.process import free_port
from streams.kafka.topics import CHANGELOG, CONFIGS
from streams.models.topics import INPUTS
from streams.settings import Settings

app = typer.Typer()
app.command()(doctor)
app.command()(migrate)


def examine(**environment: str) -> tuple[int, dict[str, tuple[str, str]]]:
    result = CliRunner().invoke(app, ["doctor", "--json"], env=environment)
    findings = [json.loads(line) for line in result.stdout.splitlines()]
    return result.exit_code, {finding["about"]: (finding["status"], finding["says"]) for finding in findings}


def test_a_wrong_setting_is_the_only_thing_said() -> None:
    status, found = examine(DESKWATCH_CLOCK="sun")
    assert status == 1
    assert found.keys() == {"settings"}
    assert found["settings"][0] == "fail"


def test_nothing_running_fails_with_what_to_do(tmp_path: Path) -> None:
    broker, clickhouse = f"127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    status, found = examine(
        DESKWATCH_BROKER=broker, DESKWATCH_CLICKHOUSE=clickhouse, DESKWATCH_DATA=str(tmp_path / "not" / "yet")
    )
    assert status == 1
    assert found["broker"] == ("fail", f"No Kafka broker answers at {broker}: start it, or set DESKWATCH_BROKER.")
    assert found["clickhouse"][0] == "fail"
    assert found["clickhouse"][1].startswith(f"No ClickHouse answers at {clickhouse}: ")
    assert found["settings"][0] == "ok"


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 10, 9), "fail"), ((3, 11, 0), "ok"), ((3, 12, 4), "ok"), ((3, 13, 0), "ok"), ((3, 15, 1), "ok")],
)
def test_python(version: tuple[int, ...], status: str) -> None:
    assert parts.python(version).status == status


@pytest.mark.parametrize(("needed", "status"), [(True, "fail"), (False, "warn")])
def test_extras_that_are_missing(needed: bool, status: str) -> None:
    finding = parts.extras(needed, installed=lambda name: name != "chdb")
    assert finding.status == status
    assert "(chdb): pip install 'deskwatch[embedded]'" in finding.says


def test_a_policy_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("version = 1")
    assert parts.policy_file(Settings(policy=tmp_path / "p.toml")).status == "fail"


def test_a_metrics_port_in_use_is_a_warning() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert parts.metrics_port(port).status == "warn"
        assert f"Port {port} cannot be taken (Address already in use)" in parts.metrics_port(port).says
    assert parts.metrics_port(port).status == "ok"
    assert parts.metrics_port(0).status == "ok"


@pytest.mark.parametrize(
    ("partitions", "status", "says"),
    [
        ({"tickets": 4, "calls": 4}, "fail", "Missing: surveys, signals. Create them with 4 partitions each."),
        ({"tickets": 4, "calls": 3, "surveys": 4, "signals": 4}, "fail", "differ in partitions (tickets 4, calls 3, "),
        (dict.fromkeys(INPUTS, 3), "fail", "have 3 partitions, DESKWATCH_PARTITIONS is 4"),
        (dict.fromkeys(INPUTS, 4) | {"facts": 1}, "ok", "have 4 partitions each"),
    ],
)
def test_topics(partitions: dict[str, int], status: str, says: str) -> None:
    finding = parts.topics(partitions, 4)
    assert finding.status == status
    assert says in finding.says


@pytest.mark.parametrize(
    ("topic", "key", "status"),
    [("tickets", "retention.ms", "warn"), (CHANGELOG, "min.compaction.lag.ms", "fail"), ("", "", "ok")],
)
def test_topics_that_somebody_else_made(topic: str, key: str, status: str) -> None:
    reported = {name: dict(config) for name, config in CONFIGS.items()}
    if topic:
        reported[topic][key] = "1"
    finding = parts.topic_settings(reported)
    assert finding.status == status
    assert not topic or f"{topic} {key}=1 (not {CONFIGS[topic][key]})" in finding.says


@pytest.mark.parametrize(("minutes", "status", "says"), [(10080, "ok", "7 days"), (60, "warn", "0.0416667 days")])
def test_how_long_a_group_keeps_its_place(minutes: int, status: str, says: str) -> None:
    finding = parts.groups(minutes)
    assert (finding.status, says in finding.says) == (status, True)


@pytest.mark.embedded
def test_a_stack_becomes_sound_step_by_step(tmp_path: Path) -> None:
    from streams.embedded.stack import Stack

    with Stack(tmp_path) as stack:
        environment = {
            "DESKWATCH_BROKER": stack.broker,
            "DESKWATCH_CLICKHOUSE": stack.clickhouse,
            "DESKWATCH_CLICKHOUSE_PASSWORD_FILE": str(stack.directory.password_file),
        }
        _, found = examine(**environment)
        assert found["broker"][0] == "ok"
        assert found["topics"][0] == "fail"
        admin = KafkaAdminClient(bootstrap_servers=stack.broker)
        admin.create_topics({name: {"num_partitions": 4, "replication_factor": 1} for name in INPUTS})
        admin.close()
        migrated = CliRunner().invoke(app, ["migrate"], env=environment)
        assert migrated.exit_code == 0, migrated.output
        assert migrated.stdout.splitlines()[-1] == "The database deskwatch is up to date."
        _, found = examine(**environment)
        assert found["topics"] == ("ok", "The input topics have 4 partitions each.")
        assert found["clickhouse"][0] == "ok"


def test_closures_of_calendars_that_the_policy_has_not_are_named() -> None:
    (finding,) = parts.closures(Settings(), [("Office", 2), ("office", 1)])
    assert finding.status == "warn"
    assert "'Office' (2); it has" in finding.says
    assert list(parts.closures(Settings(), [("office", 1)])) == []
