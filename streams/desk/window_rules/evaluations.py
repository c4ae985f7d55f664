"""All evaluations of window rules: the evaluations, the counts of each, and the queue in which they are judged.

    tally ──count──> the evaluations it concerns (rule × subject) ──queue──> verdict of the next minute ──> warnings

A surge is judged by the baseline, and attributed to an announced change.
"""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from zoneinfo import ZoneInfo

from streams.desk.output.change_set import ChangeSet, apply_warning_diff
from streams.desk.output.warnings import raised_by_window_rule
from streams.desk.policy.versions import Policies
from streams.desk.window_rules.announcements import Announcements
from streams.desk.window_rules.baseline import Baseline
from streams.desk.window_rules.measures import SURGE, InForce, Key, Rules, Verdict, judge_rate
from streams.desk.window_rules.rule_evaluation import RuleEvaluation
from streams.desk.window_rules.surge import judge_surge
from streams.models.instants import MINUTE, NEVER
from streams.models.rows import WarningRow
from streams.models.tallies import TallyRow

DIMENSIONS = ("team", "channel", "segment", "category", "queue", "agent")  # of a combination


class Evaluations:
    """All evaluations of some rules, by rule and subject."""

    def __init__(self, policies: Policies, rules: Rules, baseline: Baseline, announcements: Announcements) -> None:
        self._rules, self._baseline, self._announcements = rules, baseline, announcements
        self._zones = {policy.version: ZoneInfo(policy.timezone) for policy in policies.versions}
        self._known: dict[tuple[Key, str], RuleEvaluation] = {}
        self._queue: list[tuple[int, int, RuleEvaluation]] = []
        self._pushes = 0

    def __len__(self) -> int:
        return len(self._known)

    def warnings(self) -> Iterator[WarningRow]:
        """All warnings still held."""
        return (row for evaluation in self._known.values() for row in evaluation.warnings)

    # Counts

    def count(self, row: TallyRow) -> None:
        """Add a tally to the evaluations it concerns."""
        values = {"all": "", **dict(zip(DIMENSIONS, row.combination(), strict=True))}
        for key in self._rules.keys:
            value = values[key[1]]
            if not value and key[1] != "all":
                continue
            in_force = self._rules.at(key, row.minute) or self._rules.any(key)
            part, whole = in_force.measure().of(row.counts)
            if part or whole:
                evaluation = self._evaluation(key, value)
                evaluation.add(row.minute, part, whole)
                self._push(evaluation)

    def reattribute(self, since: int) -> None:
        """Attribute surges again: a change became known, and a surge judged since then may name it."""
        for (key, _), evaluation in self._known.items():
            if key[0] == SURGE and any(warning.raised_at >= since for warning in evaluation.warnings):
                evaluation.go_back(since - since % MINUTE - MINUTE)
                self._push(evaluation)

    def _evaluation(self, key: Key, value: str) -> RuleEvaluation:
        evaluation = self._known.get((key, value))
        if evaluation is None:
            evaluation = self._known[key, value] = RuleEvaluation(key, value, self._rules)
        return evaluation

    # Time

    def next_at(self) -> int:
        """The end of the first minute still to be judged by some evaluation."""
        return self._queue[0][0] if self._queue else NEVER

    def run(self, until: int, change_set: ChangeSet, full: Callable[[], bool]) -> bool:
        """Judge the minutes that end by `until`, and write the differences; False: a checkpoint must come first."""
        while self.next_at() <= until:
            if full():
                return False
            evaluation = heappop(self._queue)[2]
            evaluation.queued_at = NEVER
            if evaluation.next_at <= until:
                evaluation.run(until, self._judge, self._make)
                apply_warning_diff(change_set, evaluation.written, evaluation.warnings)
                evaluation.written = list(evaluation.warnings)
            self._push(evaluation)
        return True

    def _push(self, evaluation: RuleEvaluation) -> None:
        if evaluation.next_at < evaluation.queued_at:
            evaluation.queued_at = evaluation.next_at
            self._pushes += 1
            heappush(self._queue, (evaluation.next_at, self._pushes, evaluation))

    def _judge(self, evaluation: RuleEvaluation, in_force: InForce, at: int, part: int, whole: int) -> Verdict:
        rule = in_force.rule
        if rule.rule != SURGE:
            return judge_rate(rule, part, whole)
        return judge_surge(rule, self._baseline, evaluation.value, at, whole, self._zones[in_force.policy.version])

    def _make(self, evaluation: RuleEvaluation, in_force: InForce, at: int, verdict: Verdict) -> WarningRow:
        (name, dimension), value = evaluation.key, evaluation.value
        cause = self._announcements.attributed_change(value, at) if name == SURGE else ""
        severity, version = in_force.rule.severity, in_force.policy.version
        return raised_by_window_rule(
            name, dimension, value, at, severity, version, measures=verdict.measures, cause=cause
        )

    def forget(self, before: int, horizon: int) -> Iterator[WarningRow]:
        """Forget state that no longer matters (`RuleEvaluation.forget`); yields the forgotten warnings."""
        for name, evaluation in list(self._known.items()):
            yield from evaluation.forget(before, horizon)
            if not evaluation.minutes and not evaluation.warnings:
                del self._known[name]

    # Restore

    def restored(self, warnings: list[WarningRow], at: int) -> None:
        """All counts are loaded: take the warnings from a checkpoint, and continue from the instant `at`."""
        for row in warnings:
            self._evaluation((row.rule, row.dimension), row.value).warnings.append(row)
        for evaluation in self._known.values():
            evaluation.restored(at)
            self._push(evaluation)
