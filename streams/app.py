"""The Faust apps, one per role: their inputs, their states and their outputs.

    tickets ─┐                                     ┌─> sla-ledger ────┐
    calls   ─┤          role track                 ├─> facts ─────────┤      role store
    surveys ─┼─> agents ─> desk (one a partition) ─┼─> rollups ───────┼─> agents ─> pipeline ─> ClickHouse
    signals ─┘             │ checkpoints           ├─> risk-warnings ─┤                            │
       │                   ├─> desk-changelog      ├─> dead-letters ──┤                            └─> views
       │                   ├─> customer-facts ─> customers (one a partition) ─> facts, rollups, risk-warnings
       │                   └─> watch-rollups ──> role watch ─> risk-warnings ──> role escalate ─> escalations
       └──────────────────────────────────────────────────────────────┘ the events themselves

Each role declares its tables and agents in `streams.agents`; a process runs one role, and imports only that one.
`faust -A streams.app worker` runs track, `faust -A streams.app:store worker` runs store; `deskwatch run` runs them all.
"""

from typing import Any

from sinks.metrics.escalate import escalate_metrics
from sinks.metrics.page import serve
from sinks.metrics.store import store_metrics
from sinks.metrics.track import track_metrics
from sinks.metrics.watch import watch_metrics
from streams.checkpoint.app import CheckpointApp
from streams.kafka.app import BatchApp
from streams.kafka.worker import tune_memory
from streams.policies import policies_of
from streams.settings import Settings, load

TRACK, WATCH, STORE = "deskwatch-track", "deskwatch-watch", "deskwatch-store"  # consumer groups
ESCALATE = "deskwatch-escalate"

STORE_FETCH = 1 << 20
"""Bytes that role store reads ahead per partition: from all topics, while ClickHouse is down."""


def new_track(settings: Settings) -> CheckpointApp:
    """Role track: folds the inputs, then the customers; a desk and a stage `customers` for each partition."""
    from streams.agents import track

    app = CheckpointApp(TRACK, **_faust(settings), topic_partitions=settings.partitions)
    desk, customers = track.register(app, settings, policies_of(settings))
    serve(settings.metrics_port, track_metrics(desk, customers), settings.metrics_host)
    return app


def new_watch(settings: Settings) -> CheckpointApp:
    """Role watch: judges the window rules over the tallies of all partitions; one worker does it all."""
    from streams.agents import watch

    app = CheckpointApp(WATCH, **_faust(settings), topic_partitions=1)
    rules = watch.register(app, settings, policies_of(settings))
    serve(settings.metrics_port, watch_metrics(rules), settings.metrics_host)
    return app


def new_escalate(settings: Settings) -> CheckpointApp:
    """Role escalate: a chain for each warning, messages to people, and their actions on it."""
    from streams.agents import escalate

    app = CheckpointApp(ESCALATE, **_faust(settings), topic_partitions=settings.partitions)
    chains = escalate.register(app, settings, policies_of(settings))
    serve(settings.metrics_port, escalate_metrics(chains), settings.metrics_host)
    return app


def new_store(settings: Settings) -> BatchApp:
    """Role store: writes the outputs, and the events themselves, to ClickHouse."""
    from streams.agents import store

    app = BatchApp(STORE, **_faust(settings), consumer_max_fetch_size=STORE_FETCH)
    pipeline, unknown = store.register(app, settings, policies_of(settings))
    serve(settings.metrics_port, store_metrics(pipeline, unknown, app), settings.metrics_host)
    return app


def _faust(settings: Settings) -> dict[str, Any]:
    # Faust 0.15.3 makes the last part of a path only (app/base.py:1973).
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "broker": [f"kafka://{address.strip()}" for address in settings.broker.split(",")],
        "datadir": str(settings.data / "faust"),
        "web_enabled": False,
        "topic_replication_factor": settings.replication,
        "broker_session_timeout": settings.session,
        "broker_heartbeat_interval": settings.session / 12,  # members notice a changed group at a heartbeat
        "broker_rebalance_timeout": settings.session,
        "broker_request_timeout": max(10.0, settings.session),  # Faust refuses a shorter one
    }


_ROLES = {"app": new_track, "track": new_track, "watch": new_watch, "store": new_store, "escalate": new_escalate}


def __getattr__(name: str) -> Any:
    """`app` (track), `watch`, `store` and `escalate` are created on demand: a process runs one of them."""
    if name not in _ROLES:
        raise AttributeError(name)
    tune_memory()
    made = globals()[name] = _ROLES[name](load())
    return made
