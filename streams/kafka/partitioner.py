"""The partition of a key, by Kafka's default partitioner, murmur2."""

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=1 << 18)
def partition_of(key: str | None, partitions: int) -> int:
    """Return the partition of a key, as Kafka's default partitioner (murmur2) chooses it; without a key, the first."""
    return 0 if key is None else (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
