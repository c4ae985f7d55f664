"""All clocks of one ticket: what starts, ends, holds and breaches them, and the ledger that tells of it."""

from dataclasses import dataclass, field
from typing import Any

from tests.naive.clocks import Clock
from tests.naive.log import Event
from tests.naive.policies import METRICS, Desk, Policy, Terms

DIMENSIONS = ("priority", "kind", "channel", "team", "agent_id", "segment", "category", "product")

Row = dict[str, Any]


def named(event: Event | None) -> str:
    """The agent whom an event names as the one who acted; empty if none.

    Reading: only replies of agents, status changes and stages say who acted. `ticket.assigned` says who shall act.
    """
    acts = ("ticket.replied", "ticket.status_changed", "ticket.stage_changed")
    if event is None or event.type not in acts or event.data.get("author", "agent") != "agent":
        return ""
    return str(event.data.get("agent_id", ""))


def credited(dims: dict[str, str], agent_id: str) -> dict[str, str]:
    """ "All counts of a clock are the assignee's at that instant, or, unassigned, the named agent's." """
    return dims | {"agent_id": dims["agent_id"] or agent_id}


@dataclass
class SlaClocks:
    """The clocks of a ticket, with what their rules look at."""

    ticket_id: str
    desk: Desk
    dims: dict[str, str] = field(default_factory=lambda: dict.fromkeys(DIMENSIONS, ""))
    tags: list[str] = field(default_factory=list)
    status: str | None = None
    switched_at: int | None = None
    clocks: list[Clock] = field(default_factory=list)
    ledger: list[Row] = field(default_factory=list)

    # The passing of time

    def pass_time(self, until: int) -> None:
        """Everything before an event at `until`: switches at the start of an instant, breaches and risks at its end.

        instant       tau                              until
        order         switch, events, breach, at_risk  switch, events ...
        """
        while happenings := self.happenings(until):
            at, _, _, what, clock = min(happenings, key=lambda happening: happening[:3])
            if clock is None:
                self.switched_at = at
                for living in self.living():
                    self.evaluate(living, at, None)
                for living in self.living():
                    self.pause_or_resume(living, at, None)
            elif what == "breached":
                self.breach(clock, at, None)
            else:
                clock.warned = True
                self.row(clock, "at_risk", at, None)

    def happenings(self, until: int) -> list[tuple[int, int, int, str, Clock | None]]:
        """What time alone does next: (instant, start or end of it, metric, what, clock)."""
        found: list[tuple[int, int, int, str, Clock | None]] = [
            (at, 0, 0, "switch", None)
            for at in self.desk.switches()
            if at <= until and (self.switched_at is None or at > self.switched_at)
        ]
        for clock in self.living():
            metric = METRICS.index(clock.metric)
            if clock.may_pass() and clock.due_at is not None and clock.due_at < until:
                found.append((clock.due_at, 1, metric, "breached", clock))
            risk_at = clock.at_risk_at()
            if risk_at is not None and risk_at < until:
                found.append((risk_at, 1, metric, "at_risk", clock))
        return found

    # Rules

    def start(self, metric: str, event: Event) -> None:
        """A new cycle; in a pausing status it is activated and paused at the same instant."""
        cycle = 1 + sum(clock.metric == metric for clock in self.clocks)
        clock = Clock(metric, cycle, event.at)
        self.clocks.append(clock)
        clock.run(event.at)
        self.evaluate(clock, event.at, event)
        self.pause_or_resume(clock, event.at, event)

    def evaluate(self, clock: Clock, at: int, cause: Event | None) -> None:
        """Policy and target chosen anew: nothing, cancelled, activated or retargeted."""
        terms = self.policy(at).terms(self.dims, self.tags, clock.metric, clock.started_at)
        if terms is None and clock.held:
            self.release(clock, at, "cancelled", cause)
            self.row(clock, "cancelled", at, cause)
        elif terms is not None and not clock.held:
            self.activate(clock, terms, at, cause)
        elif terms is not None and terms != clock.terms:
            self.retarget(clock, terms, at, cause)

    def activate(self, clock: Clock, terms: Terms, at: int, cause: Event | None) -> None:
        """One SLA matches that did not: elapsed counted from the instant its start rule held, pauses honoured."""
        paused = clock.paused
        calendar = self.policy(at).calendars[terms.calendar]
        clock.held, clock.terms, clock.calendar = True, terms, calendar
        clock.ended_at, clock.ended_by, clock.ended_by_agent = None, "", ""
        clock.warned, clock.paused = False, False
        clock.counted = [(start, end, calendar) for start, end in clock.runs]
        clock.change(at)
        self.row(clock, "activated", at, cause)
        self.breach_if_over(clock, at, cause)
        if paused:
            clock.paused = True
            clock.change(at)
            self.row(clock, "paused", at, cause)

    def retarget(self, clock: Clock, terms: Terms, at: int, cause: Event | None) -> None:
        """Elapsed time kept (banked under the old calendar); more elapsed than the new target: breached now."""
        if clock.target_ms() != terms.target_ms:
            clock.warned = False
        clock.stop_counting(at)
        clock.terms, clock.calendar = terms, self.policy(at).calendars[terms.calendar]
        if not clock.paused:
            clock.counted.append((at, None, clock.calendar))
        clock.change(at)
        self.row(clock, "retargeted", at, cause)
        self.breach_if_over(clock, at, cause)

    def breach_if_over(self, clock: Clock, at: int, cause: Event | None) -> None:
        """More elapsed than the target: breached at the change."""
        if not clock.breached and clock.elapsed_ms(at) > clock.target_ms():
            self.breach(clock, at, cause)

    def breach(self, clock: Clock, at: int, cause: Event | None) -> None:
        """A breached clock stays breached in its cycle."""
        clock.breached, clock.breached_by_agent = True, named(cause)
        clock.due_at = at
        self.row(clock, "breached", at, cause)

    def pause_or_resume(self, clock: Clock, at: int, cause: Event | None) -> None:
        """A pause exactly at due_at comes first; resumed with nothing left, it breaches at the resumption."""
        pauses = self.policy(at).pauses(clock.metric, self.status)
        if pauses == clock.paused:
            return
        if pauses:
            clock.paused = True
            clock.stand_still(at)
        else:
            clock.run(at)
        if clock.held:
            clock.change(at)
            self.row(clock, "paused" if pauses else "resumed", at, cause)

    def end(self, clock: Clock | None, how: str, by: str, event: Event) -> None:
        """Fulfilled or cancelled by an event; one that no SLA holds ends without a row."""
        if clock is None:
            return
        clock.lives, clock.life_ended_at, clock.life_ended_by = False, event.at, by
        clock.stand_still(event.at)
        if clock.held:
            self.release(clock, event.at, how, event)
            self.row(clock, how, event.at, event)

    def release(self, clock: Clock, at: int, how: str, cause: Event | None) -> None:
        """A held clock has its outcome, the assignee's or else the named agent's; `ended_by` is the named agent."""
        clock.stop_counting(at)
        clock.held = False
        clock.ended_at, clock.ended_by, clock.ended_by_agent = at, how, named(cause)
        clock.ended_dims = credited(self.dims, clock.ended_by_agent)

    def reopen(self, event: Event) -> None:
        """exclude_closed_time goes on from the elapsed time at solving; continue counts the closed time too.

        solved            reopened
        --|                  |--------   exclude_closed_time
        --|------------------|--------   continue: a due time passed meanwhile is a breach stamped due_at
        --|                  |0-------   restart_cycle: cycle + 1, a whole target
        """
        mode = self.policy(event.at).reopen()
        clock = self.latest("resolution")
        if clock is None:
            return
        if mode == "restart_cycle":
            self.start("resolution", event)
            return
        fulfilled = clock.ended_by == "fulfilled"
        back_at = clock.life_ended_at if mode == "continue" else event.at
        clock.lives, clock.held = True, fulfilled
        clock.run(back_at)
        if fulfilled:
            clock.ended_at, clock.ended_by, clock.ended_by_agent = None, "", ""
            clock.change(back_at)
            clock.changed_at = event.at
            self.row(clock, "reactivated", event.at, event)
            if not clock.breached and clock.due_at is not None and clock.due_at < event.at:
                self.breach(clock, clock.due_at, None)
        self.evaluate(clock, event.at, event)

    # What is known and what is written down

    def policy(self, at: int) -> Policy:
        """The policy in force."""
        return self.desk.in_force(at)

    def living(self) -> list[Clock]:
        """The clocks that have not ended, in the order of the metrics."""
        return [clock for metric in METRICS if (clock := self.living_clock(metric))]

    def latest(self, metric: str) -> Clock | None:
        """The latest cycle of a metric."""
        return next((clock for clock in reversed(self.clocks) if clock.metric == metric), None)

    def living_clock(self, metric: str) -> Clock | None:
        """The cycle of a metric that has not ended."""
        clock = self.latest(metric)
        return clock if clock and clock.lives else None

    def row(self, clock: Clock, transition: str, at: int, cause: Event | None) -> None:
        """A row of the ledger. Reading: its agent is the one for whom the clock counts at that instant."""
        assert clock.terms
        clock.rows += 1
        self.ledger.append(
            {
                "ticket_id": self.ticket_id,
                "metric": clock.metric,
                "cycle": clock.cycle,
                "seq": clock.rows,
                "transition": transition,
                "at": at,
                "elapsed_ms": clock.elapsed_ms(at),
                "target_ms": clock.terms.target_ms,
                "due_at": clock.due_at,
                "policy": clock.terms.sla,
                "policy_version": clock.terms.version,
                "calendar": clock.terms.calendar,
                **credited(self.dims, named(cause)),
                "cause_source": cause.source if cause else "",
                "cause_id": cause.id if cause else "",
            }
        )
