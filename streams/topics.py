"""The topics: made before anything runs, with what Kafka must be told and would else decide by its defaults."""

from contextlib import suppress

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streams.changelog import TOPIC_CONFIG
from streams.desk.chains import ACTIONS, ESCALATIONS
from streams.desk.messages import CUSTOMER_FACTS, DEAD_LETTERS, FACTS, LEDGER, ROLLUPS, WARNINGS
from streams.models.codec import INPUTS
from streams.settings import Settings

CHANGELOG, CUSTOMERS_CHANGELOG = "deskwatch-track-desk-changelog", "deskwatch-track-customers-changelog"
ESCALATE_CHANGELOG = "deskwatch-escalate-chains-changelog"
LARGEST_MESSAGE = str(4 << 20)  # an oversized event must reach us, to become a dead letter
WEEK, YEAR = str(7 * 86_400_000), str(365 * 86_400_000)

CONFIGS: dict[str, dict[str, str]] = {
    **{topic: {"retention.ms": YEAR, "max.message.bytes": LARGEST_MESSAGE} for topic in INPUTS},
    LEDGER: {"retention.ms": YEAR, "max.message.bytes": LARGEST_MESSAGE},
    FACTS: {"retention.ms": YEAR, "max.message.bytes": LARGEST_MESSAGE},
    ROLLUPS: {"cleanup.policy": "compact", "max.message.bytes": LARGEST_MESSAGE},
    WARNINGS: {"retention.ms": YEAR},
    ACTIONS: {"retention.ms": YEAR},
    ESCALATIONS: {"retention.ms": YEAR},
    DEAD_LETTERS: {"retention.ms": YEAR, "max.message.bytes": LARGEST_MESSAGE},
    CUSTOMER_FACTS: {"retention.ms": WEEK, "max.message.bytes": LARGEST_MESSAGE},
    CHANGELOG: {"cleanup.policy": "compact", **TOPIC_CONFIG},
    CUSTOMERS_CHANGELOG: {"cleanup.policy": "compact", **TOPIC_CONFIG},
    ESCALATE_CHANGELOG: {"cleanup.policy": "compact", **TOPIC_CONFIG},
}
SINGLE: frozenset[str] = frozenset()
"""Those of CONFIGS that have one partition, whatever `DESKWATCH_PARTITIONS` says."""


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
            NewTopic(name, _partitions(name, settings), settings.replication, topic_configs=config)
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
