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

from functools import partial
from typing import Any

from sinks.metrics import EscalateMetrics, StoreMetrics, TrackMetrics, WatchMetrics, serve
from streams import policies
from streams.agents.track import follow
from streams.checkpoint.app import CheckpointApp
from streams.checkpoint.table import wall_clock
from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.customers.partition import Customers
from streams.desk.track.dead_letter_limit import DeadLetterLimit
from streams.desk.track.partition import Desk
from streams.desk.window_rules.partition import Watch
from streams.kafka.app import BatchApp
from streams.kafka.partitioner import partition_of
from streams.kafka.worker import tune_memory
from streams.models.topics import (
    CUSTOMER_FACTS,
    DEAD_LETTERS,
    INPUTS,
    TRACK_OUTPUTS,
    WATCH_ROLLUPS,
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
        outputs=[*Customers.reports, CUSTOMER_FACTS, DEAD_LETTERS],
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
        outputs=[*Watch.reports, DEAD_LETTERS],
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
    """The role escalate: a chain for each warning, messages to people, and their actions on it."""
    from streams.agents.escalate import register  # by this role only, as above

    app = CheckpointApp(ESCALATE, **_faust(settings), topic_partitions=settings.partitions)
    chains = register(app, settings, policies.load(settings.policy or policies.DEFAULT))
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


_ROLES = {"app": new_track, "track": new_track, "watch": new_watch, "store": new_store, "escalate": new_escalate}


def __getattr__(name: str) -> Any:
    """`app` (track), `store` and `escalate` are made when they are asked for: a process runs one of them."""
    if name not in _ROLES:
        raise AttributeError(name)
    tune_memory()
    made = globals()[name] = _ROLES[name](load())
    return made
