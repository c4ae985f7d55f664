"""The Faust app whose agents feed checkpointed states. An agent takes three lines:

app = CheckpointApp("deskwatch-track", broker="kafka://127.0.0.1:9092")
desk = app.checkpoint_table("desk", new_state=Desk, inputs=["tickets"], outputs=["facts"], partitions=8)

@app.agent(app.batch_topic("tickets"))
async def tickets(stream):
    async for batch in stream.noack().events():
        await desk.feed(batch)
"""

from collections.abc import Mapping
from typing import Any

from faust.types.tuples import TP

from streams.checkpoint.table import CheckpointTable
from streams.kafka.app import BatchApp, BatchTransport
from streams.kafka.consumer import BatchConsumer
from streams.kafka.lease import Lease


class CheckpointConsumer(BatchConsumer):
    """Continues from the offsets of the checkpoints, not from the committed ones."""

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return 0 for each changelog partition, so that Faust's own recovery does nothing."""
        return dict.fromkeys(partitions, 0)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek the inputs to the offsets of their states, and other topics to the committed ones.

        Faust calls this after a rebalance, and also between rebalances (consumer.py:772). After a rebalance the offsets
        are also committed: else records that a killed worker checkpointed but did not commit would look like lag.
        """
        assigned = self.assignment()
        wanted = {
            TP(topic, part.number): part.offsets.get(topic, 0)
            for table in self.app.checkpoint_tables
            for part in table.held.values()
            for topic in table.inputs
            if TP(topic, part.number) in assigned
        }
        inputs = {topic for table in self.app.checkpoint_tables for topic in table.inputs}
        others = {tp for tp in assigned if tp.topic not in inputs and not self._is_changelog_tp(tp)}
        committed = dict(await super().seek_to_committed()) if others else {}
        if wanted:
            await self.seek_wait(wanted)
            folded = {tp: offset for tp, offset in wanted.items() if offset > 0}
            if folded and self.app.rebalancing:
                await self._commit(folded)
        return {tp: committed[tp] for tp in committed if tp in others} | wanted


class CheckpointTransport(BatchTransport):
    """The batch transport with the consumer of this module."""

    Consumer = CheckpointConsumer


class CheckpointApp(BatchApp):
    """A batch app with checkpoint tables. See the module."""

    def __init__(self, id: str, **settings: Any) -> None:
        self.checkpoint_tables: list[CheckpointTable] = []
        self.lease = Lease()
        super().__init__(id, **settings)
        self.consumer_hooks.append(self.lease.attach)

    def _new_transport(self) -> CheckpointTransport:
        return CheckpointTransport(self.conf.broker_consumer, self)

    def checkpoint_table(self, name: str, *, table: type[CheckpointTable] = CheckpointTable, **kwargs: Any) -> Any:
        """Declare a table of checkpointed states; the arguments are those of :class:`CheckpointTable`."""
        declared = self.tables.add(table(self, name=name, **kwargs))
        self.checkpoint_tables.append(declared)
        return declared

    async def drain(self) -> None:
        """Save all states, or, without a lease or after a crash, abandon them: unsaved events are delivered again."""
        for table in self.checkpoint_tables:
            await table.flush(abandon=self.crashed)
