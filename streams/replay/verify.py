"""Compares the database of the pipeline with a recomputation of the log: view by view, row by row."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sinks.clickhouse import migrate as migrations
from sinks.clickhouse.client import Client
from sinks.clickhouse.writer import Writer
from streams.desk.policy.versions import Policies
from streams.models.tallies import TallyRow
from streams.replay.recompute import recompute

SUFFIX = "_recomputed"  # of the recomputation's database

RECEIPT = {"topic", "partition", "offset", "received_at"}  # how an event arrived
VIEWS: dict[str, set[str]] = {
    "events": RECEIPT,
    "sla_ledger": set(),
    "sla_outcomes": set(),
    "ticket_minutes": set(),
    "call_minutes": set(),
    "survey_minutes": set(),
    "window_minutes": set(),
    "backlog_minutes": set(),
    "tickets": set(),
    "calls": set(),
    "surveys": set(),
    "reviews": set(),
    "review_coverage": set(),
    "callbacks": set(),
    "callback_coverage": set(),
    "actions": set(),
    "agent_states": set(),
    "customers": set(),
    "due_next": set(),
    "service_levels": set(),
    "satisfaction": set(),
    "contact_reasons": set(),
    "ticket_quality": set(),
    "complaint_rates": set(),
    "satisfaction_by_handler": set(),
    "proactive_contacts": set(),
    "risk_warnings": {"acknowledged_at", "acknowledged_by", "escalated_at", "disagreements"},  # actions of people
    "freshness": set(),
}
"""By view, the columns that are not compared. `data_quality` and `dead_letters` depend on arrival, and are left out."""

MAX_EXAMPLES = 5


class Difference(NamedTuple):
    """The difference of one view: the numbers of rows only in the pipeline and only recomputed, with examples."""

    view: str
    rows: int
    surplus: int
    missing: int
    examples: list[dict[str, Any]]


def verified(
    client: Client, database: str, log: Iterable[bytes], policies: Policies, as_of: int | None = None
) -> list[Difference]:
    """Recompute the log into a temporary database, compare, and drop it; one Difference per view, empty or not.

    `as_of`: the instant (ms) up to which the log is recomputed; None: the pipeline's own.
    """
    if as_of is None:
        query = "SELECT min(as_of) FROM progress_rows FINAL WHERE topic_name = 'sla-ledger'"
        as_of = client.query(query).result_rows[0][0]
    beside = database + SUFFIX
    client.command(f"DROP DATABASE IF EXISTS `{beside}`")
    try:
        migrations.migrate(client, beside)
        recompute(log, policies, Writer(client, beside, policies), as_of, late=_late(client, database))
        return compare(client, database, beside)
    finally:
        client.command(f"DROP DATABASE IF EXISTS `{beside}`")


def _late(client: Client, database: str) -> list[TallyRow]:
    """The tallies that were too late for the window rules: the log does not record arrival."""
    columns = ", ".join(f"`{name}`" for name in TallyRow.__struct_fields__)
    found = client.query(f"SELECT {columns} FROM `{database}`.late_tally_rows FINAL")
    return [TallyRow(*row) for row in found.result_rows]


def compare(client: Client, pipeline: str, recomputed: str) -> list[Difference]:
    """Compare the views of the databases `pipeline` and `recomputed`; one Difference per view, empty or not."""
    return [_compare(client, view, left_out, pipeline, recomputed) for view, left_out in VIEWS.items()]


def _compare(client: Client, view: str, left_out: set[str], pipeline: str, recomputed: str) -> Difference:
    described = client.query(f"DESCRIBE TABLE `{pipeline}`.`{view}`").result_rows
    columns = ", ".join(f"`{row[0]}`" for row in described if row[0] not in left_out)
    ours, theirs = (f"SELECT {columns} FROM `{database}`.`{view}`" for database in (pipeline, recomputed))
    rows = client.query(f"SELECT count() FROM ({ours})").result_rows[0][0]
    surplus, examples = _only(client, ours, theirs, "only in the pipeline")
    missing, more = _only(client, theirs, ours, "only recomputed")
    return Difference(view, rows, surplus, missing, examples + more)


def _only(client: Client, these: str, those: str, where: str) -> tuple[int, list[dict[str, Any]]]:
    """The number of rows of `these` that are not in `those` (duplicates count), and examples."""
    surplus = f"({these}) EXCEPT ALL ({those})"
    number = client.query(f"SELECT count() FROM ({surplus})").result_rows[0][0]
    if not number:
        return 0, []
    shown = client.query(f"SELECT * FROM ({surplus}) LIMIT {MAX_EXAMPLES}")
    return number, [{"": where, **dict(zip(shown.column_names, row, strict=True))} for row in shown.result_rows]
