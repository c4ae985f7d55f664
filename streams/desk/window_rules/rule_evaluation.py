"""One rule evaluated for one subject (a team, a queue ...), minute by minute, and its warnings.

    minutes     |10:00|10:01|10:02|10:03|10:04|
    counts         3           1
    judged            ^     ^     ^     ^           only where counts enter or leave the window,
                                                    or while time alone can change the verdict

A warning is raised and cleared by the verdict. Two changes are at least the cool-down apart, so it cannot flap:

    verdict     raised ─ over ─ raised ─────────── over ──────────
    warning       ▲──────────────────────────────────▼
                  └ cool-down: not cleared yet       └ cool-down: not raised again yet

A late count, for a minute already judged, takes the evaluation back to that minute; all later minutes are judged again.
The warnings are a function of the counts, whatever their order of arrival.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import Protocol

import msgspec

from streams.desk.window_rules.measures import InForce, Key, Rules, Verdict, width
from streams.models.instants import DAY, MINUTE, NEVER
from streams.models.rows import WarningRow, WarningState

MIN_REMEMBERED = 7 * DAY
"""The minimum time a cleared warning is kept: a later policy may have a longer cool-down."""


class Judge(Protocol):
    """Judges one minute: `part` and `whole` are the sums over the window."""

    def __call__(self, evaluation: "RuleEvaluation", in_force: InForce, at: int, part: int, whole: int) -> Verdict:
        """The verdict at the instant `at`, the end of a minute."""


MakeWarning = Callable[["RuleEvaluation", InForce, int, Verdict], WarningRow]


class RuleEvaluation:
    """See the module. `key`: name and dimension of the rule; `value`: the team, queue …; instants are ms.

    All minutes up to and including the instant `judged_at` are judged; `next_at` is the next instant to judge.
    """

    __slots__ = (
        "counts",
        "in_force",
        "judged_at",
        "key",
        "minutes",
        "next_at",
        "part",
        "queued_at",
        "rules",
        "value",
        "waits",
        "warnings",
        "whole",
        "written",
    )

    def __init__(self, key: Key, value: str, rules: Rules) -> None:
        self.key, self.value, self.rules = key, value, rules
        self.minutes: list[int] = []  # with counts, in order
        self.counts: dict[int, tuple[int, int]] = {}  # minute -> part, whole
        self.warnings: list[WarningRow] = []  # in order; the last may be open
        self.written: list[WarningRow] = []  # the warnings as last written by the caller of `run`
        self.judged_at, self.next_at = -1, NEVER
        self.queued_at = NEVER  # its entry in the queue
        self.in_force: InForce | None = None  # its window has the sums `part`, `whole`; None: sum again
        self.part = self.whole = 0
        self.waits = False  # judge the next minute even if no count enters or leaves the window

    @property
    def open(self) -> WarningRow | None:
        """The open warning, if any."""
        return self.warnings[-1] if self.warnings and self.warnings[-1].cleared_at is None else None

    def add(self, minute: int, part: int, whole: int) -> None:
        """Add counts of a minute; if it was already judged, go back to it."""
        sums = self.counts.get(minute)
        if sums is None:
            if minute > (self.minutes[-1] if self.minutes else -1):
                self.minutes.append(minute)
            else:
                insort(self.minutes, minute)
            self.counts[minute] = part, whole
        else:
            self.counts[minute] = sums[0] + part, sums[1] + whole
        if minute < self.judged_at:
            self.go_back(minute)
        elif minute + MINUTE < self.next_at:
            self.next_at = minute + MINUTE

    def go_back(self, at: int) -> None:
        """Undo all verdicts after the instant `at`."""
        if at >= self.judged_at:
            return
        while self.warnings and self.warnings[-1].raised_at > at:
            self.warnings.pop()
        if self.warnings and (cleared_at := self.warnings[-1].cleared_at) is not None and cleared_at > at:
            self.warnings[-1] = msgspec.structs.replace(
                self.warnings[-1], state=WarningState.RAISED, cleared_at=None, cleared_by="", version=0, is_deleted=0
            )
        self.judged_at, self.in_force, self.waits = at, None, True
        self.next_at = at + MINUTE

    def restored(self, at: int) -> None:
        """Continue from the instant `at`; later warnings in the checkpoint are dropped, and raised again."""
        self.written = list(self.warnings)
        self.judged_at = NEVER
        self.go_back(at)

    def run(self, until: int, judge: Judge, make: MakeWarning) -> None:
        """Judge all minutes that have ended by the instant `until`."""
        while (at := self.next_at) <= until:
            in_force = self.rules.at(self.key, at)
            if in_force is not None and in_force is self.in_force:
                self._roll(at, width(in_force.rule))
            elif in_force is not None:
                self._sum(at, width(in_force.rule))
            self.in_force, self.judged_at = in_force, at
            self.waits = False
            if in_force is None:
                self._clear(at, "policy")
            else:
                self._judge(in_force, at, judge, make)
            self.next_at = self._next(at)

    def _judge(self, in_force: InForce, at: int, judge: Judge, make: MakeWarning) -> None:
        rule, warning = in_force.rule, self.open
        if warning is None and self.whole < rule.min_n:
            return
        verdict = judge(self, in_force, at, self.part, self.whole)
        if warning is not None:
            if not verdict.over:
                self.waits = verdict.waits
            elif at - warning.raised_at < rule.cooldown_ms:
                self.waits = True
            else:
                self._clear(at, "recovered" if self.whole >= rule.min_n else "too_few")
        elif verdict.raised:
            cleared_at = self.warnings[-1].cleared_at if self.warnings else None
            if (cleared_at is not None and at - cleared_at < rule.cooldown_ms) or not in_force.open(at):
                self.waits = True
            else:
                self.warnings.append(make(self, in_force, at, verdict))
                self.waits = verdict.waits
        else:
            self.waits = verdict.waits

    def _clear(self, at: int, by: str) -> None:
        if self.open is not None:
            self.warnings[-1] = msgspec.structs.replace(
                self.warnings[-1], state=WarningState.CLEARED, cleared_at=at, cleared_by=by, version=0, is_deleted=0
            )

    def _roll(self, at: int, window: int) -> None:
        """Move the end of the window to `at`: one minute may enter, one may leave."""
        if (sums := self.counts.get(at - MINUTE)) is not None:
            self.part, self.whole = self.part + sums[0], self.whole + sums[1]
        if (sums := self.counts.get(at - MINUTE - window)) is not None:
            self.part, self.whole = self.part - sums[0], self.whole - sums[1]

    def _sum(self, at: int, window: int) -> None:
        """Sum the window [at - window, at) from scratch."""
        within = self.minutes[bisect_left(self.minutes, at - window) : bisect_left(self.minutes, at)]
        self.part = sum(self.counts[minute][0] for minute in within)
        self.whole = sum(self.counts[minute][1] for minute in within)

    def _next(self, at: int) -> int:
        """The next instant to judge."""
        if self.waits:
            return at + MINUTE
        minutes, found = self.minutes, NEVER
        if (i := bisect_left(minutes, at)) < len(minutes):
            found = minutes[i] + MINUTE  # it enters
        if self.in_force is not None:
            window = width(self.in_force.rule)
            if (i := bisect_left(minutes, at - window)) < len(minutes):
                found = min(found, minutes[i] + window + MINUTE)  # it leaves
        if (switch := self.rules.next_switch(at)) is not None:
            found = min(found, switch)
        return found

    def forget(self, before: int, horizon: int) -> list[WarningRow]:
        """Forget minutes before `before`, and warnings that no verdict after `horizon` needs; return these warnings."""
        if self.minutes and self.minutes[0] < before:
            gone = bisect_left(self.minutes, before)
            for minute in self.minutes[:gone]:
                del self.counts[minute]
            del self.minutes[:gone]
        cooldown = max(MIN_REMEMBERED, self.rules.cooldown(self.key))
        old = [row for row in self.warnings if row.cleared_at is not None and row.cleared_at + cooldown < horizon]
        if old:
            self.warnings = [row for row in self.warnings if row not in old]
            self.written = list(self.warnings)
        return old
