"""Starting the worker roles over an embedded stack."""

import dataclasses
import sys

from sinks.clickhouse import migrate as migrations
from sinks.clickhouse import rebuild
from sinks.clickhouse.client import Client
from streams.embedded.directory import USER
from streams.embedded.process import free_port
from streams.embedded.stack import Stack
from streams.kafka.topics import create_topics
from streams.settings import Settings


def argv_of(role: str, apps: str = "streams.app") -> list[str]:
    """The command line of a role's worker process; `apps`: the module of the roles' apps."""
    log = ["-l", "info", "--without-web"]
    return [sys.executable, "-m", "faust", "-A", f"{apps}:{role}", "worker", *log]


def prepare(stack: Stack, settings: Settings) -> tuple[Settings, Client]:
    """Create topics and schema; returns the settings with the addresses of the stack, and a client of its database."""
    settings = dataclasses.replace(
        settings,
        broker=stack.broker,
        clickhouse=stack.clickhouse,
        clickhouse_user=USER,
        clickhouse_password=stack.directory.password(),
    )
    create_topics(settings)
    with stack.connect() as client:
        rebuild.resume(client, settings.database)
        migrations.migrate(client, settings.database)
    return settings, stack.connect(settings.database)


def start_roles(stack: Stack, settings: Settings, clock: str, workers: int = 1) -> None:
    """Start store, watch, escalate and `workers` track workers."""
    for name in ("store", "watch", "escalate", "track", *(f"track-{n}" for n in range(2, workers + 1))):
        start_role(stack, settings, clock, name)


def start_role(stack: Stack, settings: Settings, clock: str, name: str) -> None:
    """Start a worker with its own metrics page; `name` is its role, or the role, a hyphen and a number."""
    port = free_port()
    env = {
        "DESKWATCH_CLOCK": clock,
        "DESKWATCH_PARTITIONS": str(settings.partitions),
        "DESKWATCH_DATABASE": settings.database,
        "DESKWATCH_METRICS_PORT": str(port),
    }
    if settings.policy is not None:
        env["DESKWATCH_POLICY"] = str(settings.policy)
    if settings.notify:
        env["DESKWATCH_NOTIFY"] = "yes"
    if name == "escalate":
        env["DESKWATCH_API_PORT"] = str(settings.api_port or free_port())
        stack.announce("api", f"http://{settings.api_host}:{env['DESKWATCH_API_PORT']}")
    stack.start(name, argv_of(name.partition("-")[0], stack.apps), env)
    stack.announce(f"metrics-{name}", f"http://127.0.0.1:{port}/metrics")
