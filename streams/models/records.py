"""What goes in and out of a partition's state: a Kafka record as read, and an output to be sent."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Record(Protocol):
    """An aiokafka ConsumerRecord, as far as a state may look."""

    @property
    def topic(self) -> str:
        """Input topic."""

    @property
    def partition(self) -> int:
        """Partition, the state's own."""

    @property
    def offset(self) -> int:
        """Place in the partition; rises, with gaps."""

    @property
    def timestamp(self) -> int:
        """When it was produced, in ms since the epoch."""

    @property
    def key(self) -> bytes | None:
        """Key as produced."""

    @property
    def value(self) -> bytes | None:
        """Value as produced."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Headers as produced."""


class Output(NamedTuple):
    """A record for an output topic. `partition`: where it goes; None: to the partition number of its maker's state."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None
