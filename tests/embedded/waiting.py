"""Waiting for what other processes and threads do."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], what: object = "waited in vain", seconds: float = 60.0) -> None:
    """Return once the condition holds; fail with `what` if it does not within these seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)
