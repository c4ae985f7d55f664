"""The topics: made before anything runs, with what Kafka must be told and would else decide by its defaults."""

from contextlib import suppress

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streams.errors import UserError
from streams.models.instants import DAY
from streams.models.topics import (
    ACTIONS,
    CUSTOMER_FACTS,
    DEAD_LETTERS,
    ESCALATIONS,
    FACTS,
    INPUTS,
    LEDGER,
    ROLLUPS,
    WARNINGS,
    WATCH_ROLLUPS,
)
from streams.settings import Settings

BATCH_LIMIT = 8 << 20
"""Most bytes of a checkpoint, not compressed; the changelog topic's ``max.message.bytes`` allows a little more."""

CHANGELOG_CONFIG = {
    "max.message.bytes": str(BATCH_LIMIT + (1 << 20)),
    "min.compaction.lag.ms": str(3_600_000),  # a zombie's records are written over long before compaction sees them
}
"""Configuration of the changelog topic, beside ``cleanup.policy=compact``."""

CHANGELOG, CUSTOMERS_CHANGELOG = "deskwatch-track-desk-changelog", "deskwatch-track-customers-changelog"
WATCH_CHANGELOG = "deskwatch-watch-watch-changelog"
ESCALATE_CHANGELOG = "deskwatch-escalate-chains-changelog"
LARGEST_MESSAGE = str(4 << 20)  # an oversized event must reach us, to become a dead letter
LARGEST_LETTER = str(5 << 20)  # the message and where it came from

# Of every topic. Time of arrival: else a producer's clock, or a replay that stamps records with the time of their
# events, would decide what retention deletes and when compaction may begin.
_ALL = {"message.timestamp.type": "LogAppendTime", "unclean.leader.election.enable": "false"}
_KEPT = {**_ALL, "cleanup.policy": "delete", "retention.ms": str(365 * DAY), "retention.bytes": "-1"}
# Compaction leaves the segment that is written to alone: 1 GiB or a week by default, which every restart would read.
_COMPACTED = {
    **_ALL,
    "cleanup.policy": "compact",
    "segment.bytes": str(64 << 20),
    "segment.ms": str(DAY // 24),
    "min.cleanable.dirty.ratio": "0.3",
}

CONFIGS: dict[str, dict[str, str]] = {
    **{topic: {**_KEPT, "max.message.bytes": LARGEST_MESSAGE} for topic in INPUTS},
    LEDGER: {**_KEPT, "max.message.bytes": LARGEST_MESSAGE},
    FACTS: {**_KEPT, "max.message.bytes": LARGEST_MESSAGE},
    # A zombie may send a pane again after its successor's newer one. Who reads both keeps the higher version;
    # compaction keeps the last, so a reader has a week to see both.
    ROLLUPS: {**_COMPACTED, "max.message.bytes": LARGEST_MESSAGE, "min.compaction.lag.ms": str(7 * DAY)},
    WARNINGS: {**_KEPT, "max.message.bytes": LARGEST_MESSAGE},
    ACTIONS: _KEPT,
    ESCALATIONS: {**_KEPT, "max.message.bytes": LARGEST_MESSAGE},
    DEAD_LETTERS: {**_KEPT, "max.message.bytes": LARGEST_LETTER},
    # A stage keeps what it needs of them in its own checkpoints.
    CUSTOMER_FACTS: {**_KEPT, "retention.ms": str(7 * DAY), "max.message.bytes": LARGEST_MESSAGE},
    WATCH_ROLLUPS: {**_KEPT, "retention.ms": str(7 * DAY), "max.message.bytes": LARGEST_MESSAGE},
    CHANGELOG: {**_COMPACTED, **CHANGELOG_CONFIG},
    CUSTOMERS_CHANGELOG: {**_COMPACTED, **CHANGELOG_CONFIG},
    WATCH_CHANGELOG: {**_COMPACTED, **CHANGELOG_CONFIG},
    ESCALATE_CHANGELOG: {**_COMPACTED, **CHANGELOG_CONFIG},
}
"""What each topic is told, beside :func:`in_sync`.

Not a topic's but the broker's is `offsets.retention.minutes`, after which a group without members loses its place (a
week). Track does not mind: its place is in its checkpoints. Store then writes again all that the topics keep, which
changes nothing; `deskwatch doctor` says how long that is.
"""

SINGLE: frozenset[str] = frozenset({WATCH_ROLLUPS, WATCH_CHANGELOG})
"""Those of CONFIGS that have one partition, whatever `DESKWATCH_PARTITIONS` says."""


def in_sync(replication: int) -> str:
    """How many replicas must have a record before it is acknowledged: most of them, so that no minority loses it."""
    return str(replication // 2 + 1)


class TopicError(UserError):
    """The topics are not as they must be: one sentence."""


def create_topics(settings: Settings) -> None:
    """Create the topics that do not exist yet.

    Raises TopicError if Kafka is away, or has another number of partitions.
    """
    try:
        admin = KafkaAdminClient(bootstrap_servers=settings.broker.split(","))
    except KafkaError as error:
        raise TopicError(
            f"No Kafka broker answers at {settings.broker} ({type(error).__name__}): start it, or set DESKWATCH_BROKER."
        ) from None
    try:
        existing = set(admin.list_topics())
        required = {"min.insync.replicas": in_sync(settings.replication)}
        wanted = [
            NewTopic(name, _partitions(name, settings), settings.replication, topic_configs=config | required)
            for name, config in CONFIGS.items()
            if name not in existing
        ]
        if wanted:
            with suppress(TopicAlreadyExistsError):  # another role was first
                admin.create_topics(wanted)
            admin.wait_for_topics(list(CONFIGS))
        _check_partitions(admin, settings)
    except KafkaError as error:
        raise TopicError(f"The topics cannot be created at {settings.broker}: {error}") from None
    finally:
        admin.close()


def _partitions(name: str, settings: Settings) -> int:
    return 1 if name in SINGLE else settings.partitions


def _check_partitions(admin: KafkaAdminClient, settings: Settings) -> None:
    for topic in admin.describe_topics(list(CONFIGS)):
        found = len(topic["partitions"])
        name = topic.get("topic", topic.get("name"))
        if found and name in SINGLE and found != 1:
            raise TopicError(f"The topic {name} has {found} partitions, not 1: delete it, and it is made anew.")
        if found and name not in SINGLE and found != settings.partitions:
            raise TopicError(
                f"The topic {name} has {found} partitions, not {settings.partitions}: set DESKWATCH_PARTITIONS={found} "
                "(the number stays for the life of the topics)."
            )
