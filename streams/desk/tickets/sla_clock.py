"""One SLA clock: (ticket, metric, cycle). It banks business time, knows when it falls due, and writes its ledger.

    business time      ##########----------##########
    events             start     pause     resume
    elapsed            0.......10          10......20      banked at each pause, counted by the calendar in between
    due_at             start + target      resume + rest   none while paused

A clock is untracked while no SLA matches its ticket: it lives the same life and writes nothing, so that a match that
appears later can count from the instant its start rule held.
"""

from enum import IntEnum
from sys import intern
from typing import Literal, Protocol

from streams.desk.calendars.business_time import Calendar
from streams.desk.policy.rules import RuleName
from streams.desk.policy.sla_targets import Target
from streams.models.instants import NEVER
from streams.models.rows import TIMER, Cause

Slot = Literal["breached", "ended"]
"""What an outcome is taken back by: a cycle has at most one of each."""


class ClockState(IntEnum):
    """Where a clock is in its life. What is below FULFILLED has not ended."""

    RUNNING = 0
    """Business time counts."""
    PAUSED = 1
    """The ticket's status makes the clock stand still."""
    FULFILLED = 2
    """What the clock waited for has happened: met, or late."""
    CANCELLED = 3
    """What the clock waited for need not happen any more."""


class ClockLedger(Protocol):
    """What a clock writes to (`streams.desk.tickets.ledger`)."""

    def write(self, clock: "SlaClock", transition: str, at: int, elapsed: int, cause: Cause) -> None:
        """Write a transition of the clock as it stands."""

    def count_outcome(
        self, clock: "SlaClock", slot: Slot, counts: dict[str, int], at: int, cause: Cause, known_at: int | None = None
    ) -> None:
        """Count an outcome, named by the first of `counts`, so that it can be taken back by its `slot`."""

    def take_back(self, clock: "SlaClock", slot: Slot) -> None:
        """Take an outcome out of the counts."""

    def count_exemption(self, clock: "SlaClock") -> None:
        """Count the breach as exempted too."""

    def signal(self, name: str, at: int, weight: float = 1.0) -> None:
        """Record a risk signal for the customer."""

    def raise_warning(self, clock: "SlaClock", rule: RuleName, at: int) -> None:
        """Raise a warning of the clock, unless it stands."""

    def clear_warning(self, clock: "SlaClock", rule: RuleName, at: int, by: str) -> None:
        """Clear a warning of the clock, if it stands."""


class SlaClock:
    """See the module. Times are ms; `due_at` is None while paused; `next_at`: when time alone does something."""

    __slots__ = (
        "at_risk",
        "breached_at",
        "calendar",
        "cycle",
        "due_at",
        "elapsed",
        "ended_at",
        "exempted",
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
    )

    def __init__(self, metric: str, cycle: int, started_at: int) -> None:
        self.metric, self.cycle, self.started_at = metric, cycle, started_at
        self.state, self.since, self.elapsed = ClockState.RUNNING, started_at, 0
        self.matched = False  # an SLA gives it a target now; else it is untracked
        self.target: Target | None = None  # the target, or the last one it had
        self.calendar: Calendar | None = None
        self.target_ms = 0
        self.due_at: int | None = None
        self.risk_at = self.next_at = NEVER
        self.at_risk = self.exempted = False
        self.breached_at: int | None = None
        self.ended_at: int | None = None
        self.seq = 0  # of the last transition written
        self.pauses: list[list[int]] | None = None  # [from, to] each; the last may be open: [from]

    # What it is

    def outcome(self) -> str:
        """running, paused, met, breached, late or cancelled."""
        if self.breached_at is not None:
            return "late" if self.state == ClockState.FULFILLED and self.matched else "breached"
        if not self.matched:
            return "cancelled"
        if self.state == ClockState.FULFILLED:
            return "met"
        return ("running", "paused", "", "cancelled")[self.state]

    def elapsed_at(self, at: int) -> int:
        """Business time used up at `at`; of an untracked clock, what was used up when it became one."""
        if self.state == ClockState.RUNNING and self.matched and self.calendar is not None:
            return self.elapsed + self.calendar.between(self.since, at)
        return self.elapsed

    # Its life; each of these is called with the instant and the cause of the change

    def match(self, target: Target | None, at: int, cause: Cause, ledger: ClockLedger) -> None:
        """Take the target that the policies give now: activate, retarget or cancel where that is a change."""
        if target is None:
            if self.matched:
                stands = self.state  # it lives on untracked
                self._end(ClockState.CANCELLED, at, cause, ledger)
                self.state, self.matched = stands, False
        elif not self.matched:
            self._activate(target, at, cause, ledger)
        elif target is not self.target and self.target is not None and target.signature != self.target.signature:
            self._retarget(target, at, cause, ledger)

    def _activate(self, target: Target, at: int, cause: Cause, ledger: ClockLedger) -> None:
        """A match where there was none; after a cancellation for want of one, that is taken back."""
        self.target, self.matched = target, True
        self.calendar, self.target_ms = target.resolve(self.started_at)
        ledger.take_back(self, "ended")
        self.ended_at, self.at_risk = None, False
        self.elapsed = self._elapsed_since_start(at)
        stands, self.state = self.state, ClockState.RUNNING
        self.since = at
        self._schedule(at)
        self._write(ledger, "activated", at, self.elapsed, cause)
        self._breach_if_over(at, cause, ledger)
        if stands == ClockState.PAUSED:
            self.state = ClockState.PAUSED
            self._schedule(at)
            self._write(ledger, "paused", at, self.elapsed, cause)

    def _elapsed_since_start(self, at: int) -> int:
        if at == self.started_at or self.calendar is None:
            return 0
        paused = sum(
            self.calendar.between(pause[0], pause[1] if len(pause) == 2 else at) for pause in self.pauses or ()
        )
        return self.calendar.between(self.started_at, at) - paused

    def _retarget(self, target: Target, at: int, cause: Cause, ledger: ClockLedger) -> None:
        """Another target or calendar: what has elapsed is banked under the old calendar."""
        self.elapsed = self.elapsed_at(at)
        self.since = at
        before = self.target_ms
        self.target = target
        self.calendar, self.target_ms = target.resolve(self.started_at)
        if self.target_ms != before:
            self.at_risk = False
        self._schedule(at)
        self._write(ledger, "retargeted", at, self.elapsed, cause)
        if not self.at_risk and self.elapsed < self._threshold():
            ledger.clear_warning(self, "sla.at_risk", at, "retargeted")
        self._breach_if_over(at, cause, ledger)

    def pause(self, at: int, cause: Cause, ledger: ClockLedger) -> None:
        """The status is one in which this clock stands still."""
        self.elapsed, self.state = self.elapsed_at(at), ClockState.PAUSED
        self.pauses = [*(self.pauses or ()), [at]]
        if self.matched:
            self._schedule(at)
            self._write(ledger, "paused", at, self.elapsed, cause)

    def resume(self, at: int, cause: Cause, ledger: ClockLedger) -> None:
        """The status is one in which this clock runs again."""
        self.state, self.since = ClockState.RUNNING, at
        if self.pauses:
            self.pauses[-1].append(at)
        if self.matched:
            self._schedule(at)
            self._write(ledger, "resumed", at, self.elapsed, cause)

    def fulfil(self, at: int, cause: Cause, ledger: ClockLedger) -> None:
        """What the clock waits for has happened."""
        self._end(ClockState.FULFILLED, at, cause, ledger)

    def cancel(self, at: int, cause: Cause, ledger: ClockLedger) -> None:
        """What the clock waits for need not happen any more."""
        self._end(ClockState.CANCELLED, at, cause, ledger)

    def _end(self, state: ClockState, at: int, cause: Cause, ledger: ClockLedger) -> None:
        self.elapsed = self.elapsed_at(at)
        self.state, self.ended_at, self.next_at = state, at, NEVER
        if not self.matched:
            return
        transition = "fulfilled" if state == ClockState.FULFILLED else "cancelled"
        self._write(ledger, transition, at, self.elapsed, cause)
        ledger.clear_warning(self, "sla.at_risk", at, transition)
        ledger.clear_warning(self, "sla.breached", at, transition)
        if state == ClockState.FULFILLED:
            name = intern(f"{self.metric}_{'met' if self.breached_at is None else 'late'}")
            counts = {name: 1, intern(f"{self.metric}_elapsed_ms"): self.elapsed}
            ledger.count_outcome(self, "ended", counts, at, cause)
        elif self.breached_at is None:
            name = intern(f"{self.metric}_cancelled")
            ledger.count_outcome(self, "ended", {name: 1}, at, cause)

    def reactivate(self, at: int, closed_time: bool, cause: Cause, ledger: ClockLedger) -> None:
        """The ticket is open again: take the fulfilment back and go on from the elapsed time at solving.

        `closed_time`: count the time since then too (reopen = "continue"); a due time passed meanwhile is a breach
        stamped with it.
        """
        ended_at = self.ended_at if self.ended_at is not None else at
        self.state, self.since, self.ended_at = ClockState.RUNNING, at, None
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
        ledger.take_back(self, "ended")
        if passed is None:
            self._schedule(at)
        else:
            self.due_at = passed
        self._write(ledger, "reactivated", at, self.elapsed, cause)
        if passed is not None:
            self._breach(passed, TIMER, ledger, self.target_ms, known_at=at)
            self.next_at = NEVER
        elif self.breached_at is not None:
            ledger.raise_warning(self, "sla.breached", at)
        elif self.at_risk:
            ledger.raise_warning(self, "sla.at_risk", at)

    def exempt(self, at: int, cause: Cause, ledger: ClockLedger) -> None:
        """Take its breach out of the rates; it stays visible."""
        if self.exempted or self.target is None:
            return
        self.exempted = True
        self._write(ledger, "exempted", at, self.elapsed_at(at), cause)
        ledger.count_exemption(self)

    def _write(self, ledger: ClockLedger, transition: str, at: int, elapsed: int, cause: Cause) -> None:
        self.seq += 1
        ledger.write(self, transition, at, elapsed, cause)

    # The passing of time

    def fire(self, ledger: ClockLedger) -> None:
        """Its next instant has passed: it is at risk, or it breaches."""
        at = self.next_at
        if self.due_at is not None and at >= self.due_at:
            self._breach(self.due_at, TIMER, ledger, self.target_ms)
            return
        self.at_risk = True
        self._next()
        elapsed = self.elapsed_at(at)
        self._write(ledger, "at_risk", at, elapsed, TIMER)
        ledger.signal("sla_share", at, elapsed / self.target_ms)
        ledger.raise_warning(self, "sla.at_risk", at)

    def _breach_if_over(self, at: int, cause: Cause, ledger: ClockLedger) -> None:
        if self.breached_at is None and self.elapsed > self.target_ms:
            self.due_at = at
            self._breach(at, cause, ledger, self.elapsed)

    def _breach(self, at: int, cause: Cause, ledger: ClockLedger, elapsed: int, known_at: int | None = None) -> None:
        self.breached_at, self.next_at = at, NEVER
        ledger.signal("breach", at)
        self._write(ledger, "breached", at, elapsed, cause)
        name = intern(f"{self.metric}_breached")
        ledger.count_outcome(self, "breached", {name: 1}, at, cause, known_at)
        if self.exempted:
            ledger.count_exemption(self)
        ledger.clear_warning(self, "sla.at_risk", at, "breached")
        ledger.raise_warning(self, "sla.breached", at)

    def _threshold(self) -> int:
        """Elapsed time from which the clock is at risk: the least whole ms not under warn_at x target."""
        assert self.target is not None
        return -(-self.target_ms * self.target.warn_ppm // 1_000_000)

    def _schedule(self, at: int) -> None:
        """Work out due_at and the instant of risk from what has elapsed at `at`."""
        if self.breached_at is not None:
            self.next_at = NEVER
            return
        if self.state != ClockState.RUNNING or self.calendar is None:
            self.due_at, self.next_at = None, NEVER
            return
        due = self.calendar.due
        self.due_at = due(at, self.target_ms - self.elapsed) if self.elapsed <= self.target_ms else at
        self.risk_at = NEVER if self.at_risk else due(at, max(0, self._threshold() - self.elapsed))
        self._next()

    def _next(self) -> None:
        due_at = NEVER if self.due_at is None else self.due_at
        self.next_at = due_at if self.at_risk else min(self.risk_at, due_at)
