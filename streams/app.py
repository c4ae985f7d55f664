"""The Faust apps, one for each role: which topics they read, what decides, where it goes. Wired here and nowhere else.

    tickets ─┐                                     ┌─> sla-ledger ────┐
    calls   ─┤          role track                 ├─> facts ─────────┤      role store
    surveys ─┼─> agents ─> desk (one a partition) ─┼─> rollups ───────┼─> agents ─> pipeline ─> ClickHouse
    signals ─┘             │ checkpoints           ├─> risk-warnings ─┤                            │
       │                   ├─> desk-changelog      ├─> dead-letters ──┤                            └─> views
       │                   ├─> customer-facts ─> customers (one a partition) ─> facts, rollups, risk-warnings
       │                   └─> watch-rollups ──> role watch ─> risk-warnings ──> role escalate ─> escalations
       └──────────────────────────────────────────────────────────────┘ the events themselves

`faust -A streams.app worker` runs track, `faust -A streams.app:store worker` runs store; `deskwatch run` runs them all.
"""

import ctypes
import gc
import platform
from functools import partial
from typing import Any

from sinks.metrics import EscalateMetrics, StoreMetrics, TrackMetrics, WatchMetrics, serve
from streams import policies
from streams.agents.delivery import EscalationTable
from streams.agents.track import follow
from streams.checkpoint.app import CheckpointApp
from streams.checkpoint.table import wall_clock
from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.customers.partition import Customers
from streams.desk.escalation.partition import Escalations
from streams.desk.track.dead_letter_limit import DeadLetterLimit
from streams.desk.track.partition import Desk
from streams.desk.window_rules.partition import Watch
from streams.kafka.app import BatchApp
from streams.kafka.partitioner import partition_of
from streams.models.topics import (
    ACTIONS,
    CUSTOMER_FACTS,
    CUSTOMERS_TOPICS,
    DEAD_LETTERS,
    ESCALATE_OUTPUTS,
    INPUTS,
    TRACK_OUTPUTS,
    WARNINGS,
    WATCH_ROLLUPS,
    WATCH_TOPICS,
)
from streams.settings import Settings, load

TRACK, WATCH, STORE = "deskwatch-track", "deskwatch-watch", "deskwatch-store"  # consumer groups
ESCALATE = "deskwatch-escalate"

STORE_FETCH = 1 << 20
"""Bytes of a partition that role store reads ahead: of all topics, while ClickHouse is away."""


def new_track(settings: Settings) -> CheckpointApp:
    """The role track: folds the inputs into the desk, one state a partition, and writes what it decides."""
    app = CheckpointApp(TRACK, **_faust(settings), topic_partitions=settings.partitions)
    policy = policies.load(settings.policy or policies.DEFAULT)
    wall = settings.clock == "wall"
    limit = DeadLetterLimit(settings.dead_letter_ratio, settings.dead_letter_run)
    homes = CustomerPartitioner(settings.partitions, partial(partition_of, partitions=settings.partitions))
    desk = app.checkpoint_table(
        "desk",
        new_state=lambda partition: Desk(
            partition,
            policy,
            wall=wall,
            restate=settings.restate,
            limit=limit,
            homes=homes,
            cached_subjects=settings.cached_subjects // settings.partitions,
        ),
        inputs=INPUTS,
        outputs=TRACK_OUTPUTS,
        partitions=settings.partitions,
        clock=wall_clock if wall else lambda: None,
    )

    @app.agent(app.batch_topic("tickets"))
    async def tickets(stream: Any) -> None:
        await follow(stream, desk)

    @app.agent(app.batch_topic("calls"))
    async def calls(stream: Any) -> None:
        await follow(stream, desk)

    @app.agent(app.batch_topic("surveys"))
    async def surveys(stream: Any) -> None:
        await follow(stream, desk)

    @app.agent(app.batch_topic("signals"))
    async def signals(stream: Any) -> None:
        await follow(stream, desk)

    customers = app.checkpoint_table(
        "customers",
        new_state=lambda partition: Customers(partition, policy, homes, settings.restate),
        inputs=[CUSTOMER_FACTS],
        outputs=[*CUSTOMERS_TOPICS, CUSTOMER_FACTS, DEAD_LETTERS],
        partitions=settings.partitions,
        clock=lambda: None,
    )

    @app.agent(app.batch_topic(CUSTOMER_FACTS))
    async def customer_facts(stream: Any) -> None:
        await follow(stream, customers)

    serve(settings.metrics_port, TrackMetrics(desk), settings.metrics_host)
    return app


def new_watch(settings: Settings) -> CheckpointApp:
    """The role watch: judges the window rules over what all partitions of the desk count. One worker does it all."""
    app = CheckpointApp(WATCH, **_faust(settings), topic_partitions=1)
    policy = policies.load(settings.policy or policies.DEFAULT)
    watch = app.checkpoint_table(
        "watch",
        new_state=lambda _partition: Watch(settings.partitions, policy, settings.restate),
        inputs=[WATCH_ROLLUPS],
        outputs=[*WATCH_TOPICS, DEAD_LETTERS],
        partitions=1,
        clock=lambda: None,
    )

    @app.agent(app.batch_topic(WATCH_ROLLUPS))
    async def watch_rollups(stream: Any) -> None:
        await follow(stream, watch)

    serve(settings.metrics_port, WatchMetrics(watch), settings.metrics_host)
    return app


def new_store(settings: Settings) -> BatchApp:
    """The role store: writes the outputs, and the events themselves, to ClickHouse."""
    from sinks.clickhouse import client  # by this role only: the others start sooner, and take less memory
    from sinks.clickhouse.pipeline import Pipeline
    from sinks.clickhouse.writer import Writer
    from streams.agents.store import register

    app = BatchApp(STORE, **_faust(settings), consumer_max_fetch_size=STORE_FETCH)
    user, password = settings.clickhouse_user, settings.clickhouse_password
    policy = policies.load(settings.policy or policies.DEFAULT)

    def connect() -> client.Client:  # in the writer's thread: a ClickHouse that is away now is waited for
        return client.connect(settings.clickhouse, user=user, password=password, database=settings.database)

    pipeline = Pipeline(Writer(connect, settings.database, policy))
    unknown = register(app, pipeline)
    serve(settings.metrics_port, StoreMetrics(pipeline, unknown), settings.metrics_host)
    return app


def new_escalate(settings: Settings) -> CheckpointApp:
    """The role escalate: a chain for each warning, messages to people, and what they do about them."""
    from sinks.notify import Notifier, addresses  # by this role only, as above
    from streams.api import Api

    app = CheckpointApp(ESCALATE, **_faust(settings), topic_partitions=settings.partitions)
    policy = policies.load(settings.policy or policies.DEFAULT)
    wall = settings.clock == "wall"
    notifier = Notifier(addresses(policy, settings.receivers))
    chains = app.checkpoint_table(
        "chains",
        table=EscalationTable,
        send=notifier.send,
        new_state=lambda partition: Escalations(
            partition,
            settings.partitions,
            policy,
            addresses=notifier.known,
            wall=wall,
            notify=settings.notify,
            board_url=settings.board_url,
        ),
        inputs=(WARNINGS, ACTIONS),
        outputs=ESCALATE_OUTPUTS,
        partitions=settings.partitions,
        clock=wall_clock if wall else lambda: None,
    )

    @app.agent(app.batch_topic(WARNINGS))
    async def warnings(stream: Any) -> None:
        await follow(stream, chains)

    @app.agent(app.batch_topic(ACTIONS))
    async def actions(stream: Any) -> None:
        await follow(stream, chains)

    if settings.api_port:
        api = Api(settings)

        @app.task
        async def serve_api() -> None:
            await app.add_runtime_dependency(api)

    serve(settings.metrics_port, EscalateMetrics(chains), settings.metrics_host)
    return app


def _faust(settings: Settings) -> dict[str, Any]:
    settings.data.mkdir(parents=True, exist_ok=True)  # Faust makes the last part of a path only (app/base.py:1973)
    return {
        "broker": [f"kafka://{address.strip()}" for address in settings.broker.split(",")],
        "datadir": str(settings.data / "faust"),
        "web_enabled": False,
        "topic_replication_factor": settings.replication,
        "broker_session_timeout": settings.session,
        "broker_heartbeat_interval": settings.session / 12,  # by which the others notice that the group changes
        "broker_rebalance_timeout": settings.session,
        "broker_request_timeout": max(10.0, settings.session),  # Faust wants no shorter one
    }


def _tune_memory() -> None:
    """Many small objects are held for long: look for cycles among them seldom, not every 700 new ones.

    And checkpoints and inserts are megabytes: glibc is to give such blocks back, and to keep one arena for all threads.
    """
    gc.set_threshold(100_000, 20, 100)
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in (_ARENA_MAX, 1), (_MMAP_THRESHOLD, 1 << 20), (_TRIM_THRESHOLD, 1 << 20):
            mallopt(option, value)


_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # glibc's malloc.h
_ROLES = {"app": new_track, "track": new_track, "watch": new_watch, "store": new_store, "escalate": new_escalate}


def __getattr__(name: str) -> Any:
    """`app` (track), `store` and `escalate` are made when they are asked for: a process runs one of them."""
    if name not in _ROLES:
        raise AttributeError(name)
    _tune_memory()
    made = globals()[name] = _ROLES[name](load())
    return made
