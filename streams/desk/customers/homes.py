"""Which partition a customer's facts go to."""

from collections.abc import Callable
from typing import NamedTuple


class CustomerPartitioner(NamedTuple):
    """Where customers are at home: the number of partitions of `customer-facts`, and the partition `of` a customer."""

    partitions: int = 1
    of: Callable[[str], int] = lambda customer_id: 0


SINGLE_PARTITION = CustomerPartitioner()  # of a desk that is one partition
