"""The role watch: judges the window rules over the tallies of all partitions; it has one state and one partition.

watch-rollups ──> window rules ──> risk-warnings
"""

from typing import Any

from streams.agents.feed import feed
from streams.checkpoint.app import CheckpointApp
from streams.desk.policy.versions import Policies
from streams.desk.window_rules.partition import Watch
from streams.models.topics import DEAD_LETTERS, WATCH_ROLLUPS, WATCH_TOPICS
from streams.settings import Settings


def register(app: CheckpointApp, settings: Settings, policies: Policies) -> Any:
    """Declare the table `watch` and its agent; returns the table."""

    def new_watch(_partition: int) -> Watch:
        return Watch(settings.partitions, policies, settings.restate)

    table = app.checkpoint_table(
        "watch",
        new_state=new_watch,
        inputs=[WATCH_ROLLUPS],
        outputs=[*WATCH_TOPICS, DEAD_LETTERS],
        partitions=1,
        clock=lambda: None,  # the records are the clock
    )
    feed(app, "watch", table)
    return table
