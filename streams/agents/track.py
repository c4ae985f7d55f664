"""The role track: a desk for each partition, followed by the stage `customers`.

tickets, calls, surveys, signals ──> desk ──> sla-ledger, facts, rollups, risk-warnings, dead-letters, watch-rollups
                                       ├────> incident-warnings
                                       └────> customer-facts ──> customers ──> facts, rollups, risk-warnings
                                                    ^                └──> customer-facts (of other partitions)
                                                    └────────────────┘
"""

import logging
from functools import partial
from typing import Any

from streams.agents.feed import feed
from streams.checkpoint.app import CheckpointApp
from streams.checkpoint.table import wall_clock
from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.customers.partition import Customers
from streams.desk.policy.versions import Policies
from streams.desk.track.dead_letter_limit import DeadLetterLimit
from streams.desk.track.partition import Desk
from streams.kafka.partitioner import partition_of
from streams.models.topics import CUSTOMER_FACTS, CUSTOMERS_TOPICS, DEAD_LETTERS, INPUTS, TRACK_OUTPUTS
from streams.settings import Settings

logger = logging.getLogger(__name__)


def register(app: CheckpointApp, settings: Settings, policies: Policies) -> tuple[Any, Any]:
    """Declare the tables `desk` and `customers` and their agents; returns the tables."""
    wall = settings.clock == "wall"
    limit = DeadLetterLimit(settings.dead_letter_ratio, settings.dead_letter_run)
    homes = CustomerPartitioner(settings.partitions, partial(partition_of, partitions=settings.partitions))

    def new_desk(partition: int) -> Desk:
        return Desk(
            partition,
            policies,
            wall=wall,
            restate=settings.restate,
            limit=limit,
            homes=homes,
            cached_subjects=settings.cached_subjects // settings.partitions,
            say=logger.info,
        )

    def new_customers(partition: int) -> Customers:
        return Customers(partition, policies, homes, settings.restate, logger.info)

    desk = app.checkpoint_table(
        "desk",
        new_state=new_desk,
        inputs=INPUTS,
        outputs=TRACK_OUTPUTS,
        partitions=settings.partitions,
        clock=wall_clock if wall else _no_clock,
    )
    customers = app.checkpoint_table(
        "customers",
        new_state=new_customers,
        inputs=[CUSTOMER_FACTS],
        outputs=[*CUSTOMERS_TOPICS, CUSTOMER_FACTS, DEAD_LETTERS],
        partitions=settings.partitions,
        clock=_no_clock,
    )
    feed(app, "track", desk)
    feed(app, "track", customers)
    return desk, customers


def _no_clock() -> None:
    """Return None: the records are the clock."""
