"""When time alone changes a customer: the index decays, or a verdict becomes final."""

from heapq import heappop, heappush


class Timers:
    """The next instant (ms) of each customer."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []  # entries no longer in `_at` are skipped

    def __contains__(self, customer: str) -> bool:
        return customer in self._at

    def stop(self, customer: str) -> int | None:
        """Stop the timer of a customer; returns its instant, to pass to `start`."""
        return self._at.pop(customer, None)

    def start(self, customer: str, at: int, former: int | None) -> None:
        """Start the timer of a customer; `former`: what `stop` returned."""
        self._at[customer] = at
        if at != former:  # else it is still in the heap: popped entries are in the past
            heappush(self._heap, (at, customer))

    def collect(self, until: int, into: set[str], batch: int) -> int:
        """Add the customers with timers before `until` to a set; stop after an instant at which it has `batch`.

        Returns the instant up to which all customers are included.
        """
        heap, last = self._heap, -1
        while heap and heap[0][0] < until and (len(into) < batch or heap[0][0] == last):
            last, customer = heappop(heap)
            if self._at.get(customer) == last:
                into.add(customer)
        return min(until, heap[0][0]) if heap else until
