"""A round, and a series of rounds, as text and as JSON."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from tests.faults.result import Result, takeover_figures
from tests.faults.round import MIN_IN_FLIGHT


def as_json(result: Result) -> dict[str, object]:
    """A round as one object."""
    figures = takeover_figures([result])
    found = dataclasses.asdict(result)
    found["takeover_p50_s"], found["takeover_max_s"] = figures or (None, None)
    found["zombies_woken"] = sum(fault.woken for fault in result.injected)
    found["zombies_fenced"] = sum(fault.fenced for fault in result.injected)
    return found


def as_text(result: Result) -> str:
    """A round in a few lines."""
    end = "clean" if result.clean else "NOT CLEAN"
    lines = [
        f"round {result.seed} on {result.broker}: {end}, {result.events:,} events, "
        f"{result.duplicates:,} duplicates met, drained in {result.drain_s:.1f} s, {result.seconds:.0f} s in all"
        + ("" if result.folded_again is None else f", {result.folded_again:,} records folded again")
    ]
    for fault in result.injected:
        more = "" if fault.takeover_s is None else f", taken over in {fault.takeover_s:.1f} s"
        more += "" if fault.caught_up_s is None else f", caught up in {fault.caught_up_s:.1f} s"
        more += "" if fault.pause_s is None else f", longest pause {fault.pause_s:.1f} s"
        more += f", unsaved work abandoned {fault.abandoned} times" if fault.abandoned else ""
        more += ", the zombie woke" * fault.woken + " and was fenced" * fault.fenced
        lines.append(f"    {fault.kind:16} {fault.in_flight:>6,} in flight{more}")
    memory = ", ".join(f"{name} {peak:,.0f}" for name, peak in sorted(result.peak_mb.items()))
    lines.append(f"    memory at most, MiB: {memory}")
    return "\n".join([*lines, *(f"    {violation}" for violation in result.violations)])


def summary(results: Sequence[Result]) -> str:
    """All rounds in a few lines."""
    injected = [fault for result in results for fault in result.injected]
    counting = Counter(fault.kind for fault in injected if fault.in_flight >= MIN_IN_FLIGHT)
    figures = takeover_figures(results)
    takeover = f"takeover p50 {figures[0]:.1f} s, max {figures[1]:.1f} s; " if figures else ""
    return (
        f"{sum(result.clean for result in results)} of {len(results)} rounds clean; {len(injected)} faults, "
        f"{counting.total()} with {MIN_IN_FLIGHT:,} events or more in flight; {takeover}"
        f"{sum(result.duplicates for result in results):,} duplicates met; "
        f"{sum(fault.woken for fault in injected)} zombies woke, "
        f"{sum(fault.fenced for fault in injected)} were fenced\n"
        f"{', '.join(f'{kind} {number}' for kind, number in sorted(counting.items()))}"
    )
