"""Compares the database of the pipeline with a recomputation of the log: view by view, row by row."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sinks.clickhouse import migrate as migrations
from sinks.clickhouse.client import Client
from sinks.clickhouse.writer import Writer
from streams.desk.policy.versions import Policies
from streams.models.tallies import TallyRow
from streams.models.topics import ACTIONS
from streams.replay.recompute import recompute
from streams.replay.restated import Restated, conditions, read_restated, refuse_former_rules, take_over, with_facts
from streams.replay.summary import written_until

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
    "call_legs": set(),
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
"""By view, the columns that are not compared. What else is left out, and why: docs/decisions.md."""

ROWS = {"events": f"topic != '{ACTIONS}'"}
"""By view, the rows that are compared: what people do is no figure, and a FILE need not have it."""

MAX_EXAMPLES = 5


class Difference(NamedTuple):
    """The difference of one view: the numbers of rows only in the pipeline and only recomputed, with examples."""

    view: str
    rows: int
    surplus: int
    missing: int
    examples: list[dict[str, Any]]


def verified(
    client: Client,
    database: str,
    log: Iterable[bytes],
    policies: Policies,
    as_of: int | None = None,
    restated: Restated | None = None,
) -> list[Difference]:
    """Recompute the log into a temporary database, compare, and drop it; one Difference per view, empty or not.

    What came after the release of its subject is left out. `as_of`: the instant (ms) up to which the log is recomputed;
    None: the pipeline's own. `restated`: what releases changed, if it is read already. Raises FormerRules.
    """
    if as_of is None:
        as_of = written_until(client, database)
    refuse_former_rules(client, database)
    restated = restated or read_restated(client, database)
    beside = database + SUFFIX
    client.command(f"DROP DATABASE IF EXISTS `{beside}`")
    try:
        migrations.migrate(client, beside)
        former = with_facts(client, database, beside, restated.former)
        left_out = _released(client, database)
        log = (line for line in log if line not in left_out) if left_out else log
        recompute(log, policies, Writer(client, beside, policies), as_of, _late(client, database), former)
        take_over(client, database, beside, former)
        return compare(client, database, beside, conditions(client, database, beside, policies, restated.rows))
    finally:
        client.command(f"DROP DATABASE IF EXISTS `{beside}`")


def _released(client: Client, database: str) -> set[bytes]:
    """The events, as received, of which every copy came after the release of its subject: these changed nothing."""
    marked = (
        f"(topic, partition, offset) IN (SELECT input_topic, partition, offset FROM `{database}`.released_rows FINAL)"
    )
    bodies = f"SELECT body FROM `{database}`.event_rows FINAL WHERE"
    found = client.query(f"{bodies} {marked} AND body NOT IN ({bodies} NOT {marked} AND body IN ({bodies} {marked}))")
    return {body.encode() for (body,) in found.result_rows}


def _late(client: Client, database: str) -> list[TallyRow]:
    """The tallies that were too late for the window rules: the log does not record arrival."""
    columns = ", ".join(f"`{name}`" for name in TallyRow.__struct_fields__)
    found = client.query(f"SELECT {columns} FROM `{database}`.late_tally_rows FINAL")
    return [TallyRow(*row) for row in found.result_rows]


def compare(client: Client, pipeline: str, recomputed: str, where: Mapping[str, str]) -> list[Difference]:
    """Compare the views of the databases `pipeline` and `recomputed`; one Difference per view, empty or not.

    `where`: by view, the condition that a row has to meet to be compared.
    """
    return [
        _compare(client, view, left_out, pipeline, recomputed, where.get(view, "1")) for view, left_out in VIEWS.items()
    ]


def _compare(client: Client, view: str, left_out: set[str], pipeline: str, recomputed: str, where: str) -> Difference:
    described = client.query(f"DESCRIBE TABLE `{pipeline}`.`{view}`").result_rows
    columns = ", ".join(f"`{row[0]}`" for row in described if row[0] not in left_out)
    where = f"{ROWS.get(view, 1)} AND {where}"
    ours, theirs = (f"SELECT {columns} FROM `{database}`.`{view}` WHERE {where}" for database in (pipeline, recomputed))
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
