"""Counts by minute for the window rules.

Later events do not correct a tally. Reopening a ticket removes its met clock from the panes, but the minute still
counts it: a warning that was right when raised remains. The tally of a minute changes only when an event of that minute
arrives late:

    solved 10:03 (met) ──────────── reopened 10:40         panes   met of 10:03: 1, then 0
                                                           tally   met of 10:03: 1
    event of 10:05 arrives after one of 10:20              both are corrected
"""

from collections.abc import Iterator

from streams.models.envelope import METRICS
from streams.models.instants import MINUTE
from streams.models.rows import FactRow
from streams.models.tallies import TallyRow

Combination = tuple[int, str, str, str, str, str, str]  # minute, team, channel, segment, category, queue, agent

COUNTED = {  # counters of facts -> their names in a tally
    **{name: name for name in ("created", "severe_complaints")},
    **{
        name: name
        for name in (
            "offered", "abandoned_ivr", "answered", "answered_in_target", "abandoned", "abandoned_in_target",
            "short_abandoned",
        )
    },
    **{f"{metric}_{outcome}": outcome for metric in METRICS for outcome in ("met", "breached")},
}  # fmt: skip
CSAT = ("positive", "neutral", "negative")


class Tally:
    """Sums by minute and combination of dimensions."""

    __slots__ = ("sums",)

    def __init__(self) -> None:
        self.sums: dict[Combination, dict[str, int]] = {}

    def count(self, fact: FactRow, at: int) -> None:
        """Count a fact of a ticket or call under the instant `at`, if a window rule could use it."""
        if fact.counter not in COUNTED:
            return
        sums = self._sums((at - at % MINUTE, fact.team, fact.channel, fact.segment, fact.category, fact.queue, ""))
        for name, number in fact.counts.items():
            if (called := COUNTED.get(name)) is not None:
                sums[called] = sums.get(called, 0) + number

    def count_answer(self, fact: FactRow) -> None:
        """Count a CSAT response."""
        if fact.metric != "csat":
            return
        given = next((name for name in CSAT if name in fact.counts), None)
        if given is not None:
            minute = fact.at - fact.at % MINUTE
            sums = self._sums((minute, fact.team, fact.channel, fact.segment, fact.category, "", fact.agent_id))
            sums[given] = sums.get(given, 0) + 1

    def count_solved(self, fact: FactRow) -> None:
        """Count a ticket solved for the first time: a review is due for it."""
        sums = self._sums((fact.at - fact.at % MINUTE, fact.team, fact.channel, fact.segment, fact.category, "", ""))
        sums["solved"] = sums.get("solved", 0) + 1

    def count_review(self, at: int, team: str, channel: str, segment: str, category: str) -> None:
        """Count the first review of a ticket, under the ticket's dimensions at that instant."""
        sums = self._sums((at - at % MINUTE, team, channel, segment, category, "", ""))
        sums["reviewed"] = sums.get("reviewed", 0) + 1

    def apply_diff(self, before: "Tally", after: "Tally") -> None:
        """Count the difference of two tallies."""
        for tally, sign in ((after, 1), (before, -1)):
            for combination, counts in tally.sums.items():
                sums = self._sums(combination)
                for name, number in counts.items():
                    sums[name] = sums.get(name, 0) + sign * number

    def rows(self) -> Iterator[TallyRow]:
        """One row per combination with a sum other than zero."""
        for combination, counts in self.sums.items():
            if found := {name: number for name, number in counts.items() if number}:
                yield TallyRow(*combination, found)

    def _sums(self, combination: Combination) -> dict[str, int]:
        sums = self.sums.get(combination)
        if sums is None:
            sums = self.sums[combination] = {}
        return sums
