"""One SLA clock: the spans in which it ran, and what follows from them."""

from dataclasses import dataclass, field

from tests.naive.calendars import Calendar
from tests.naive.policies import Terms

Run = tuple[int, int | None, Calendar]


@dataclass
class Clock:
    """A (ticket, metric, cycle).

    It *lives* from its start rule to its end rule, whether an SLA matches or not, and is *held* to terms while one
    matches. Only a held clock writes rows. `runs` is when it lived and was not paused; `counted` the same under the
    calendars of its terms.

        lives     |-------------------------------|
        paused            |-------|
        held          |---------------------|
    """

    metric: str
    cycle: int
    started_at: int
    lives: bool = True
    life_ended_at: int = 0
    life_ended_by: str = ""
    paused: bool = False
    runs: list[tuple[int, int | None]] = field(default_factory=list)

    held: bool = False
    terms: Terms | None = None  # the last ones, None if there never were any
    counted: list[Run] = field(default_factory=list)
    calendar: Calendar | None = None
    changed_at: int = 0
    due_at: int | None = None
    breached: bool = False
    warned: bool = False
    exempted: bool = False
    ended_at: int | None = None
    ended_by: str = ""
    ended_dims: dict[str, str] = field(default_factory=dict)  # with the agent for whom the end counts
    ended_by_agent: str = ""  # whom the event named that ended it
    breached_by_agent: str = ""  # whom the event named that breached it, if an event did
    rows: int = 0

    def run(self, at: int) -> None:
        """It runs from `at` on."""
        self.paused = False
        self.runs.append((at, None))
        if self.held and self.calendar:
            self.counted.append((at, None, self.calendar))

    def stand_still(self, at: int) -> None:
        """It does not run from `at` on."""
        self.runs = [(start, at if end is None else end) for start, end in self.runs]
        self.stop_counting(at)

    def stop_counting(self, at: int) -> None:
        """What ran until `at` is banked."""
        self.counted = [(start, at if end is None else end, calendar) for start, end, calendar in self.counted]

    def elapsed_ms(self, at: int) -> int:
        """Elapsed = business time while running and not paused, until `at`."""
        return sum(
            calendar.business_ms(start, at if end is None else min(end, at)) for start, end, calendar in self.counted
        )

    def target_ms(self) -> int:
        """The target of its terms."""
        return self.terms.target_ms if self.terms else 0

    def due_from(self, at: int) -> int | None:
        """The earliest instant, from `at` on, at which elapsed reaches the target if it runs."""
        assert self.calendar
        return self.calendar.due(at, self.target_ms() - self.elapsed_ms(at))

    def change(self, at: int) -> None:
        """After a start, pause, resumption or retarget: the due time anew; after a breach it stays for good."""
        self.changed_at = at
        if not self.breached:
            self.due_at = None if self.paused else self.due_from(at)

    def may_pass(self) -> bool:
        """Whether the passing of time can do anything to it."""
        return self.lives and self.held and not self.paused and not self.breached

    def at_risk_at(self) -> int | None:
        """When elapsed reaches warn_at x target; None: never, or it breaches then, or it was said already.

        elapsed   0 ----------- warn_at x target ------ target
                                at_risk                 breached
        """
        warn_ms = self.terms.warn_ms() if self.terms else None
        if warn_ms is None or self.warned or not self.may_pass():
            return None
        assert self.calendar
        at = self.calendar.due(self.changed_at, warn_ms - self.elapsed_ms(self.changed_at))
        return None if at == self.due_at else at

    def outcome(self) -> str:
        """Running, paused, met, breached, late or cancelled."""
        if self.ended_at is None:
            return "breached" if self.breached else "paused" if self.paused else "running"
        if self.ended_by == "fulfilled":
            return "late" if self.breached else "met"
        return "breached" if self.breached else "cancelled"
