"""A check that a broker answers, and a producer whose flush waits for the broker's acknowledgements."""

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver

from streams.errors import StartRefused


class BrokerUnreachable(StartRefused):
    """No broker answered at the start. The text is one sentence for people."""


async def check_broker(conf: Any) -> None:
    """Raise BrokerUnreachable, with one sentence for people, unless a broker of ``conf.broker`` answers."""
    servers = driver.server_list(conf.broker, 9092)
    client = AIOKafkaClient(
        bootstrap_servers=servers,
        request_timeout_ms=int(conf.broker_request_timeout * 1000),
        **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
    )
    try:
        await client.bootstrap()
    except (KafkaError, OSError) as error:
        where = ", ".join(servers)
        raise BrokerUnreachable(
            f"No Kafka broker answers at {where} ({type(error).__name__}): start it, or name another in the settings."
        ) from None
    finally:
        await client.close()


class StrictProducer(driver.Producer):  # type: ignore[misc]
    """A producer whose ``flush()`` returns when the broker has acknowledged every message, and raises if one failed.

    The stock one gives up after 0.1 s without progress (producer.py:88): offsets could be committed before outputs.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._outstanding: set[Any] = set()
        self.buffer.max_messages = 20_000

    def send_soon(self, fut: Any) -> None:
        """Queue a message, and remember it until it is acknowledged."""
        self._outstanding.add(fut)
        fut.add_done_callback(self._acknowledged)
        super().send_soon(fut)

    def _acknowledged(self, fut: Any) -> None:
        if fut.cancelled() or fut.exception() is None:
            self._outstanding.discard(fut)  # failures stay: flush() must raise

    async def flush(self) -> None:
        """Wait until every message is acknowledged; raises the first failure."""
        if self._outstanding:
            await asyncio.gather(*self._outstanding)
        if self._producer is not None:
            await self._producer.flush()
