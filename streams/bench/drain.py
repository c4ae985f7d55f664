"""The raw drain, a separate process: `python -m streams.bench.drain BROKER ENDS` only reads the inputs.

ENDS is JSON, {topic: [end of partition 0, …]}; prints JSON: {"records", "seconds", "cpu_s", "rss_mb"}.
"""

import asyncio
import json
import sys
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.bench.worker import peak_mb

FETCH_BYTES = 4 << 20
"""Maximum bytes of a partition in a fetch, as in role track."""


async def drain(broker: str, ends: dict[str, list[int]]) -> dict[str, float]:
    """Read every input partition from its beginning to its end with one consumer."""
    wanted = {TopicPartition(topic, n): end for topic, found in ends.items() for n, end in enumerate(found)}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, auto_offset_reset="earliest", max_partition_fetch_bytes=FETCH_BYTES
    )
    async with consumer:
        consumer.assign(list(wanted))
        await consumer.seek_to_beginning()
        started, cpu, records, total = time.monotonic(), time.process_time(), 0, sum(wanted.values())
        while records < total:
            fetched = await consumer.getmany(timeout_ms=1000)
            records += sum(map(len, fetched.values()))
        seconds, cpu_s = time.monotonic() - started, time.process_time() - cpu
    return {"records": records, "seconds": seconds, "cpu_s": cpu_s, "rss_mb": peak_mb("self")}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(drain(sys.argv[1], json.loads(sys.argv[2])))))
