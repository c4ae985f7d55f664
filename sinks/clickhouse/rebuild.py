"""Rebuilds a database beside itself, and swaps the tables: whoever queries it sees the old figures, then the new ones.

    deskwatch           old tables ────────────────────────┐ EXCHANGE TABLES      new tables
    deskwatch_rebuilt             new tables, being filled ┘                      old tables, dropped

Killed while it is filled: the next rebuild drops it. Killed while tables are exchanged: `resume` exchanges the others.
What people did, what was sent to them, and the dead letters are no figures: a rebuild cannot make them again, and takes
them over.
"""

from sinks.clickhouse import migrate as migrations
from sinks.clickhouse.client import Client
from sinks.clickhouse.events import DeadLetterRow, ReplayedRow
from sinks.clickhouse.rows import COLUMNS
from streams.models.escalations import EscalationRow, WarningStepRow

SUFFIX = "_rebuilt"

_PLAN = "swap_plan"
"""The tables to exchange, each with the UUID it has while it stands beside: then a second run knows what is done."""

_ESCALATIONS = ", ".join(f"`{column}`" for column in COLUMNS[EscalationRow.table] if column != "seq")


def begin(client: Client, database: str) -> str:
    """Create an empty database beside `database`, instead of what an interrupted rebuild left; returns its name."""
    beside = database + SUFFIX
    client.command(f"DROP DATABASE IF EXISTS `{beside}` SYNC")
    migrations.migrate(client, beside)
    return beside


def finish(client: Client, database: str) -> None:
    """Take over what is no figure into the database beside, put it in the place of `database`, and drop the old one."""
    beside = database + SUFFIX
    _take_over_actions(client, database, beside)
    _take_over_dead_letters(client, database, beside)
    client.command(f"CREATE TABLE `{beside}`.{_PLAN} (name String, uuid UUID) ENGINE = MergeTree ORDER BY name")
    client.command(
        f"INSERT INTO `{beside}`.{_PLAN} SELECT name, uuid FROM system.tables WHERE database = '{beside}' "
        f"AND engine LIKE '%MergeTree' AND name NOT IN ('{_PLAN}', 'schema_migrations')"
    )
    _exchange(client, database, beside)


def resume(client: Client, database: str) -> None:
    """Finish a swap that was interrupted, if there is one."""
    beside = database + SUFFIX
    if client.query(f"SELECT 1 FROM system.tables WHERE database = '{beside}' AND name = '{_PLAN}'").result_rows:
        _exchange(client, database, beside)


def _exchange(client: Client, database: str, beside: str) -> None:
    to_do = client.query(
        f"SELECT name FROM `{beside}`.{_PLAN} WHERE uuid NOT IN (SELECT uuid FROM system.tables "
        f"WHERE database = '{database}')"
    ).result_rows
    if to_do:
        pairs = ", ".join(f"`{database}`.`{name}` AND `{beside}`.`{name}`" for (name,) in to_do)
        client.command(f"EXCHANGE TABLES {pairs}")
    client.command(f"DROP DATABASE `{beside}` SYNC")


def _take_over_actions(client: Client, database: str, beside: str) -> None:
    """What people did; and of each chain what happened, then what the rebuild adds after that.

    before     scheduled 10:00 ─ sent 10:00 ─ acknowledged 10:05
    rebuilt    scheduled 10:00 ─ skipped 10:00 ─ acknowledged 10:05 ─ skipped 11:00
    together   scheduled 10:00 ─ sent 10:00 ─ acknowledged 10:05 ─ skipped 11:00
    """
    steps, chains = WarningStepRow.table, EscalationRow.table
    client.command(f"INSERT INTO `{beside}`.{steps} SELECT * FROM `{database}`.{steps}")
    client.command(f"CREATE TABLE `{beside}`.together AS `{database}`.{chains}")
    client.command(f"INSERT INTO `{beside}`.together SELECT * FROM `{database}`.{chains} FINAL")
    client.command(
        f"INSERT INTO `{beside}`.together (seq, {_ESCALATIONS}) "
        f"SELECT last_seq + row_number() OVER (PARTITION BY warning_id ORDER BY rebuilt.seq), {_ESCALATIONS} "
        f"FROM (SELECT * FROM `{beside}`.{chains} FINAL) AS rebuilt LEFT JOIN ("
        f"SELECT warning_id, max(seq) AS last_seq, max(at) AS last_at FROM `{database}`.{chains} GROUP BY warning_id"
        ") AS before USING (warning_id) WHERE rebuilt.at > last_at SETTINGS join_use_nulls = 0"
    )
    client.command(f"EXCHANGE TABLES `{beside}`.together AND `{beside}`.{chains}")
    client.command(f"DROP TABLE `{beside}`.together SYNC")


def _take_over_dead_letters(client: Client, database: str, beside: str) -> None:
    """All but open ones that the rebuild met again.

    Their offsets become negative: in the new topics, those are other messages.
    """
    letters, replays, origin = DeadLetterRow.table, ReplayedRow.table, "(topic, partition, offset)"
    found = client.query(f"SELECT max(offset) + 1 FROM `{database}`.{letters}").result_rows[0][0]
    again = (
        f"(topic, value_base64) IN (SELECT topic, value_base64 FROM `{beside}`.{letters}) "
        f"AND {origin} NOT IN (SELECT {origin} FROM `{database}`.{replays})"
    )
    for table, where in ((letters, f"NOT ({again})"), (replays, "1")):
        columns = ", ".join(f"`{column}`" for column in COLUMNS[table])
        shifted = columns.replace("`offset`", f"{table}.offset - {max(0, found)} AS new_offset")
        client.command(
            f"INSERT INTO `{beside}`.{table} ({columns}) SELECT {shifted} FROM `{database}`.{table} FINAL WHERE {where}"
        )
