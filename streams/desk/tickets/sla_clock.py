"""One SLA clock: (ticket, metric, cycle). It banks business time, knows when it falls due, and writes its ledger.

    business time      ##########----------##########
    events             start     pause     resume
    elapsed            0.......10          10......20      banked at each pause, counted by the calendar in between
    due_at             start + target      resume + rest   none while paused

A clock whose ticket no SLA matches is a shadow: it lives the same life and writes nothing, so that a match that
appears later can count from the instant its start rule held.
"""

from enum import IntEnum
from sys import intern

from streams.desk.calendars.business_time import Calendar
from streams.desk.policy.versions import Target
from streams.desk.tickets.ledger import TicketLedger
from streams.models.instants import NEVER
from streams.models.rows import TIMER, Cause, FactRow, LedgerRow, WarningRow


class State(IntEnum):
    """Where a clock is in its life."""

    RUNNING = 0
    PAUSED = 1
    FULFILLED = 2
    CANCELLED = 3


class Clock:
    """See the module. Times are ms; `due_at` is None while paused; `next_at`: when time alone does something."""

    __slots__ = (
        "at_risk",
        "breach",
        "breached_at",
        "calendar",
        "cycle",
        "due_at",
        "elapsed",
        "ended_at",
        "exempted",
        "facts",
        "matched",
        "metric",
        "next_at",
        "pauses",
        "risk_at",
        "seq",
        "since",
        "started_at",
        "state",
        "target",
        "target_ms",
        "warnings",
    )

    def __init__(self, metric: str, cycle: int, started_at: int) -> None:
        self.metric, self.cycle, self.started_at = metric, cycle, started_at
        self.state, self.since, self.elapsed = State.RUNNING, started_at, 0
        self.matched = False  # an SLA gives it a target now; else it is a shadow
        self.target: Target | None = None  # the target, or the last one it had
        self.calendar: Calendar | None = None
        self.target_ms = 0
        self.due_at: int | None = None
        self.risk_at = self.next_at = NEVER
        self.at_risk = self.exempted = False
        self.breached_at: int | None = None
        self.breach: LedgerRow | None = None  # its row
        self.ended_at: int | None = None
        self.seq = 0
        self.pauses: list[list[int]] | None = None  # [from, to] each; the last may be open: [from]
        self.facts: dict[str, FactRow] | None = None  # "breached" and "ended", to be taken back
        self.warnings: dict[str, WarningRow] | None = None  # those raised now, by rule

    # What it is

    @property
    def active(self) -> bool:
        """Not ended (a shadow is active too)."""
        return self.state < State.FULFILLED

    def outcome(self) -> str:
        """running, paused, met, breached, late or cancelled."""
        if self.breached_at is not None:
            return "late" if self.state == State.FULFILLED and self.matched else "breached"
        if not self.matched:
            return "cancelled"
        if self.state == State.FULFILLED:
            return "met"
        return ("running", "paused", "", "cancelled")[self.state]

    def elapsed_at(self, at: int) -> int:
        """Business time used up at `at`; of a shadow, what was used up when it became one."""
        if self.state == State.RUNNING and self.matched and self.calendar is not None:
            return self.elapsed + self.calendar.between(self.since, at)
        return self.elapsed

    # Its life; each of these is called with the instant and the cause of the change

    def match(self, target: Target | None, at: int, cause: Cause, book: TicketLedger) -> None:
        """Take the target that the policies give now: activate, retarget or cancel where that is a change."""
        if target is None:
            if self.matched:
                stands = self.state  # as a shadow it lives on
                self._end(State.CANCELLED, at, cause, book)
                self.state, self.matched = stands, False
        elif not self.matched:
            self._activate(target, at, cause, book)
        elif target is not self.target and self.target is not None and target.signature != self.target.signature:
            self._retarget(target, at, cause, book)

    def _activate(self, target: Target, at: int, cause: Cause, book: TicketLedger) -> None:
        """A match where there was none; after a cancellation for want of one, that is taken back."""
        self.target, self.matched = target, True
        self.calendar, self.target_ms = target.resolve(self.started_at)
        book.take_back(self, "ended")
        self.ended_at, self.at_risk = None, False
        self.elapsed = self._elapsed_since_start(at)
        stands, self.state = self.state, State.RUNNING
        self.since = at
        self._schedule(at)
        book.write(self, "activated", at, self.elapsed, cause)
        self._breach_if_over(at, cause, book)
        if stands == State.PAUSED:
            self.state = State.PAUSED
            self._schedule(at)
            book.write(self, "paused", at, self.elapsed, cause)

    def _elapsed_since_start(self, at: int) -> int:
        if at == self.started_at or self.calendar is None:
            return 0
        paused = sum(
            self.calendar.between(pause[0], pause[1] if len(pause) == 2 else at) for pause in self.pauses or ()
        )
        return self.calendar.between(self.started_at, at) - paused

    def _retarget(self, target: Target, at: int, cause: Cause, book: TicketLedger) -> None:
        """Another target or calendar: what has elapsed is banked under the old calendar."""
        self.elapsed = self.elapsed_at(at)
        self.since = at
        before = self.target_ms
        self.target = target
        self.calendar, self.target_ms = target.resolve(self.started_at)
        if self.target_ms != before:
            self.at_risk = False
        self._schedule(at)
        book.write(self, "retargeted", at, self.elapsed, cause)
        if not self.at_risk and self.elapsed < self._threshold():
            book.clear(self, "sla.at_risk", at, "retargeted")
        self._breach_if_over(at, cause, book)

    def pause(self, at: int, cause: Cause, book: TicketLedger) -> None:
        """The status is one in which this clock stands still."""
        self.elapsed, self.state = self.elapsed_at(at), State.PAUSED
        self.pauses = [*(self.pauses or ()), [at]]
        if self.matched:
            self._schedule(at)
            book.write(self, "paused", at, self.elapsed, cause)

    def resume(self, at: int, cause: Cause, book: TicketLedger) -> None:
        """The status is one in which this clock runs again."""
        self.state, self.since = State.RUNNING, at
        if self.pauses:
            self.pauses[-1].append(at)
        if self.matched:
            self._schedule(at)
            book.write(self, "resumed", at, self.elapsed, cause)

    def fulfil(self, at: int, cause: Cause, book: TicketLedger) -> None:
        """What the clock waits for has happened."""
        self._end(State.FULFILLED, at, cause, book)

    def cancel(self, at: int, cause: Cause, book: TicketLedger) -> None:
        """What the clock waits for need not happen any more."""
        self._end(State.CANCELLED, at, cause, book)

    def _end(self, state: State, at: int, cause: Cause, book: TicketLedger) -> None:
        self.elapsed = self.elapsed_at(at)
        self.state, self.ended_at, self.next_at = state, at, NEVER
        if not self.matched:
            return
        transition = "fulfilled" if state == State.FULFILLED else "cancelled"
        book.write(self, transition, at, self.elapsed, cause)
        book.clear(self, "sla.at_risk", at, transition)
        book.clear(self, "sla.breached", at, transition)
        if state == State.FULFILLED:
            name = intern(f"{self.metric}_{'met' if self.breached_at is None else 'late'}")
            counts = {name: 1, intern(f"{self.metric}_elapsed_ms"): self.elapsed}
            book.outcome(self, "ended", name, counts, at, cause)
        elif self.breached_at is None:
            name = intern(f"{self.metric}_cancelled")
            book.outcome(self, "ended", name, {name: 1}, at, cause)

    def reactivate(self, at: int, closed_time: bool, cause: Cause, book: TicketLedger) -> None:
        """The ticket is open again: take the fulfilment back and go on from the elapsed time at solving.

        `closed_time`: count the time since then too (reopen = "continue"); a due time passed meanwhile is a breach
        stamped with it.
        """
        ended_at = self.ended_at if self.ended_at is not None else at
        self.state, self.since, self.ended_at = State.RUNNING, at, None
        if self.pauses and len(self.pauses[-1]) == 1:
            self.pauses[-1].append(ended_at)
        if not self.matched or self.calendar is None:
            if not closed_time:
                self.pauses = [*(self.pauses or ()), [ended_at, at]]
            return
        passed = None
        if closed_time:
            due = self.calendar.due(ended_at, max(0, self.target_ms - self.elapsed))
            passed = due if self.breached_at is None and due < at else None
            self.elapsed += self.calendar.between(ended_at, at)
        else:
            self.pauses = [*(self.pauses or ()), [ended_at, at]]
        book.take_back(self, "ended")
        if passed is None:
            self._schedule(at)
        else:
            self.due_at = passed
        book.write(self, "reactivated", at, self.elapsed, cause)
        if passed is not None:
            self._breach(passed, TIMER, book, self.target_ms, known_at=at)
            self.next_at = NEVER
        elif self.breached_at is not None:
            book.raise_warning(self, "sla.breached", at)
        elif self.at_risk:
            book.raise_warning(self, "sla.at_risk", at)

    def exempt(self, at: int, cause: Cause, book: TicketLedger) -> None:
        """Take its breach out of the rates; it stays visible."""
        if self.exempted or self.target is None:
            return
        self.exempted = True
        book.write(self, "exempted", at, self.elapsed_at(at), cause)
        book.exempt(self)

    # The passing of time

    def fire(self, book: TicketLedger) -> None:
        """Its next instant has passed: it is at risk, or it breaches."""
        at = self.next_at
        if self.due_at is not None and at >= self.due_at:
            self._breach(self.due_at, TIMER, book, self.target_ms)
            return
        self.at_risk = True
        self._next()
        elapsed = self.elapsed_at(at)
        book.write(self, "at_risk", at, elapsed, TIMER)
        book.signal("sla_share", at, elapsed / self.target_ms)
        book.raise_warning(self, "sla.at_risk", at)

    def _breach_if_over(self, at: int, cause: Cause, book: TicketLedger) -> None:
        if self.breached_at is None and self.elapsed > self.target_ms:
            self.due_at = at
            self._breach(at, cause, book, self.elapsed)

    def _breach(self, at: int, cause: Cause, book: TicketLedger, elapsed: int, known_at: int | None = None) -> None:
        self.breached_at, self.next_at = at, NEVER
        book.signal("breach", at)
        self.breach = book.write(self, "breached", at, elapsed, cause)
        name = intern(f"{self.metric}_breached")
        book.outcome(self, "breached", name, {name: 1}, at, cause, known_at)
        if self.exempted:
            book.exempt(self)
        book.clear(self, "sla.at_risk", at, "breached")
        book.raise_warning(self, "sla.breached", at)

    def _threshold(self) -> int:
        """Elapsed time from which the clock is at risk: the least whole ms not under warn_at x target."""
        assert self.target is not None
        return -(-self.target_ms * self.target.warn_ppm // 1_000_000)

    def _schedule(self, at: int) -> None:
        """Work out due_at and the instant of risk from what has elapsed at `at`."""
        if self.breached_at is not None:
            self.next_at = NEVER
            return
        if self.state != State.RUNNING or self.calendar is None:
            self.due_at, self.next_at = None, NEVER
            return
        due = self.calendar.due
        self.due_at = due(at, self.target_ms - self.elapsed) if self.elapsed <= self.target_ms else at
        self.risk_at = NEVER if self.at_risk else due(at, max(0, self._threshold() - self.elapsed))
        self._next()

    def _next(self) -> None:
        due_at = NEVER if self.due_at is None else self.due_at
        self.next_at = due_at if self.at_risk else min(self.risk_at, due_at)
