"""The batch transport: one Faust event for each fetched batch of records, instead of one for each record.

Stock Faust spends two asyncio tasks and some 200 µs on every record. Here a topic declared with
:meth:`BatchApp.batch_topic` gives its agent *batches*: lists of aiokafka records, of one partition and one fetch.
Assignment, commit, agents, web and sensors stay Faust's own. Delivery is at least once: an agent uses
``stream.noack().events()``, and calls ``event.ack()`` once the effects of the batch are durable. Batches of a partition
are acknowledged in the order of their delivery (concurrency 1).

The workarounds below name the file and line of faust-streaming 0.15.3 that they are for.
"""

import asyncio
import atexit
import gc
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import faust
import mode
from aiohttp.web import Request, Response, StreamResponse, middleware
from faust.transport.drivers import aiokafka as driver

from streams import loopback
from streams.kafka.consumer import BatchConsumer
from streams.kafka.producer import StrictProducer, check_broker
from streams.kafka.worker import PromptTableManager, PromptWorker

DRAIN_PATIENCE_S = 2.0
"""How long a revocation or a stop waits for batches being processed; the rest is delivered again."""

MAX_QUEUED_BATCHES = 2
"""Maximum number of batches, each up to a whole fetch, queued for the agent of a topic; then delivery waits."""

SETTINGS: Mapping[str, Any] = {
    # The guarantees depend on these.
    "agent_supervisor": mode.CrashingSupervisor,  # the default one, with noack, hangs at SIGTERM after a crash
    "table_standby_replicas": 0,  # 1, the default, floods the log with errors when there is one worker
    "stream_wait_empty": True,
    "consumer_auto_offset_reset": "earliest",
    "store": "memory://",
    # Speed.
    "broker_max_poll_records": 5000,
    "consumer_max_fetch_size": 4 << 20,
    "broker_commit_interval": 1.0,
    "producer_linger": 0.02,
    "producer_max_batch_size": 256 << 10,
    "producer_request_timeout": 60.0,
    # A dead worker is noticed within a session.
    "broker_session_timeout": 6.0,
    "broker_heartbeat_interval": 0.5,
    "broker_rebalance_timeout": 6.0,
    "broker_request_timeout": 10.0,
    # A group formed before its topics were known assigns nothing until the next metadata: by default, 5 minutes.
    "consumer_metadata_max_age_ms": 5000,
    # Role store blocks while ClickHouse is down: after 1000 s, the default, it would leave its group. A hanging worker
    # is detected by its lag.
    "broker_max_poll_interval": 86_400.0,
    "web_bind": loopback.HOST,  # Faust binds all addresses, on `faust -A streams.app worker` too
    "worker_redirect_stdouts": False,
    "topic_disable_leader": True,
}
"""Faust settings of every app; an app's own keyword arguments override them."""


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """Faust's Kafka transport with the consumer and producer of this package."""

    Consumer = BatchConsumer
    Producer = StrictProducer


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Passes the list of records through: the agent decodes, since Faust acknowledges what it cannot decode."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """Return None: a batch has no key."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the list of aiokafka records."""
        return message.value


class BatchApp(faust.App):  # type: ignore[misc]
    """A Faust app whose batch topics deliver lists of records. See the module."""

    def __init__(self, id: str, **settings: Any) -> None:
        self.batch_topics: frozenset[str] = frozenset()
        # Each is called with the consumer's thread (BatchThread) once it is connected, before it joins its group.
        self.consumer_hooks: list[Callable[[Any], None]] = []
        super().__init__(id, **{**SETTINGS, "TableManager": PromptTableManager, "Worker": PromptWorker, **settings})

    def _crash(self, reason: BaseException) -> None:
        """Print the reason as the last line, after the log: the traceback is far above by then."""
        if not self.crashed:
            sentence = " ".join(f"{self.conf.id} stops: {reason or type(reason).__name__}".split())
            atexit.register(print, sentence, file=sys.__stderr__, flush=True)
        super()._crash(reason)

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_producer, self)

    def batch_topic(self, name: str, **kwargs: Any) -> Any:
        """Declare a topic whose agent gets batches: ``event.value`` is a list of aiokafka ConsumerRecords."""
        self.batch_topics = self.batch_topics | {name}
        topic = self.topic(name, schema=BatchSchema(), **kwargs)
        topic.maxsize = MAX_QUEUED_BATCHES  # app/base.py:843 drops the argument: 4096 batches would wait
        return topic

    async def drain(self) -> None:
        """Wait, at most DRAIN_PATIENCE_S, until the agents have acknowledged the batches they are processing.

        Runs when partitions are revoked and when the worker stops. An app that collects several batches before it
        persists their effects overrides this to persist them now.
        """
        deadline = time.monotonic() + DRAIN_PATIENCE_S
        while time.monotonic() < deadline:
            gc.collect(0)  # batches in cleared queues leave the consumer's weak set
            if all(message.acked for message in self.consumer.unacked):
                return
            await asyncio.sleep(0.02)

    def on_webserver_init(self, web: Any) -> None:
        """Close Faust's own pages (`--with-web`) to web pages of others."""
        if self._gate not in web.web_app.middlewares:  # called twice: app/base.py:740, web/drivers/aiohttp.py:123
            web.web_app.middlewares.append(self._gate)

    @middleware
    async def _gate(self, request: Request, handler: Any) -> StreamResponse:
        any_host = self.conf.web_bind not in loopback.NAMES  # the worker sets web_bind after the first of those calls
        why = loopback.refusal_of(request.headers, any_host=any_host)
        return Response(status=403, text=f"{why}\n") if why is not None else await handler(request)

    async def on_first_start(self) -> None:
        """Ask the broker for its metadata before anything starts; raises BrokerUnreachable."""
        await check_broker(self.conf)
        await super().on_first_start()
