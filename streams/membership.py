"""How a worker leaves its consumer group."""

from faust.transport.drivers import aiokafka as driver


class MemberThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that runs aiokafka's consumer: at its end it leaves the group, whatever the generation."""

    async def on_start(self) -> None:
        """Connect; joining comes later, with the subscription."""
        await super().on_start()
        self._leave_any_generation()

    def _leave_any_generation(self) -> None:
        """Leave at the end from generation 0, too: the embedded broker begins there, and Apache Kafka with 1.

        aiokafka 0.14 group_coordinator.py:375 takes 0 for no generation, and the group would wait for a session.
        """
        coordinator = self._consumer._coordinator
        leave = coordinator._maybe_leave_group

        async def leave_any() -> None:
            coordinator.generation = coordinator.generation or 1  # the request names the member only
            await leave()

        coordinator._maybe_leave_group = leave_any
