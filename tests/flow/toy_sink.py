"""A worker that writes its input to a file: a batch app without a table, like the sinks."""

import os
from pathlib import Path
from typing import Any

from streams.embedded import group
from streams.kafka.app import BatchApp
from tests.flow.toy import PARTITIONS, TICKETS

PREFIX = os.environ.get("TOY_PREFIX", "toy-")
OUT = Path(os.environ.get("TOY_OUT", "toy-out"))

app = BatchApp(
    PREFIX + "app",
    broker=f"kafka://{os.environ.get('TOY_BROKER', '127.0.0.1:9092')}",
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    broker_session_timeout=2.0,
    broker_rebalance_timeout=2.0,
    broker_heartbeat_interval=0.4,
    broker_max_poll_records=50,
    datadir=os.environ.get("TOY_DATA", "toy-data"),
)
if os.environ.get("TOY_EMBEDDED"):
    group.install(app)


@app.agent(app.batch_topic(PREFIX + TICKETS))
async def write(stream: Any) -> None:
    with OUT.open("ab") as out:
        async for batch in stream.noack().events():
            out.write(b"".join(b"%d %d\n" % (record.partition, record.offset) for record in batch.value))
            out.flush()
            os.fsync(out.fileno())
            batch.ack()
