"""`replay --append` empties every table that is derived from events, and no other."""

import re

from sinks.clickhouse.migrate import FOLDER, read
from sinks.clickhouse.rows import DERIVED

TOLD = {"event_rows", "dead_letter_rows", "dead_letter_replay_rows", "calendar_rows"}
"""Tables of what came in, and of the policy's calendars: no replay writes them again."""


def test_every_other_table_is_derived() -> None:
    statements = [statement for migration in read(FOLDER) for statement in migration.statements]
    tables = {name for text in statements for name in re.findall(r"^CREATE TABLE IF NOT EXISTS (\w+)", text)}
    assert set(DERIVED) == tables - TOLD
