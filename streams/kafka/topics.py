"""Creates the topics before anything runs, with the settings for which Kafka's defaults are wrong."""

from contextlib import suppress
from typing import Protocol

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
    INCIDENTS,
    INPUTS,
    LEDGER,
    ROLLUPS,
    WARNINGS,
    WATCH_ROLLUPS,
)

BATCH_LIMIT = 8 << 20
"""Maximum bytes of a checkpoint, uncompressed; the changelog topic's ``max.message.bytes`` allows a little more."""

CHANGELOG_CONFIG = {
    "max.message.bytes": str(BATCH_LIMIT + (1 << 20)),
    "min.compaction.lag.ms": str(3_600_000),  # a zombie's records are overwritten long before compaction sees them
}
"""Configuration of the changelog topic, beside ``cleanup.policy=compact``."""

CHANGELOG, CUSTOMERS_CHANGELOG = "deskwatch-track-desk-changelog", "deskwatch-track-customers-changelog"
WATCH_CHANGELOG = "deskwatch-watch-watch-changelog"
ESCALATE_CHANGELOG = "deskwatch-escalate-chains-changelog"
MAX_MESSAGE_BYTES = str(4 << 20)  # an oversized event must arrive, to become a dead letter
MAX_DEAD_LETTER_BYTES = str(5 << 20)  # the message and its origin

# For every topic. LogAppendTime: otherwise a producer's clock, or a replay with the events' own times, decides what
# retention deletes and when compaction may begin.
_ALL = {"message.timestamp.type": "LogAppendTime", "unclean.leader.election.enable": "false"}
_KEPT = {**_ALL, "cleanup.policy": "delete", "retention.ms": str(365 * DAY), "retention.bytes": "-1"}
# Compaction skips the open segment, by default up to 1 GiB or a week, and every restart reads it: keep it small.
_COMPACTED = {
    **_ALL,
    "cleanup.policy": "compact",
    "segment.bytes": str(64 << 20),
    "segment.ms": str(DAY // 24),
    "min.cleanable.dirty.ratio": "0.3",
}

CONFIGS: dict[str, dict[str, str]] = {
    **{topic: {**_KEPT, "max.message.bytes": MAX_MESSAGE_BYTES} for topic in INPUTS},
    LEDGER: {**_KEPT, "max.message.bytes": MAX_MESSAGE_BYTES},
    FACTS: {**_KEPT, "max.message.bytes": MAX_MESSAGE_BYTES},
    # A zombie may send a pane again after the next owner has sent a newer one. A reader of both keeps the higher
    # version; compaction keeps the last record, so a reader has a week to see both.
    ROLLUPS: {**_COMPACTED, "max.message.bytes": MAX_MESSAGE_BYTES, "min.compaction.lag.ms": str(7 * DAY)},
    WARNINGS: {**_KEPT, "max.message.bytes": MAX_MESSAGE_BYTES},
    ACTIONS: _KEPT,
    ESCALATIONS: {**_KEPT, "max.message.bytes": MAX_MESSAGE_BYTES},
    DEAD_LETTERS: {**_KEPT, "max.message.bytes": MAX_DEAD_LETTER_BYTES},
    # Their readers keep the data they need from these three in their own checkpoints.
    CUSTOMER_FACTS: {**_KEPT, "retention.ms": str(7 * DAY), "max.message.bytes": MAX_MESSAGE_BYTES},
    WATCH_ROLLUPS: {**_KEPT, "retention.ms": str(7 * DAY), "max.message.bytes": MAX_MESSAGE_BYTES},
    INCIDENTS: {**_KEPT, "retention.ms": str(7 * DAY), "max.message.bytes": MAX_MESSAGE_BYTES},
    CHANGELOG: {**_COMPACTED, **CHANGELOG_CONFIG},
    CUSTOMERS_CHANGELOG: {**_COMPACTED, **CHANGELOG_CONFIG},
    WATCH_CHANGELOG: {**_COMPACTED, **CHANGELOG_CONFIG},
    ESCALATE_CHANGELOG: {**_COMPACTED, **CHANGELOG_CONFIG},
}
"""The configuration of each topic, beside :func:`in_sync`.

`offsets.retention.minutes` is not a topic's setting but the broker's: after that time (a week) a group without members
loses its committed offsets. Role track is not affected: its offsets are in its checkpoints. Role store then
rewrites everything in the topics, which changes nothing; `deskwatch doctor` shows how long that time is.
"""

SINGLE: frozenset[str] = frozenset({WATCH_ROLLUPS, WATCH_CHANGELOG})
"""The topics with one partition, whatever `DESKWATCH_PARTITIONS` says."""


def in_sync(replication: int) -> str:
    """Return min.insync.replicas: a majority, so that the loss of a minority loses no acknowledged record."""
    return str(replication // 2 + 1)


class TopicError(UserError):
    """The topics cannot be created, or have wrong settings. The message is one sentence."""


class TopicSettings(Protocol):
    """The settings that determine the topics (`streams.settings.Settings` has them)."""

    @property
    def broker(self) -> str:
        """Addresses host:port, separated by commas."""

    @property
    def partitions(self) -> int:
        """Number of partitions of every topic but SINGLE."""

    @property
    def replication(self) -> int:
        """Replication factor of new topics."""


def create_topics(settings: TopicSettings) -> None:
    """Create the topics that do not exist yet.

    Raises TopicError if no broker answers, or if a topic has another number of partitions.
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


def _partitions(name: str, settings: TopicSettings) -> int:
    return 1 if name in SINGLE else settings.partitions


def _check_partitions(admin: KafkaAdminClient, settings: TopicSettings) -> None:
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
