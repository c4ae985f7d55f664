"""A run of a world: the kernel, the staff and the customers, and the random draws that all processes share."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Generic, TypeVar

from streams.simulator.kernel import Kernel
from streams.simulator.scenario import Surge
from streams.simulator.staff import Staff
from streams.simulator.world import CATEGORIES, World

T = TypeVar("T")


class Choice(Generic[T]):
    """A draw from weighted values."""

    def __init__(self, weights: Mapping[T, float]) -> None:
        self._values = list(weights)
        self._bounds = list(accumulate(weights.values()))

    def draw(self, chance: float) -> T:
        """The value at the share `chance` (0 to 1) of the total weight."""
        at = chance * self._bounds[-1]
        for value, bound in zip(self._values, self._bounds, strict=True):
            if at < bound:
                return value
        return self._values[-1]


_CATEGORIES = Choice(CATEGORIES)
_REMEMBERED = 2_000  # the latest contacts, from which repeat contacts come


class Visit:
    """A customer's contact: the customer, the category, and the last ticket about it, if any."""

    __slots__ = ("category", "customer_id", "segment", "surge", "ticket_id")

    def __init__(self, customer_id: str, segment: str, category: str, ticket_id: str, surge: Surge | None) -> None:
        self.customer_id = customer_id
        self.segment = segment
        self.category = category
        self.ticket_id = ticket_id
        self.surge = surge


class Simulation:
    """One run. `emit`, `spawn` and `chance` are those of the kernel."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kernel = Kernel(world.start, world.seed, world.zone)
        self.emit = self.kernel.emit
        self.spawn = self.kernel.spawn
        self.random = self.kernel.random
        self.chance = self.kernel.random.random
        self.staff = Staff(self.kernel, world)
        self.parents: dict[Surge, str] = {}  # the parent ticket of an outage
        self._population = max(500, int(world.contacts_per_day * 20))
        self._recent: list[Visit] = []
        self._numbers: dict[str, int] = {}

    @property
    def now(self) -> int:
        """The present instant (ms)."""
        return self.kernel.now

    def id(self, prefix: str) -> str:
        """The next id with a prefix: `T7-000042` is the 42nd ticket of seed 7."""
        number = self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return f"{prefix}{self.world.seed}-{number:06}"

    def spread(self, median: float, sigma: float = 0.6) -> int:
        """A skewed duration (log-normal) around `median` ms, at least one second."""
        return max(1000, int(median * self.random.lognormvariate(0.0, sigma)))

    def customer_id(self) -> str:
        """Any of the desk's customers."""
        return f"K{int(self.chance() * self._population):06}"

    def visit(self, surge: Surge | None) -> Visit:
        """Draw a visit: one customer in six was here recently, most of them about the same category."""
        chance = self.chance
        if self._recent and chance() < 0.17:
            known = self._recent[int(chance() * len(self._recent))]
            same = chance() < 0.65
            category = known.category if same else _CATEGORIES.draw(chance())
            visit = Visit(known.customer_id, known.segment, category, known.ticket_id if same else "", None)
        else:
            number = int(chance() * self._population)
            segment = "vip" if number % 12 == 0 else "new" if number % 12 > 9 else "regular"
            visit = Visit(f"K{number:06}", segment, _CATEGORIES.draw(chance()), "", None)
        if surge is not None:
            visit.category, visit.surge = surge.category, surge
        if len(self._recent) < _REMEMBERED:
            self._recent.append(visit)
        else:
            self._recent[int(chance() * _REMEMBERED)] = visit
        return visit


def known(**fields: Any) -> dict[str, Any]:
    """The data of an event, without unknown values ('' or None)."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def mood(waited_ms: int, patience_ms: float) -> float:
    """The effect of a wait on satisfaction: 0 for none, -0.5 for three times a customer's patience."""
    return -min(0.5, waited_ms / patience_ms / 6)
