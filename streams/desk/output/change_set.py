"""The change set that receives the rows of a fold, and the difference of two change sets.

Folding a subject's events writes rows. In order, each event adds to the partition's change set. Out of order, the
subject is folded twice, without and with the new event, each time into a separate change set. `apply_diff` then writes
the difference: new rows, corrected rows, withdrawn rows.
"""

from collections.abc import Iterable

from streams.desk.output.panes import Panes
from streams.desk.output.tally import Tally
from streams.models.rows import FactRow, Identity, Row, WarningRow


class ChangeSet:
    """The rows written since the last checkpoint, the last one of each identity.

    `panes` follow the facts; `tally` counts events for the window rules.
    """

    def __init__(self, panes: Panes | None = None) -> None:
        self.rows: dict[Identity, Row] = {}
        self.panes, self.tally = panes, Tally()
        self.urgent = False  # whether a warning waits to be sent
        self.parents: dict[Identity, set[str]] = {}  # of the warnings written: the tickets that these are or were under

    def clear(self) -> None:
        """Forget everything: it is in a checkpoint."""
        self.rows, self.urgent, self.parents = {}, False, {}
        self.tally = Tally()

    def put(self, row: Row) -> None:
        """Write a row; it replaces an earlier one of the same identity."""
        self.rows[row.identity()] = row

    def put_warning(self, row: WarningRow) -> None:
        """Write a warning; the homes of its parents are told."""
        self.put(row)
        self.tell_parents(row)

    def tell_parents(self, row: WarningRow) -> None:
        """Send what becomes of a warning to the homes of the parents that this row of it names."""
        named = {row.parent_id, *(parent_id for _, parent_id in row.parents)} - {""}
        if named:
            self.parents.setdefault(row.identity(), set()).update(named)

    def withdraw(self, row: Row) -> None:
        """Withdraw a row written since the last checkpoint, or earlier."""
        row.is_deleted = 1  # type: ignore[attr-defined]
        self.rows[row.identity()] = row

    def count(self, fact: FactRow, known_at: int | None = None) -> None:
        """Write a fact, add it to its panes, and count it in the tally (`known_at`: the first instant it was known)."""
        self.tally.count(fact, fact.at if known_at is None else known_at)
        self.add(fact)

    def add(self, fact: FactRow) -> None:
        """Write a fact that corrects an earlier one, and add it to its panes; the tally is not corrected."""
        self.rows[fact.identity()] = fact
        if self.panes is not None:
            self.panes.add(fact, 1)

    def uncount(self, fact: FactRow) -> None:
        """Withdraw a fact, and subtract it from its panes."""
        if self.panes is not None:
            self.panes.add(fact, -1)
        self.withdraw(fact)

    def replace_fact(self, known: FactRow | None, fact: FactRow | None, known_at: int | None = None) -> None:
        """Count a fact instead of the known one; None: there is none. The tally counts only what was not known."""
        if known is None:
            if fact is not None:
                self.count(fact, known_at)
            return
        known.version = 0  # set by a checkpoint: no difference
        if known == fact:
            return
        self.uncount(known)
        if fact is not None:
            self.add(fact)

    def live_rows(self) -> dict[Identity, Row]:
        """All rows except withdrawn ones."""
        return {identity: row for identity, row in self.rows.items() if not row.is_deleted}  # type: ignore[attr-defined]


def apply_diff(change_set: ChangeSet, before: dict[Identity, Row], after: dict[Identity, Row]) -> bool:
    """Write to `change_set` the changes from the rows `before` to the rows `after`; True if they differ."""
    changed = False
    for identity, row in before.items():
        if after.get(identity) == row:
            continue
        changed = True
        if isinstance(row, WarningRow):
            change_set.tell_parents(row)
        if isinstance(row, FactRow):
            change_set.uncount(row)
        elif identity not in after:
            change_set.withdraw(row)
            change_set.urgent |= isinstance(row, WarningRow)
    for identity, row in after.items():
        if before.get(identity) == row:
            continue
        changed = True
        if isinstance(row, FactRow):
            change_set.add(row)
        elif isinstance(row, WarningRow):
            change_set.put_warning(row)
            change_set.urgent = True
        else:
            change_set.put(row)
    return changed


def apply_warning_diff(change_set: ChangeSet, before: Iterable[WarningRow], after: Iterable[WarningRow]) -> None:
    """Write to `change_set` the changes from the warnings `before` to the warnings `after`."""
    apply_diff(change_set, _by_identity(before), _by_identity(after))


def _by_identity(rows: Iterable[WarningRow]) -> dict[Identity, Row]:
    found: dict[Identity, Row] = {}
    for row in rows:
        row.version = 0  # set by a checkpoint: not a difference
        found[row.identity()] = row
    return found
