"""`python -m tests.faults`: seeded rounds of faults in the running product, each verified to the last row."""

import dataclasses
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console

from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Json, Policy, settings_of
from streams.policies import policies_of
from streams.replay.log import read
from streams.settings import Settings
from tests.faults.log import disorderly, orderly
from tests.faults.report import as_json, as_text, summary
from tests.faults.result import Result
from tests.faults.round import Round
from tests.faults.schedule import KILL_BROKER, KINDS, Fault, schedule
from tests.faults.system import System

Broker = Literal["embedded", "kafka"]


def faults(
    seed: Annotated[int, typer.Option(help="The first round's seed; each round adds one.")] = 1,
    rounds: Annotated[int, typer.Option(min=1)] = 1,
    broker: Annotated[Broker, typer.Option(help="Which broker.")] = "embedded",
    seconds: Annotated[float, typer.Option(help="How long events are fed in a round.", min=5)] = 25.0,
    rate: Annotated[float, typer.Option(help="Events fed a second.", min=100)] = 1500.0,
    number: Annotated[int, typer.Option("--faults", help="Faults in a round.", min=0)] = 4,
    only: Annotated[list[str] | None, typer.Option(metavar="KIND", help="Only this kind; may be repeated.")] = None,
    away: Annotated[float, typer.Option(help="Seconds for which ClickHouse stays away.", min=1)] = 8.0,
    in_order: Annotated[
        bool, typer.Option("--in-order", help="Feed the events in order, each once, without poison.")
    ] = False,
    data: Data = None,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Inject faults into the running product while events flow, drain, and verify; exit code 1 unless all is exact."""
    with one_sentence():
        known = [*KINDS, *([KILL_BROKER] if broker == "kafka" else [])]
        if unknown := [kind for kind in only or () if kind not in known]:
            raise typer.BadParameter(f"{unknown[0]!r} is no fault: choose from {', '.join(known)}", param_hint="--only")
        settings = settings_of(None, policy, partitions=4)
        policies_of(settings)
        recorded = recorded_log()
        results = []
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is away is expected here
        console = Console(stderr=True)
        for each in range(seed, seed + rounds):
            plan = schedule(each, seconds, only or known, number)
            lines = (orderly if in_order else disorderly)(each, int(rate * seconds), recorded)
            result = one_round(each, broker, settings, lines, plan, rate=rate, away=away, data=data, console=console)
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
    plan: Sequence[Fault],
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
        system = System(folder, kafka=broker == "kafka")
        with system:
            own = dataclasses.replace(settings, data=folder)

            def tell(what: str) -> None:
                status.update(f"round {number}: {what}")

            Round(system, own, lines, plan, rate=rate, away_s=away, tell=tell).run(result)
    return result


if __name__ == "__main__":
    typer.run(faults)
