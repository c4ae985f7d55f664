"""When time alone changes a customer: an index that decays, a verdict that becomes final."""

from heapq import heappop, heappush


class Timers:
    """The next instant (ms) of each customer."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []  # an entry that is not in `_at` any more is skipped

    def __contains__(self, customer: str) -> bool:
        return customer in self._at

    def stop(self, customer: str) -> int | None:
        """Stop the timer of a customer; returns when it was set for, to be handed to `start`."""
        return self._at.pop(customer, None)

    def start(self, customer: str, at: int, former: int | None) -> None:
        """Start the timer of a customer; `former`: what `stop` returned."""
        self._at[customer] = at
        if at != former:  # else it is in the heap still: those that were taken out are in the past
            heappush(self._heap, (at, customer))

    def collect(self, until: int, into: set[str], batch: int) -> int:
        """Add customers whose timers are before `until` to a set, but no further instant once it has `batch`.

        Returns the instant up to which all are in it.
        """
        heap, last = self._heap, -1
        while heap and heap[0][0] < until and (len(into) < batch or heap[0][0] == last):
            last, customer = heappop(heap)
            if self._at.get(customer) == last:
                into.add(customer)
        return min(until, heap[0][0]) if heap else until
