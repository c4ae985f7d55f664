"""`deskwatch bench faults`: seeded rounds of strikes at the running product, each verified to the last row."""

import dataclasses
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console

from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Json, Policy, settings_of
from streams.embedded.apache_kafka import KafkaUnavailable
from streams.policies import policies_of
from streams.replay.log import read
from streams.settings import Settings
from tests.faults.log import disorderly, orderly
from tests.faults.result import Result, takeover_figures
from tests.faults.round import COUNTING, Round
from tests.faults.schedule import KILL_BROKER, KINDS, Strike, schedule
from tests.faults.system import System

Broker = Literal["embedded", "kafka"]


def faults(
    seed: Annotated[int, typer.Option(help="The first round's seed; each round adds one.")] = 1,
    rounds: Annotated[int, typer.Option(min=1)] = 1,
    broker: Annotated[Broker, typer.Option(help="Which broker.")] = "embedded",
    seconds: Annotated[float, typer.Option(help="How long events are fed in a round.", min=5)] = 25.0,
    rate: Annotated[float, typer.Option(help="Events fed a second.", min=100)] = 1500.0,
    strikes: Annotated[int, typer.Option(help="Strikes in a round.", min=0)] = 4,
    only: Annotated[list[str] | None, typer.Option(metavar="KIND", help="Only this kind; may be repeated.")] = None,
    away: Annotated[float, typer.Option(help="Seconds for which ClickHouse stays away.", min=1)] = 8.0,
    in_order: Annotated[
        bool, typer.Option("--in-order", help="Feed the events in order, each once, without poison.")
    ] = False,
    data: Data = None,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Strike at the running product while events flow, drain, and verify; exit code 1 unless every round is clean."""
    with one_sentence():
        known = [*KINDS, *([KILL_BROKER] if broker == "kafka" else [])]
        if unknown := [kind for kind in only or () if kind not in known]:
            raise typer.BadParameter(
                f"{unknown[0]!r} is no strike: choose from {', '.join(known)}", param_hint="--only"
            )
        settings = settings_of(None, policy, partitions=4)
        policies_of(settings)
        recorded = recorded_log()
        results = []
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that the broker is away is no news here
        console = Console(stderr=True)
        for number in range(seed, seed + rounds):
            plan = schedule(number, seconds, only or known, strikes)
            lines = (orderly if in_order else disorderly)(number, int(rate * seconds), recorded)
            result = one_round(number, broker, settings, lines, plan, rate=rate, away=away, data=data, console=console)
            results.append(result)
            typer.echo(msgspec.json.encode(as_json(result)) if json else as_text(result))
        if not json:
            typer.echo(summary(results))
    if not all(result.clean for result in results):
        raise typer.Exit(1)


def recorded_log() -> list[bytes]:
    """The recorded month in the directory that DESK_LOGS names, if it is there."""
    month = Path(os.environ.get("DESK_LOGS", "")) / "service_month.jsonl.gz"
    return list(read([month])) if month.is_file() else []


def one_round(
    number: int,
    broker: Broker,
    settings: Settings,
    lines: Sequence[bytes],
    plan: Sequence[Strike],
    *,
    rate: float,
    away: float,
    data: Path | None,
    console: Console,
) -> Result:
    """One round in a directory of its own, which is kept under `data` if that is given."""
    result = Result(number, broker)
    with tempfile.TemporaryDirectory(prefix="deskwatch-faults-") as temporary, console.status("") as status:
        folder = data / f"round-{number}" if data else Path(temporary)
        if data and folder.exists():
            raise Refused(f"{folder} is there already: name another directory with --data.")
        try:
            system = System(folder, kafka=broker == "kafka")
            with system:
                own = dataclasses.replace(settings, data=folder)

                def tell(what: str) -> None:
                    status.update(f"round {number}: {what}")

                Round(system, own, lines, plan, rate=rate, away_s=away, tell=tell).run(result)
        except KafkaUnavailable as error:
            raise Refused(str(error)) from None
    return result


def as_json(result: Result) -> dict[str, object]:
    """A round as one object."""
    figures = takeover_figures([result])
    found = dataclasses.asdict(result)
    found["takeover_p50_s"], found["takeover_max_s"] = figures or (None, None)
    found["zombies_woken"] = sum(strike.woken for strike in result.strikes)
    found["zombies_fenced"] = sum(strike.fenced for strike in result.strikes)
    return found


def as_text(result: Result) -> str:
    """A round in a few lines."""
    end = "clean" if result.clean else "NOT CLEAN"
    lines = [
        f"round {result.seed} on {result.broker}: {end}, {result.events:,} events, "
        f"{result.duplicates:,} duplicates met, drained in {result.drain_s:.1f} s, {result.seconds:.0f} s in all"
        + ("" if result.folded_again is None else f", {result.folded_again:,} records folded again")
    ]
    for strike in result.strikes:
        more = "" if strike.takeover_s is None else f", taken over in {strike.takeover_s:.1f} s"
        more += "" if strike.caught_up_s is None else f", caught up in {strike.caught_up_s:.1f} s"
        more += "" if strike.pause_s is None else f", longest pause {strike.pause_s:.1f} s"
        more += f", {strike.given_up} times work was given up" if strike.given_up else ""
        more += ", the zombie woke" * strike.woken + " and gave way" * strike.fenced
        lines.append(f"    {strike.kind:16} {strike.in_flight:>6,} in flight{more}")
    memory = ", ".join(f"{name} {peak:,.0f}" for name, peak in sorted(result.peak_mb.items()))
    lines.append(f"    memory at most, MiB: {memory}")
    return "\n".join([*lines, *(f"    {fault}" for fault in result.faults)])


def summary(results: Sequence[Result]) -> str:
    """All rounds in a few lines."""
    struck = [strike for result in results for strike in result.strikes]
    counting = Counter(strike.kind for strike in struck if strike.in_flight >= COUNTING)
    figures = takeover_figures(results)
    takeover = f"takeover p50 {figures[0]:.1f} s, max {figures[1]:.1f} s; " if figures else ""
    return (
        f"{sum(result.clean for result in results)} of {len(results)} rounds clean; {len(struck)} strikes, "
        f"{counting.total()} with {COUNTING:,} events or more in flight; {takeover}"
        f"{sum(result.duplicates for result in results):,} duplicates met; "
        f"{sum(s.woken for s in struck)} zombies woke, {sum(s.fenced for s in struck)} gave way\n"
        f"{', '.join(f'{kind} {number}' for kind, number in sorted(counting.items()))}"
    )
