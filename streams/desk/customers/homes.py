"""The home of a customer, or of a parent ticket: the partition that receives the facts, or the children's warnings."""

from collections.abc import Callable
from typing import NamedTuple


class CustomerPartitioner(NamedTuple):
    """The number of partitions, and the partition `of` the id of a customer or a parent ticket."""

    partitions: int = 1
    of: Callable[[str], int] = lambda _id: 0


SINGLE_PARTITION = CustomerPartitioner()
