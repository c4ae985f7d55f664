"""What the business announced: changes of its own rules, with too short a notice or in force while contacts surge.

announced          effective
   |---- < 72 h -------|                policy.short_notice: raised when announced, cleared when it takes effect
   |------------- 7 days in force --|   a surge in this time names it (if its tags, or one of them, name the reason)
"""

from collections.abc import Iterable

from streams.desk.output.change_set import ChangeSet, apply_warning_diff
from streams.desk.output.warnings import raised_by_window_rule
from streams.desk.window_rules.measures import SHORT_NOTICE, Rules
from streams.models.instants import DAY, HOUR
from streams.models.rows import WarningRow
from streams.models.tallies import AnnouncementRow

NOTICE = 72 * HOUR  # the shortest, where the policy does not say
BLAMED = 7 * DAY  # how long after it took effect a change is what a surge comes from
KEPT = 60 * DAY  # after it took effect


class Announcements:
    """All announcements, by change; of one change the latest in business time stands.

    `notices`: the warnings of short notice, by change.
    """

    def __init__(self) -> None:
        self.changes: dict[str, dict[tuple[str, str], AnnouncementRow]] = {}
        self.notices: dict[str, list[WarningRow]] = {}
        self._new: set[str] = set()  # changes of which something is still to be judged

    def take(self, row: AnnouncementRow) -> bool:
        """Take an announcement; False if it is known. Of one identity the earlier stands."""
        known = self.changes.setdefault(row.change_id, {})
        before = known.get((row.source, row.id))
        if before is not None and _order(before) <= _order(row):
            return False
        known[row.source, row.id] = row
        self._new.add(row.change_id)
        return True

    def attributed_change(self, category: str, at: int) -> str:
        """The change that took effect last before `at`, was known then and concerns the category; "" for none."""
        found: AnnouncementRow | None = None
        for known in self.changes.values():
            row = max((row for row in known.values() if row.at <= at), key=_order, default=None)
            if row is None or not row.effective_at <= at < row.effective_at + BLAMED or not _concerns(row, category):
                continue
            if found is None or (row.effective_at, row.change_id) > (found.effective_at, found.change_id):
                found = row
        if found is None:
            return ""
        return f"{found.change_id}: {found.title}" if found.title else found.change_id

    def judge(self, rules: Rules, now: int, change_set: ChangeSet) -> None:
        """Write on `change_set` what the notices come to at `now`, of the changes that are new or warned of."""
        for change_id in sorted(self._new | self._warned_of()):
            before = self.notices.get(change_id, ())
            self.notices[change_id] = self.warnings(change_id, rules, now)
            apply_warning_diff(change_set, before, self.notices[change_id])
        self._new = {change_id for change_id in self._new if self._to_come(change_id, now)}

    def _warned_of(self) -> set[str]:
        return {name for name, rows in self.notices.items() if rows and rows[-1].cleared_at is None}

    def _to_come(self, change_id: str, now: int) -> bool:
        """Whether an announcement is timed after the clock: one desk is ahead of the others."""
        return any(row.at > now for row in self.changes.get(change_id, {}).values())

    def put_away(self, now: int) -> tuple[list[AnnouncementRow], list[WarningRow]]:
        """Forget the changes that took effect long ago; returns their announcements and warnings."""
        old = [
            name for name, known in self.changes.items() if all(row.effective_at + KEPT < now for row in known.values())
        ]
        announced = [row for name in old for row in self.changes.pop(name).values()]
        return announced, [row for name in old for row in self.notices.pop(name, ())]

    def restored(self, notices: list[WarningRow]) -> None:
        """All announcements are in: take the warnings from a checkpoint."""
        for row in notices:
            self.notices.setdefault(row.value, []).append(row)

    def warnings(self, change_id: str, rules: Rules, now: int) -> list[WarningRow]:
        """The warnings of short notice about one change, as they stand at `now`."""
        made: list[WarningRow] = []
        for row in sorted(self.changes.get(change_id, {}).values(), key=_order):
            if row.at > now:
                break
            in_force = rules.at((SHORT_NOTICE, "all"), row.at)
            notice, least = row.effective_at - row.announced_at, NOTICE
            if in_force is not None and in_force.rule.window_ms is not None:
                least = in_force.rule.window_ms
            if made and made[-1].due_at is not None and row.at < made[-1].due_at:
                _clear(made[-1], row.at, "announced anew")
            if in_force is None or notice >= least:
                continue
            made.append(_warning(row, in_force.rule.severity, in_force.policy.version, notice, least))
        for warning in made:
            if warning.cleared_at is None and warning.due_at is not None and warning.due_at <= now:
                _clear(warning, max(warning.due_at, warning.raised_at), "in force")
        return made


def _warning(row: AnnouncementRow, severity: str, version: str, notice: int, least: int) -> WarningRow:
    measures = {"value": notice // 1000, "raise_at": least // 1000}
    known = {"due_at": row.effective_at, "measures": measures, "cause": row.title}
    return raised_by_window_rule(SHORT_NOTICE, "policy", row.change_id, row.at, severity, version, **known)


def _clear(warning: WarningRow, at: int, by: str) -> None:
    warning.state, warning.cleared_at, warning.cleared_by = "cleared", at, by


def _concerns(row: AnnouncementRow, category: str) -> bool:
    return not row.tags or category.casefold() in _folded(row.tags)


def _folded(tags: Iterable[str]) -> set[str]:
    return {tag.casefold() for tag in tags}


def _order(row: AnnouncementRow) -> tuple[int, str, str, str, int]:
    return row.at, row.source, row.id, row.title, row.effective_at
