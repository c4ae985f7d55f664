"""`deskwatch bench alerts FILE…`: how good the warnings of a log were, measured by what followed them."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from sinks.clickhouse.rows import Batch
from streams.bench.warning_quality import RuleQuality, answers, qualities
from streams.desk.policy.versions import Policies
from streams.models.entities import CallRow, TicketRow
from streams.models.rows import Identity, LedgerRow, Row, WarningRow
from streams.replay.log import read
from streams.replay.recompute import recompute

_KINDS: dict[str, type[Row]] = {kind.table: kind for kind in (WarningRow, LedgerRow, TicketRow, CallRow)}
NOTES = (
    "precision: share of the alerts that the outcome followed (a breach of the clock or ticket; a complaint of the "
    "same customer within 7 days). recall: share of the outcomes that an alert came before. In brackets: what as many "
    "alerts at random moments reach on average. lead: median from the first alert to the outcome. ack/dis: warnings "
    "that people acknowledged, disagreed with. What had not happened by the log's end counts as not followed."
)


def alerts(files: Sequence[Path], policies: Policies, json: bool) -> None:
    """Recompute the log in this process, with no broker and no database, and print each rule's quality."""
    found = measure(files, policies)
    if json:
        for quality in found:
            typer.echo(msgspec.json.encode(as_json(quality)))
        return
    console = Console()
    console.print(table(found))
    console.print(NOTES, style="dim")


def measure(files: Sequence[Path], policies: Policies) -> list[RuleQuality]:
    """The quality of each rule's warnings over the files."""
    for_fold, for_answers = read(files), read(files)
    keeper = _Keeper()
    recompute(for_fold, policies, keeper)
    return qualities(keeper.standing.values(), answers(for_answers))


class _Keeper:
    """Keeps the rows that stand, as ClickHouse would; only of the tables that are looked at."""

    def __init__(self) -> None:
        self.standing: dict[Identity, Row] = {}

    def write(self, batch: Batch) -> None:
        """Take the rows of a batch: they come in the order of their versions."""
        for name, kind in _KINDS.items():
            for line in batch.block(name).splitlines() if name in batch.blocks else ():
                row = msgspec.json.decode(line, type=kind)
                if row.is_deleted:  # type: ignore[attr-defined]
                    self.standing.pop(row.identity(), None)
                else:
                    self.standing[row.identity()] = row

    def write_calendars(self) -> None:
        """Nobody asks for them here."""


def as_json(quality: RuleQuality) -> dict[str, object]:
    """A rule's quality as an object; lead times in seconds."""
    fields = quality.score._asdict()
    seconds = {f"{name}_s": _seconds(fields.pop(name)) for name in ("lead_p10", "lead_median", "lead_p90")}
    answered = {"acknowledged": quality.acknowledged, "disagreed": quality.disagreed}
    return {"name": "alerts", "rule": quality.rule, "outcome": quality.outcome, **fields, **seconds, **answered}


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000, 3)


def table(found: Sequence[RuleQuality]) -> Table:
    """A row for each rule and outcome, narrow enough for a terminal of 80 columns."""
    shown = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    for name in ("rule", "outcome"):
        shown.add_column(name, no_wrap=True)
    for name in ("alerts", "precision", "outcomes", "recall", "lead", "ack/dis"):
        shown.add_column(name, justify="right", no_wrap=True)
    for rule, outcome, of, acknowledged, disagreed in found:
        shown.add_row(
            rule,
            outcome,
            f"{of.alerts:,}",
            _beside(of.precision, of.random_precision),
            f"{of.outcomes:,}",
            _beside(of.recall, of.random_recall),
            "" if of.lead_median is None else f"{of.lead_median / 3_600_000:.0f}h",
            f"{acknowledged}/{disagreed}",
        )
    return shown


def _beside(share: float | None, random: float | None) -> str:
    return "" if share is None or random is None else f"{100 * share:.0f}% ({100 * random:.0f})"
