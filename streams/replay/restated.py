"""What `verify` has to know of a desk that a release with other rules took over.

rules            1 ──────────────────────────── 2 ─────────────────────>
held             t4 ═══════════════════════════ restated ══════════════   compared
released before  t1 ═══════ released │                                    keeps its rows: taken over as they are
window rules     w1 ══════   w2 ═══════════════════════   w3 ══════       w1, w2: of counts by former rules, left out
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sinks.clickhouse.client import Client
from streams.desk.output.release import sentence
from streams.desk.policy.rules import RULE_SUBJECTS
from streams.desk.policy.versions import Policies
from streams.desk.window_rules.baseline import KEPT as BASELINE_KEPT
from streams.desk.window_rules.measures import SHORT_NOTICE, SURGE, Rules
from streams.desk.window_rules.partition import MAX_WINDOW
from streams.errors import UserError
from streams.models.instants import NEVER
from streams.models.restatements import RULES, SENDERS, RestatementRow
from streams.models.rows import FactRow

JUDGED = tuple(rule for rule in RULE_SUBJECTS if rule != SHORT_NOTICE)
"""The rules that judge tallies."""

CUSTOMERS_TABLE, WARNINGS_TABLE = "former_customers", "left_out_warnings"
"""Of the recomputation's database: the customers, and the ids of the warnings, that are not compared."""

_OF_TICKET_OR_CALL = "multiIf(ticket_id != '', concat('t', ticket_id), call_id != '', concat('c', call_id), {own})"
_OF_SURVEY_FACT = (
    "concat(multiIf(subject LIKE 'ticket/%', 't', subject LIKE 'call/%', 'c', subject LIKE 'survey/%', 'ss', '/'), "
    "substring(subject, position(subject, '/') + 1))"
)
_NAMES = {  # by table, the name of the subject of a row
    "ledger_rows": "concat('t', ticket_id)",
    "span_rows": "concat(substring(family, 1, 1), subject)",
    "ticket_rows": "concat('t', ticket_id)",
    "call_rows": "concat('c', call_id)",
    "call_leg_rows": "concat('c', call_id)",
    "survey_rows": _OF_TICKET_OR_CALL.format(own="concat('ss', survey_id)"),
    "review_rows": _OF_TICKET_OR_CALL.format(own="concat('ss', review_id)"),
    "callback_rows": "concat('b', callback_id)",
    "action_rows": "concat('a', action_id)",
    "agent_state_rows": "concat('g', agent_id)",
    "warning_rows": "multiIf(dimension = 'callback', concat('b', value), dimension = 'action', concat('a', value), "
    "dimension = 'agent', concat('g', value), dimension = '', concat('t', ticket_id), '')",
}
_OF_STAGE = "counter = 'fcr' AND cause_source = 'customer'"


class FormerRules(UserError):
    """The rows are of other rules than this release's: there is nothing to compare them with."""


class Former(NamedTuple):
    """The subjects, by name, and the customers that keep rows of former rules; and those rows' facts."""

    names: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    facts: Callable[[], Iterator[FactRow]] = lambda: iter(())


NOTHING = Former()


class Restated(NamedTuple):
    """What releases changed, for each partition, and what keeps rows of former rules (`former`, without its facts)."""

    rows: Sequence[RestatementRow]
    former: Former

    def sentences(self) -> list[str]:
        """What changed, and what is not compared. None without a restatement."""
        found = [sentence(row) for row in self.rows]
        if self.former.names:
            found.append(
                f"{len(self.former.names):,} subjects were released before and keep rows of former rules; these and "
                f"the rows of their {len(self.former.customers):,} customers are not compared."
            )
        if found:
            found.append("Warnings of window rules about counts by former rules are not compared.")
        return found


def refuse_former_rules(client: Client, database: str) -> None:
    """Raise FormerRules if the rows of some partition are of other rules than this release's."""
    query = f"SELECT groupUniqArray(rules) FROM `{database}`.progress_rows FINAL WHERE topic_name IN {SENDERS}"
    others = [str(rules) for rules in sorted(client.query(query).result_rows[0][0]) if rules != RULES]
    if others:
        raise FormerRules(
            f"The rows in {database} are of the rules {' and '.join(others)}, and this release folds by the rules "
            f"{RULES}: start role track, which restates what it holds, and verify then."
        )


def restatements(client: Client, database: str) -> list[RestatementRow]:
    """What releases changed, for each partition."""
    columns = ", ".join(RestatementRow.__struct_fields__)
    query = f"SELECT {columns} FROM `{database}`.restatement_rows FINAL ORDER BY rules_to, stage DESC, partition"
    return [RestatementRow(*row) for row in client.query(query).result_rows]


def read_restated(client: Client, database: str) -> Restated:
    """What was restated, and what keeps its rows."""
    rows = restatements(client, database)
    return Restated(rows, _read_former(client, database) if rows else NOTHING)


# Subjects that keep their rows


def _read_former(client: Client, database: str) -> Former:
    """The subjects that keep rows of former rules, and all customers that these rows name."""
    kept = _kept(database)
    names = frozenset(name for (name,) in client.query(f"SELECT * FROM {kept}").result_rows)
    if not names:
        return NOTHING
    named = [
        f"SELECT customer_id FROM `{database}`.{table} FINAL WHERE customer_id != '' AND {_NAMES[table]} IN {kept}"
        for table in ("ticket_rows", "call_rows", "survey_rows")
    ]
    named.append(
        f"SELECT cause_id FROM `{database}`.fact_rows FINAL WHERE {_OF_STAGE} AND concat('t', subject) IN {kept}"
    )
    customers = {row[0] for row in client.query(" UNION DISTINCT ".join(named)).result_rows}
    linked = client.query(f"SELECT ids FROM `{database}`.customer_rows FINAL WHERE length(ids) > 1").result_rows
    for (ids,) in linked:
        if not customers.isdisjoint(ids):
            customers.update(ids)
    return Former(names, frozenset(customers))


def with_facts(client: Client, database: str, beside: str, former: Former) -> Former:
    """`former` with its facts; names its customers in the database `beside`, for :func:`take_over` too."""
    if not former.names:
        return former
    customers = _put_ids(client, beside, CUSTOMERS_TABLE, former.customers)

    def facts() -> Iterator[FactRow]:
        columns = ", ".join(FactRow.__struct_fields__)
        where = _facts_of(database, customers)
        with client.query_row_block_stream(
            f"SELECT {columns} FROM `{database}`.fact_rows FINAL WHERE {where}"
        ) as blocks:
            for block in blocks:
                yield from (FactRow(*row) for row in block)

    return former._replace(facts=facts)


def take_over(client: Client, database: str, beside: str, former: Former) -> None:
    """Copy the rows of former rules to the database `beside`, which was recomputed without their subjects."""
    if not former.names:
        return
    kept, customers = _kept(database), _ids(beside, CUSTOMERS_TABLE)
    conditions = {table: f"{name} IN {kept}" for table, name in _NAMES.items()}
    conditions["warning_rows"] += f" OR (dimension = 'customer' AND value IN {customers})"
    conditions["customer_rows"] = f"customer_id IN {customers}"
    conditions["fact_rows"] = _facts_of(database, customers)
    for table, condition in conditions.items():
        client.command(f"INSERT INTO `{beside}`.{table} SELECT * FROM `{database}`.{table} FINAL WHERE {condition}")


def _kept(database: str) -> str:
    return f"(SELECT name FROM `{database}`.former_subject_rows FINAL)"


def _facts_of(database: str, customers: str) -> str:
    kept = _kept(database)
    return (
        f"if({_OF_STAGE}, cause_id IN {customers}, if(family IN ('ticket', 'call'), "
        f"concat(substring(family, 1, 1), subject) IN {kept}, {_OF_SURVEY_FACT} IN {kept} OR "  # of the rules 1:
        f"concat('t', subject) IN {kept} OR concat('c', subject) IN {kept} OR concat('ss', subject) IN {kept}))"
    )


def _put_ids(client: Client, beside: str, table: str, ids: Collection[str]) -> str:
    """Write ids into a table of their own, since a statement may not be long enough to name them; selects them."""
    client.command(f"CREATE TABLE `{beside}`.{table} (id String) ENGINE = Memory")
    client.insert(table, [[each] for each in ids], ["id"], database=beside)
    return _ids(beside, table)


def _ids(beside: str, table: str) -> str:
    return f"(SELECT id FROM `{beside}`.{table})"


# What is not compared


def conditions(
    client: Client, database: str, beside: str, policies: Policies, rows: Sequence[RestatementRow]
) -> dict[str, str]:
    """By view, the condition that a row has to meet to be compared. `rows`: what releases changed."""
    found = {"events": "NOT released"}  # of what came after the release of its subject, nothing was folded
    if any(row.refused for row in rows):  # stored when they were events
        found["events"] += f" AND base64Encode(body) NOT IN (SELECT value_base64 FROM `{beside}`.dead_letter_rows)"
    restated_at = max((row.as_of for row in rows if row.stage == "track"), default=-1)
    if restated_at >= 0:
        query = " UNION ALL ".join(
            f"SELECT rule, dimension, subject, warning_id, raised_at, cleared_at FROM `{each}`.warning_rows FINAL "
            f"WHERE rule IN {JUDGED}"
            for each in (database, beside)
        )
        left_out = of_former_counts(client.query(query).result_rows, restated_at, Rules(policies))
        if left_out:
            found["risk_warnings"] = f"warning_id NOT IN {_put_ids(client, beside, WARNINGS_TABLE, left_out)}"
    return found


def of_former_counts(warnings: Iterable[tuple[Any, ...]], restated_at: int, rules: Rules) -> set[str]:
    """The ids of warnings that counts by former rules may have decided: tallies are not restated.

    `warnings`: (rule, dimension, subject, id, raised_at, cleared_at), by both rules.

        former counts  ═════════| restated          a window begins before it: left out
        warning        |=====|    |=====|  |====|   still open then, or within its cool-down after: left out as well
    """
    found = set()
    for (rule, dimension, _), group in groupby(
        sorted(warnings, key=lambda row: (row[:3], row[4])), lambda row: row[:3]
    ):
        until = restated_at + MAX_WINDOW + (BASELINE_KEPT if rule == SURGE else 0)
        for *_, warning_id, raised_at, cleared_at in group:
            if raised_at <= until:
                found.add(warning_id)
                over_at = NEVER if cleared_at is None else cleared_at + rules.cooldown((rule, dimension))
                until = max(until, over_at)
    return found
