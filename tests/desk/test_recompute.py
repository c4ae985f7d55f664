"""Recomputing terminates, whatever the log contains."""

from typing import Any

from streams import policies
from streams.replay.recompute import recompute


class Sink:
    """A writer that keeps nothing."""

    def write(self, _batch: Any) -> None:
        """No rows are looked at here."""

    def write_calendars(self) -> None:
        """No calendars are looked at here."""


def test_a_large_dead_letter_that_finds_no_room_waits_for_a_checkpoint() -> None:
    """
    3 MB refused ── 3 MB refused: both do not fit in one checkpoint, and the first alone does not fill it
    """
    log = [b'{"type":"ticket.created","x":"' + b"x" * (3 << 20) + b'"}'] * 2
    done = recompute(log, policies.load(policies.DEFAULT), Sink())
    assert (done.lines, done.dead) == (2, 2)
