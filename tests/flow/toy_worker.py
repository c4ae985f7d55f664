"""A worker with a toy desk, configured by environment; run by `faust -A tests.flow.toy_worker worker`.

TOY_PREFIX and TOY_BROKER name topics and broker, TOY_EMBEDDED the kind of broker; TOY_FAULT="append:3:KILL" sends
the worker a signal before it appends its third checkpoint, "appended:3:STOP" after it, and "feed:3:RAISE" raises
instead. TOY_LOSE=n loses the first n batches of calls.
"""

import logging
import os
import signal
from typing import Any

from streams.checkpoint.app import CheckpointApp
from streams.checkpoint.changelog import Changelog
from streams.checkpoint.fencing import HEAD, Entry
from streams.checkpoint.table import CheckpointTable
from streams.embedded import group
from tests.flow.toy import CALLS, LEDGER, PANES, PARTITIONS, TICKETS, ToyState

PREFIX = os.environ.get("TOY_PREFIX", "toy-")
SESSION_S = float(os.environ.get("TOY_SESSION", 2))
logging.getLogger("aiokafka").setLevel(logging.ERROR)


class Fault:
    """Injects a fault at a chosen point."""

    def __init__(self, plan: str) -> None:
        self.where, number, self.how = plan.split(":")
        self.left = int(number)

    def at(self, where: str) -> None:
        if where != self.where:
            return
        self.left -= 1
        if self.left:
            return
        if self.how == "RAISE":
            raise RuntimeError("injected fault")
        os.kill(os.getpid(), signal.Signals[f"SIG{self.how}"])


fault = Fault(os.environ.get("TOY_FAULT", "never:0:KILL"))


class FaultyChangelog(Changelog):
    async def append(self, partition: int, records: list[Entry]) -> tuple[int, int]:
        if records[0][0] != HEAD:
            return await super().append(partition, records)
        fault.at("append")
        result = await super().append(partition, records)
        fault.at("appended")
        return result


class ToyTable(CheckpointTable):
    def _new_changelog(self) -> Changelog:
        return FaultyChangelog(self.changelog_topic_name, self.outputs, self.app.conf)


app = CheckpointApp(
    PREFIX + "app",
    broker=f"kafka://{os.environ.get('TOY_BROKER', '127.0.0.1:9092')}",
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    broker_session_timeout=SESSION_S,
    broker_rebalance_timeout=SESSION_S,
    broker_heartbeat_interval=0.4,
    broker_request_timeout=max(10.0, SESSION_S),
    datadir=os.environ.get("TOY_DATA", "toy-data"),
)
if os.environ.get("TOY_EMBEDDED"):
    group.install(app)
limit = int(os.environ.get("TOY_LIMIT", 4 << 20))
desk = app.checkpoint_table(
    "desk",
    table=ToyTable,
    new_state=lambda partition: ToyState(partition, PREFIX, limit),
    inputs=[PREFIX + TICKETS, PREFIX + CALLS],
    outputs=[PREFIX + LEDGER, PREFIX + PANES],
    partitions=PARTITIONS,
    limit_bytes=limit,
)
desk.position.stall_s = float(os.environ.get("TOY_STALL", desk.position.stall_s))


@app.agent(app.batch_topic(PREFIX + TICKETS))
async def tickets(stream: Any) -> None:
    async for batch in stream.noack().events():
        fault.at("feed")
        await desk.feed(batch)


@app.agent(app.batch_topic(PREFIX + CALLS))
async def calls(stream: Any) -> None:
    to_lose = int(os.environ.get("TOY_LOSE", 0))
    async for batch in stream.noack().events():
        if to_lose:
            to_lose -= 1
        else:
            await desk.feed(batch)


@app.on_before_shutdown.connect
async def report(_app: Any, **_: Any) -> None:
    logging.getLogger("toy").warning("STATISTICS %s", desk.statistics)
