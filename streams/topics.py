"""The topics: made before anything runs, with what Kafka must be told and would else decide by its defaults."""

from contextlib import suppress

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streams.changelog import TOPIC_CONFIG
from streams.desk.letter import DEAD_LETTERS
from streams.desk.messages import FACTS, LEDGER, ROLLUPS, WARNINGS
from streams.models.codec import INPUTS
from streams.settings import Settings

CHANGELOG = "deskwatch-track-desk-changelog"
LARGEST_MESSAGE = str(4 << 20)  # an oversized event must reach us, to become a dead letter
LARGEST_LETTER = str(5 << 20)  # the message and where it came from
YEAR = str(365 * 86_400_000)

CONFIGS: dict[str, dict[str, str]] = {
    **{topic: {"retention.ms": YEAR, "max.message.bytes": LARGEST_MESSAGE} for topic in INPUTS},
    LEDGER: {"retention.ms": YEAR, "max.message.bytes": LARGEST_MESSAGE},
    FACTS: {"retention.ms": YEAR, "max.message.bytes": LARGEST_MESSAGE},
    ROLLUPS: {"cleanup.policy": "compact", "max.message.bytes": LARGEST_MESSAGE},
    WARNINGS: {"retention.ms": YEAR},
    DEAD_LETTERS: {"retention.ms": YEAR, "max.message.bytes": LARGEST_LETTER},
    CHANGELOG: {"cleanup.policy": "compact", **TOPIC_CONFIG},
}


class TopicError(Exception):
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
        wanted = [
            NewTopic(name, settings.partitions, settings.replication, topic_configs=config)
            for name, config in CONFIGS.items()
            if name not in existing
        ]
        if wanted:
            with suppress(TopicAlreadyExistsError):  # another role was first
                admin.create_topics(wanted)
        _check_partitions(admin, settings)
    except KafkaError as error:
        raise TopicError(f"The topics cannot be created at {settings.broker}: {error}") from None
    finally:
        admin.close()


def _check_partitions(admin: KafkaAdminClient, settings: Settings) -> None:
    for topic in admin.describe_topics(list(CONFIGS)):
        found = len(topic["partitions"])
        if found and found != settings.partitions:
            name = topic.get("topic", topic.get("name"))
            raise TopicError(
                f"The topic {name} has {found} partitions, not {settings.partitions}: set DESKWATCH_PARTITIONS={found} "
                "(the number stays for the life of the topics)."
            )
