"""The complaint-risk index of a customer: points per signal, which halve every half-life and stop at a cap.

    points of a signal at t    each time it occurs: min(cap, points left + points x weight)
    points left after dt       points x 2^(-dt / half_life)                      exponential decay by half-lives
    index at t                 min(100, factor x sum over all signals);          factor: vip_factor for a VIP, else 1

The index is additive over the signals, lies between 0 and 100, and decays over time; no signal lowers it.
Weights: the share used for `sla_share`, minus the score for `negative_sentiment`, 0.5 for major and 1 for critical
severity; 1 for the others. `docs/complaint-risk.md` has a worked example.
"""

from streams.desk.policy.sections import RiskIndex, Signal
from streams.models.instants import DAY, NEVER

MAX_INDEX = 100.0
MIN_POINTS = 0.05  # fewer count as none: decay alone never reaches 0


class Risk:
    """The points of a customer. `levels`: by signal, its points, when (ms) they last rose, and the half-life (ms)."""

    __slots__ = ("index", "levels", "vip")

    def __init__(self, index: RiskIndex) -> None:
        self.index = index
        self.levels: dict[str, tuple[float, int, int]] = {}
        self.vip = False

    def add(self, name: str, at: int, weight: float = 1.0) -> bool:
        """Add the points of a signal, in order of time; False if the policy has no points for it."""
        signal = self.signal(name)
        if signal is None:
            return False
        points = self.points(name, at) + signal.points * weight
        self.levels[name] = (min(signal.cap, points), at, int(signal.half_life_ms))
        return True

    def signal(self, name: str) -> Signal | None:
        """The policy's section for a signal."""
        found = getattr(self.index, name, None)
        return found if isinstance(found, Signal) else None

    def switch(self, index: RiskIndex, at: int) -> None:
        """Switch to another policy version at `at`: its half-lives and caps apply to the points left."""
        left = {name: self.points(name, at) for name in self.levels}
        self.index, self.levels = index, {}
        for name, points in left.items():
            if (signal := self.signal(name)) is not None:
                self.levels[name] = (min(signal.cap, points), at, int(signal.half_life_ms))

    def points(self, name: str, at: int) -> float:
        """The points left of a signal at `at`."""
        if name not in self.levels:
            return 0.0
        points, since, half_life = self.levels[name]
        return float(points * 2.0 ** ((since - at) / half_life))

    @property
    def factor(self) -> float:
        """The factor applied to the sum of the points."""
        return self.index.vip_factor if self.vip else 1.0

    def score(self, at: int) -> float:
        """The index at `at`, no earlier than the last signal."""
        total = 0.0
        for points, since, half_life in self.levels.values():
            total += points * 2.0 ** ((since - at) / half_life)
        return min(MAX_INDEX, self.factor * total)

    def parts(self, at: int) -> list[tuple[str, float]]:
        """Each signal with its points at `at`, most points first; the VIP bonus is a separate part."""
        found = [(name, points) for name in sorted(self.levels) if (points := self.points(name, at)) >= MIN_POINTS]
        if self.vip and self.factor > 1:
            found.append(("vip", (self.factor - 1) * sum(points for _, points in found)))
        return sorted(found, key=lambda part: -part[1])

    def falls_to(self, limit: float, at: int) -> int:
        """The first whole ms from `at` on at which the index is no higher than `limit`, without further signals."""
        limit = max(limit, MIN_POINTS)
        if self.score(at) <= limit:
            return at
        step = DAY
        while self.score(at + step) > limit:
            step *= 2
            if at + step > NEVER:
                return NEVER
        low, high = at, at + step  # above the limit at `low`, not at `high`
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.score(middle) > limit else (low, middle)
        return high
