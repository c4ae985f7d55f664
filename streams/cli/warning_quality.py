"""`deskwatch bench warning-quality FILE…`: the quality of a log's warnings, measured by the outcomes."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from sinks.clickhouse.rows import Batch
from streams.bench.warning_quality import RuleQuality, answers, qualities
from streams.cli.errors import one_sentence
from streams.cli.options import Files, Json, Policy, settings_of
from streams.desk.policy.versions import Policies
from streams.models.entities import CallRow, TicketRow
from streams.models.rows import Identity, LedgerRow, Row, WarningRow
from streams.policies import policies_of
from streams.replay.log import read
from streams.replay.recompute import recompute

_KINDS: dict[str, type[Row]] = {kind.table: kind for kind in (WarningRow, LedgerRow, TicketRow, CallRow)}
NOTES = (
    "precision: share of the warnings that the outcome followed (a breach of the clock or ticket; a complaint of the "
    "same customer within 7 days). recall: share of the outcomes that a warning came before. In brackets: what as many "
    "warnings at random moments reach on average. lead: median from the first warning to the outcome. ack/dis: "
    "warnings that people acknowledged, disagreed with. An outcome after the end of the log is not counted."
)


def warning_quality(files: Files, policy: Policy = None, json: Json = False) -> None:
    """Recompute a log in this process, and measure its warnings by the outcomes: precision, recall, lead time."""
    with one_sentence():
        found = measure(files, policies_of(settings_of(None, policy)))
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
    kept = _LiveRows()
    recompute(for_fold, policies, kept)
    return qualities(kept.rows.values(), answers(for_answers))


class _LiveRows:
    """A row writer that keeps the last version of each row, like ClickHouse, but only for the tables needed here."""

    def __init__(self) -> None:
        self.rows: dict[Identity, Row] = {}

    def write(self, batch: Batch) -> None:
        """Store the rows of a batch; they arrive in the order of their versions."""
        for name, kind in _KINDS.items():
            for line in batch.block(name).splitlines() if name in batch.blocks else ():
                row = msgspec.json.decode(line, type=kind)
                if row.is_deleted:  # type: ignore[attr-defined]
                    self.rows.pop(row.identity(), None)
                else:
                    self.rows[row.identity()] = row

    def write_calendars(self) -> None:
        """Calendars are not needed here."""


def as_json(quality: RuleQuality) -> dict[str, object]:
    """A rule's quality as an object; lead times in seconds."""
    fields = quality.score._asdict()
    seconds = {f"{name}_s": _seconds(fields.pop(name)) for name in ("lead_p10", "lead_median", "lead_p90")}
    answered = {"acknowledged": quality.acknowledged, "disagreed": quality.disagreed}
    return {
        "name": "warning_quality",
        "rule": quality.rule,
        "outcome": quality.outcome,
        **fields,
        **seconds,
        **answered,
    }


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000, 3)


def table(found: Sequence[RuleQuality]) -> Table:
    """A row for each rule and outcome, narrow enough for a terminal of 80 columns."""
    shown = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    for name in ("rule", "outcome"):
        shown.add_column(name, no_wrap=True)
    for name in ("warnings", "precision", "outcomes", "recall", "lead", "ack/dis"):
        shown.add_column(name, justify="right", no_wrap=True)
    for rule, outcome, of, acknowledged, disagreed in found:
        shown.add_row(
            rule,
            outcome,
            f"{of.warnings:,}",
            _beside(of.precision, of.random_precision),
            f"{of.outcomes:,}",
            _beside(of.recall, of.random_recall),
            "" if of.lead_median is None else f"{of.lead_median / 3_600_000:.0f}h",
            f"{acknowledged}/{disagreed}",
        )
    return shown


def _beside(share: float | None, random: float | None) -> str:
    return "" if share is None or random is None else f"{100 * share:.0f}% ({100 * random:.0f})"
