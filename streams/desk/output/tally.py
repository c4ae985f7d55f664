"""What happened, minute by minute, for the rules that role watch judges.

A tally counts things that happen, as they happen: what is taken back later (a ticket is reopened, so its clock was not
met after all) has happened all the same, and a warning that was right when it was raised stays. So the tally of a
minute changes only when an event comes late, and never because of what came after it:

    solved 10:03 (met) ──────────── reopened 10:40         panes   met of 10:03: 1, then 0
                                                           tally   met of 10:03: 1
    event of 10:05 comes after one of 10:20                both are corrected
"""

from collections.abc import Iterator

from streams.models.envelope import METRICS
from streams.models.instants import MINUTE
from streams.models.rows import FactRow
from streams.models.tallies import TallyRow

Combination = tuple[int, str, str, str, str, str, str]  # minute, team, channel, segment, category, queue, agent

NAMES = {  # counters of facts -> what they are called in a tally
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
        """Count what a ticket's or call's fact says of the instant `at`, if a rule could ask for it."""
        if fact.counter not in NAMES:
            return
        sums = self._sums((at - at % MINUTE, fact.team, fact.channel, fact.segment, fact.category, fact.queue, ""))
        for name, number in fact.counts.items():
            if (called := NAMES.get(name)) is not None:
                sums[called] = sums.get(called, 0) + number

    def count_answer(self, fact: FactRow) -> None:
        """Count an answer to the question how satisfied the customer is."""
        if fact.metric != "csat":
            return
        given = next((name for name in CSAT if name in fact.counts), None)
        if given is not None:
            minute = fact.at - fact.at % MINUTE
            sums = self._sums((minute, fact.team, fact.channel, fact.segment, fact.category, "", fact.agent_id))
            sums[given] = sums.get(given, 0) + 1

    def count_solved(self, fact: FactRow) -> None:
        """Count a ticket that is solved for the first time, so that it is to be inspected once."""
        sums = self._sums((fact.at - fact.at % MINUTE, fact.team, fact.channel, fact.segment, fact.category, "", ""))
        sums["solved"] = sums.get("solved", 0) + 1

    def count_review(self, at: int, team: str, channel: str, segment: str, category: str) -> None:
        """Count a ticket that is inspected for the first time, under its own dimensions as they stood then."""
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
        """All that differs from nothing."""
        for combination, counts in self.sums.items():
            if found := {name: number for name, number in counts.items() if number}:
                yield TallyRow(*combination, found)

    def _sums(self, combination: Combination) -> dict[str, int]:
        sums = self.sums.get(combination)
        if sums is None:
            sums = self.sums[combination] = {}
        return sums
