"""The thread that runs aiokafka's consumer: how it fetches, and the member id with which it joins its group.

The workarounds below name the file and line of faust-streaming 0.15.3 and aiokafka 0.14 that they are for.
"""

from pathlib import Path
from typing import Any

from faust.transport.drivers import aiokafka as driver

from streams.kafka.membership import MemberId

FETCH_WAIT_MS = 250
"""How long the broker may hold an empty fetch; a partition resumed meanwhile waits as long."""

RECLAIMED_LOG = "Joins with the member id of a process that has ended: "
"""The log line about a reclaimed member id; the id follows."""


class BatchThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Joins with the member id of a dead worker of this machine, if any: see MemberId."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.member = MemberId(Path(self.app.conf.datadir) / "members" / self.app.conf.id)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # drivers/aiokafka.py:615 hard-codes 1500; aiokafka consumer.py:391 reads it when the consumer starts.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        # drivers/aiokafka.py:571 reads aborted transactions, too, unless the app itself is transactional.
        consumer._isolation_level = "read_committed"
        return consumer

    async def on_start(self) -> None:
        """Connect and run the app's hooks. Joining happens later, with the subscription."""
        await super().on_start()
        for hook in self.app.consumer_hooks:
            hook(self)
        if member := self.member.reclaim():
            self._consumer._coordinator.member_id = member
            self.log.info(RECLAIMED_LOG + "%s", member)

    def joined(self) -> None:
        """The group has assigned partitions: keep the member id for a restart."""
        self.member.hold(self._consumer._coordinator.member_id)

    async def on_thread_stop(self) -> None:
        """Leave the group."""
        await super().on_thread_stop()
        self.member.release()
