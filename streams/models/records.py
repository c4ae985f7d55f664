"""Input and output of a partition's state: a Kafka record as read, and an output to send."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Record(Protocol):
    """The attributes of an aiokafka ConsumerRecord that a state may read."""

    @property
    def topic(self) -> str:
        """Input topic."""

    @property
    def partition(self) -> int:
        """Partition: that of the state."""

    @property
    def offset(self) -> int:
        """Offset in the partition; rises, with gaps."""

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
    """A record for an output topic. `partition`: its target; None: the same number as the state's."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None
