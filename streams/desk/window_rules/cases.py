"""The cases of the stage watch: which there are, what counts for each, and the queue in which they are judged.

    tally ──count──> the cases it concerns (rule × subject) ──queue──> verdict of the next minute ──> warnings

A surge is judged by the usual, and attributed_change on what was announced.
"""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from zoneinfo import ZoneInfo

from streams.desk.output.change_set import ChangeSet, apply_warning_diff
from streams.desk.output.warnings import raised_by_window_rule
from streams.desk.policy.versions import Policies
from streams.desk.window_rules.announcements import Announcements
from streams.desk.window_rules.case import Case
from streams.desk.window_rules.measures import SURGE, InForce, Key, Rules, Verdict, judge_rate
from streams.desk.window_rules.surge import Baseline, judge_surge
from streams.models.instants import MINUTE, NEVER
from streams.models.rows import WarningRow
from streams.models.tallies import TallyRow

DIMENSIONS = ("team", "channel", "segment", "category", "queue", "agent")  # of a combination


class Cases:
    """All cases of some rules, by rule and subject."""

    def __init__(self, policies: Policies, rules: Rules, usual: Baseline, announcements: Announcements) -> None:
        self.rules, self.usual, self.announcements = rules, usual, announcements
        self.zones = {policy.version: ZoneInfo(policy.timezone) for policy in policies.versions}
        self.known: dict[tuple[Key, str], Case] = {}
        self._queue: list[tuple[int, int, Case]] = []
        self._pushes = 0

    def __len__(self) -> int:
        return len(self.known)

    def warnings(self) -> Iterator[WarningRow]:
        """All warnings that are remembered."""
        return (row for case in self.known.values() for row in case.warnings)

    # What is counted

    def count(self, row: TallyRow) -> None:
        """Add a tally to the cases it concerns."""
        values = {"all": "", **dict(zip(DIMENSIONS, row.combination(), strict=True))}
        for key in self.rules.keys:
            value = values[key[1]]
            if not value and key[1] != "all":
                continue
            in_force = self.rules.at(key, row.minute) or self.rules.any(key)
            part, whole = in_force.measure().of(row.counts)
            if part or whole:
                case = self._case(key, value)
                case.add(row.minute, part, whole)
                self._push(case)

    def reattribute(self, since: int) -> None:
        """A change became known: a surge that was judged since then may name it."""
        for (key, _), case in self.known.items():
            if key[0] == SURGE and any(warning.raised_at >= since for warning in case.warnings):
                case.go_back(since - since % MINUTE - MINUTE)
                self._push(case)

    def _case(self, key: Key, value: str) -> Case:
        case = self.known.get((key, value))
        if case is None:
            case = self.known[key, value] = Case(key, value, self.rules)
        return case

    # Time

    def next_at(self) -> int:
        """The first minute's end that some case is still to be judged at."""
        return self._queue[0][0] if self._queue else NEVER

    def run(self, to: int, change_set: ChangeSet, full: Callable[[], bool]) -> bool:
        """Judge every minute that has ended by `to`, and write what differs; False: not all, a checkpoint is `full`."""
        while self.next_at() <= to:
            if full():
                return False
            case = heappop(self._queue)[2]
            case.queued_at = NEVER
            if case.next_at <= to:
                case.run(to, self._judge, self._make)
                apply_warning_diff(change_set, case.written, case.warnings)
                case.written = list(case.warnings)
            self._push(case)
        return True

    def _push(self, case: Case) -> None:
        if case.next_at < case.queued_at:
            case.queued_at = case.next_at
            self._pushes += 1
            heappush(self._queue, (case.next_at, self._pushes, case))

    def _judge(self, case: Case, in_force: InForce, at: int, part: int, whole: int) -> Verdict:
        rule = in_force.rule
        if rule.rule != SURGE:
            return judge_rate(rule, in_force.measure().low, part, whole)
        return judge_surge(rule, self.usual, case.value, at, whole, self.zones[in_force.policy.version])

    def _make(self, case: Case, in_force: InForce, at: int, verdict: Verdict) -> WarningRow:
        (name, dimension), value = case.key, case.value
        cause = self.announcements.attributed_change(value, at) if name == SURGE else ""
        severity, version = in_force.rule.severity, in_force.policy.version
        return raised_by_window_rule(
            name, dimension, value, at, severity, version, measures=verdict.measures, cause=cause
        )

    def put_away(self, before: int, horizon: int) -> Iterator[WarningRow]:
        """Forget, as `Case.put_away` says, what can matter no longer; yields the warnings forgotten."""
        for name, case in list(self.known.items()):
            yield from case.put_away(before, horizon)
            if not case.minutes and not case.warnings:
                del self.known[name]

    # Restore

    def restored(self, warnings: list[WarningRow], at: int) -> None:
        """All that was counted is in: take the warnings from a checkpoint, and go on from the instant `at`."""
        for row in warnings:
            self._case((row.rule, row.dimension), row.value).warnings.append(row)
        for case in self.known.values():
            case.restored(at)
            self._push(case)
