"""docker-compose.yml without Docker: it is valid and hardened, and fits the settings and the files it mounts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.cli.run import ROLES
from streams.settings import load
from streams.settings.options import PREFIX

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EACH_SERVICE = pytest.mark.parametrize("name", sorted(SERVICES))
EACH_ROLE = pytest.mark.parametrize("role", ROLES)


def test_the_file_is_a_compose_file() -> None:
    specification = pytest.importorskip("compose_pydantic").ComposeSpecification
    # The library, strict otherwise, refuses the extension fields (x-…) that the specification allows.
    plain = {key: value for key, value in COMPOSE.items() if not key.startswith("x-")}
    assert set(specification.model_validate(plain).services) == set(SERVICES)
    plain["services"] = {**SERVICES, "wrong": {"image": "a:1", "prots": []}}
    with pytest.raises(ValueError, match="prots"):
        specification.model_validate(plain)


def test_every_role_has_a_service() -> None:
    assert {tuple(SERVICES[role]["command"]) for role in ROLES} == {("run", role) for role in ROLES}


@EACH_ROLE
def test_a_role_is_given_settings_that_it_understands(role: str) -> None:
    environment = {name: filled(value) for name, value in SERVICES[role]["environment"].items()}
    assert all(name.startswith(PREFIX) for name in environment)
    settings = load(environment)
    assert settings.clock == "wall"
    assert settings.clickhouse_password == "secret"
    assert settings.metrics_host == "0.0.0.0"  # in the container; no port of it is published
    assert SERVICES[role]["expose"] == [str(settings.metrics_port)]
    for port in SERVICES[role].get("ports", []):  # the API: on this machine only, and for those who have the token
        assert port == f"127.0.0.1:{settings.api_port}:{settings.api_port}"
        assert settings.api_token == "secret"
    mounted = {target: source for source, target in mounts(role) if source.startswith("./")}
    assert str(settings.policy) in mounted
    assert settings.broker == f"kafka:{port_of_kafka('INSIDE')}"
    assert settings.clickhouse.split(":")[1].strip("/") in SERVICES


def port_of_kafka(listener: str) -> str:
    advertised = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    found = re.search(rf"{listener}://[^:]+:(\d+)", advertised)
    assert found is not None
    return found[1]


def filled(value: str) -> str:
    """A value with what .env must give."""
    return re.sub(r"\$\{\w+:\?[^}]*\}", "secret", value)


def test_secrets_have_no_default_and_are_listed_in_the_example() -> None:
    variables = re.findall(r"\$\{(\w+)([^}]*)\}", TEXT)
    assert all(rest.startswith(":?") for _, rest in variables)
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    assert {name for name, _ in variables} == {line.removesuffix("=") for line in lines}
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or value.startswith("${"), (name, key)


@EACH_SERVICE
def test_only_this_machine_reaches_a_port(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


@EACH_SERVICE
def test_every_image_has_a_tag(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].rpartition(":")
    assert image
    assert re.search(r"\d+\.\d+", tag)


def test_the_roles_image_is_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {SERVICES[role]["image"] for role in ROLES} == {f"deskwatch:{project['version']}"}


@EACH_SERVICE
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].split(":")[0]) > 0
    assert "privileged" not in service
    assert service["restart"] == "unless-stopped"
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["healthcheck"]["test"][0] == "CMD"


def mounts(name: str) -> list[tuple[str, str]]:
    found = []
    for mount in SERVICES[name].get("volumes", []):
        source, target, *mode = mount.split(":")
        assert source in COMPOSE["volumes"] or (source.startswith("./") and mode == ["ro"]), mount
        found.append((source, target))
    return found


@EACH_SERVICE
def test_what_is_mounted_exists(name: str) -> None:
    for source, _ in mounts(name):
        assert not source.startswith("./") or (ROOT / source).exists(), source


def test_every_volume_is_used() -> None:
    assert set(COMPOSE["volumes"]) == {source for name in SERVICES for source, _ in mounts(name)} - {
        source for name in SERVICES for source, _ in mounts(name) if source.startswith("./")
    }


def test_prometheus_scrapes_what_runs_here() -> None:
    prometheus = yaml.safe_load((ROOT / "dashboards/prometheus/prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in prometheus["scrape_configs"]}
    for role in ROLES:
        (found,) = jobs[role]["dns_sd_configs"]
        assert found["names"] == [role]
        assert [str(found["port"])] == SERVICES[role]["expose"]
    (alertmanager,) = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert alertmanager.split(":")[0] in SERVICES
    folder = Path("/etc/prometheus")
    assert {str(folder / rules) for rules in prometheus["rule_files"]} <= {target for _, target in mounts("prometheus")}


def test_grafana_finds_its_data_source_and_dashboards() -> None:
    folder = ROOT / "dashboards/grafana/provisioning"
    environment = SERVICES["grafana"]["environment"]
    text = (folder / "datasources/clickhouse.yml").read_text()
    (source,) = yaml.safe_load(text)["datasources"]
    assert set(re.findall(r"^[^#]*\$\{(\w+)\}", text, re.M)) <= set(environment)
    assert source["secureJsonData"] == {"password": "${CLICKHOUSE_READER_PASSWORD}"}
    assert environment["CLICKHOUSE_HOST"] in SERVICES
    (provider,) = yaml.safe_load((folder / "dashboards/deskwatch.yml").read_text())["providers"]
    targets = [target for _, target in mounts("grafana")]
    assert f"{provider['options']['path']}/operations_now.json" in targets
    assert environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in targets
    plugin = environment["GF_PLUGINS_PREINSTALL_SYNC"]
    assert plugin.split("@")[0] == source["type"]


def test_clickhouse_s_users_have_passwords_from_the_environment() -> None:
    from xml.etree import ElementTree

    users = ElementTree.parse(ROOT / "dashboards/grafana/clickhouse_users.xml").getroot().find("users")
    assert users is not None
    default = users.find("default")
    assert default is not None
    assert default.get("remove") == "remove"
    environment = SERVICES["clickhouse"]["environment"]
    named = {user.tag: user.find("password") for user in users if user is not default}
    assert set(named) == {"deskwatch", SERVICES["grafana"]["environment"]["CLICKHOUSE_READER"]}
    assert SERVICES["store"]["environment"]["DESKWATCH_CLICKHOUSE_USER"] in named
    for password in named.values():
        assert password is not None
        assert not password.text
        assert password.get("from_env") in environment
    reader = users.find("reader")
    assert reader is not None
    assert [query.text for query in reader.iter("query")] == ["GRANT SELECT ON deskwatch.*"]


def test_the_image_holds_no_embedded_parts_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert not any("embedded]" in line or "[dev" in line for line in lines)
    (user,) = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert {SERVICES[role]["user"] for role in ROLES} == {user}
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                if source != "README.md":
                    assert (ROOT / source).exists()
                assert f"!{source}" in (ROOT / ".dockerignore").read_text()
