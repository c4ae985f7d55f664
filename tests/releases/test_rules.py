"""The number of the rules names what the fold does: the rows of a kept log and policy are those recorded for it.

So a change of what the fold writes is noticed, and no installation keeps rows of former rules without a restatement.
"""

import json
import lzma
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sinks.clickhouse.rows import COLUMNS, WIRE_ROWS, Batch
from streams.desk.policy.versions import Policies, parse
from streams.models.restatements import RULES
from streams.replay.recompute import recompute

HERE = Path(__file__).parent
DERIVED = {kind.table for kind in WIRE_ROWS}
RECORDED = HERE / "rules.json"  # a digest of all rows, by the number of the rules


class Rows:
    """Takes the rows of a recomputation."""

    def __init__(self) -> None:
        self.by_table: dict[str, list[list[Any]]] = {}

    def write(self, batch: Batch) -> None:
        for table in batch.tables():
            if table in DERIVED and table not in ("progress_rows", "pane_rows"):  # panes are sums over facts
                rows = map(json.loads, batch.block(table).splitlines())
                self.by_table.setdefault(table, []).extend(rows)

    def write_calendars(self) -> None:
        """The policy makes them."""

    def digest(self) -> str:
        """Of all rows, without the versions, which checkpoints set."""
        found = blake2b(digest_size=16)
        for table, rows in sorted(self.by_table.items()):
            version = COLUMNS[table].index("version")
            for row in rows:
                row[version] = 0
            for line in sorted(json.dumps(row, sort_keys=True) for row in rows):
                found.update(f"{table} {line}\n".encode())
        return found.hexdigest()


def test_the_fold_writes_what_is_recorded_for_its_rules() -> None:
    log = lzma.decompress((HERE / "v0.1.0" / "log.jsonl.xz").read_bytes()).splitlines()
    rows = Rows()
    recompute(log, Policies([parse((HERE / "policy.toml").read_text(), "policy.toml")]), rows)
    recorded = json.loads(RECORDED.read_text())
    assert recorded.get(str(RULES)) == rows.digest(), (
        f"The fold writes other rows than were recorded for the rules {RULES}: if a release has these rules, raise "
        f'RULES in streams/models/restatements.py; then record "{RULES}": "{rows.digest()}" in {RECORDED.name}.'
    )
