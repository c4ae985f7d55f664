"""The apps of the worker roles on the embedded broker: `faust -A streams.embedded.app:track worker`.

They are those of :mod:`streams.app`, with workarounds for the broker's faults (:mod:`.group`).
"""

from typing import Any

import streams.app
from streams.embedded.group import install
from streams.kafka.app import BatchApp


def __getattr__(name: str) -> Any:
    """`track`, `watch`, `store` or `escalate`, created on demand, as in :mod:`streams.app`."""
    app = getattr(streams.app, name)
    if not isinstance(app, BatchApp):
        raise AttributeError(name)
    install(app)
    globals()[name] = app
    return app
