"""The dead letters of a state: rejected records, to be sent to the topic `dead-letters`."""

from streams.models.dead_letters import dead_letter
from streams.models.records import Output, Record

_HEADER_BYTES = 500  # estimated size of a letter's headers


class DeadLetters:
    """The letters written since the last snapshot, and their estimated size in bytes."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.bytes = 0

    def add(self, topic: str, record: Record, reason: str) -> None:
        """Add the letter of a record rejected for this reason."""
        letter = dead_letter(topic, record, reason)
        self.outputs.append(letter)
        self.bytes += len(letter.value) + _HEADER_BYTES

    def take(self) -> list[Output]:
        """Remove and return the letters."""
        outputs = self.outputs
        self.outputs, self.bytes = [], 0
        return outputs
