"""docker-compose.yml without Docker: duplicated values agree, and changes elsewhere do not break it."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.cli.run import ROLES
from streams.settings import load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_given_settings_that_it_understands(role: str) -> None:
    service = SERVICES[role]
    assert service["command"] == ["run", role]
    settings = load({name: re.sub(r"\$\{.*\}", "secret", value) for name, value in service["environment"].items()})
    assert service["expose"] == [str(settings.metrics_port)]
    assert str(settings.policy) in targets(role)
    kafka = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"INSIDE://{settings.broker}" in kafka
    assert settings.clickhouse.split(":")[1].strip("/") in SERVICES
    for port in service.get("ports", []):  # the API, for those who have the token
        assert port == f"127.0.0.1:{settings.api_port}:{settings.api_port}"
        assert settings.api_token


def test_the_image_of_the_roles_is_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {SERVICES[role]["image"] for role in ROLES} == {f"deskwatch:{project['version']}"}


def test_secrets_have_no_default_and_are_listed_in_the_example() -> None:
    variables = re.findall(r"\$\{(\w+)([^}]*)\}", TEXT)
    assert all(rest.startswith(":?") for _, rest in variables)
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    assert {name for name, _ in variables} == {line.removesuffix("=") for line in lines}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_hardened_and_reached_from_this_machine_only(name: str) -> None:
    service = SERVICES[name]
    assert COMPOSE["x-hardened"].items() <= service.items()
    assert int(service["user"].split(":")[0]) > 0
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_is_mounted_exists(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source


def targets(name: str) -> list[str]:
    """Where a service finds what is mounted."""
    return [mount.split(":")[1] for mount in SERVICES[name].get("volumes", [])]


def test_prometheus_scrapes_every_role_and_finds_its_rules() -> None:
    prometheus = yaml.safe_load((ROOT / "dashboards/prometheus/prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in prometheus["scrape_configs"]}
    for role in ROLES:
        (found,) = jobs[role]["dns_sd_configs"]
        assert (found["names"], [str(found["port"])]) == ([role], SERVICES[role]["expose"])
    assert {f"/etc/prometheus/{rules}" for rules in prometheus["rule_files"]} <= set(targets("prometheus"))


def test_grafana_finds_its_data_source_and_dashboards() -> None:
    folder = ROOT / "dashboards/grafana/provisioning"
    environment = SERVICES["grafana"]["environment"]
    text = (folder / "datasources/clickhouse.yml").read_text()
    (source,) = yaml.safe_load(text)["datasources"]
    assert set(re.findall(r"^[^#]*\$\{(\w+)\}", text, re.M)) <= set(environment)
    assert environment["CLICKHOUSE_HOST"] in SERVICES
    assert environment["GF_PLUGINS_PREINSTALL_SYNC"].split("@")[0] == source["type"]
    (provider,) = yaml.safe_load((folder / "dashboards/deskwatch.yml").read_text())["providers"]
    assert f"{provider['options']['path']}/operations_now.json" in targets("grafana")
    assert environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in targets("grafana")


def test_clickhouse_has_the_users_that_the_services_name() -> None:
    users = (ROOT / "dashboards/grafana/clickhouse_users.xml").read_text()
    for name in (SERVICES["store"]["environment"]["DESKWATCH_CLICKHOUSE_USER"],
                 SERVICES["grafana"]["environment"]["CLICKHOUSE_READER"]):  # fmt: skip
        assert f"<{name}>" in users
    assert set(re.findall(r'from_env="(\w+)"', users)) <= set(SERVICES["clickhouse"]["environment"])


def test_the_image_is_built_of_files_that_are_sent_to_docker() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    for source in (source for sources in copied for source in sources):
        assert (ROOT / source).exists()
        assert f"!{source}" in (ROOT / ".dockerignore").read_text()


def test_the_secrets_are_not_in_the_repository() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {".env", "receivers.env", "data/"} <= set(ignored)
