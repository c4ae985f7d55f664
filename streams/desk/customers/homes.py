"""The home of a customer: the partition of `customer-facts` that receives the customer's facts."""

from collections.abc import Callable
from typing import NamedTuple


class CustomerPartitioner(NamedTuple):
    """The number of partitions of `customer-facts`, and the partition `of` a customer id."""

    partitions: int = 1
    of: Callable[[str], int] = lambda customer_id: 0


SINGLE_PARTITION = CustomerPartitioner()
