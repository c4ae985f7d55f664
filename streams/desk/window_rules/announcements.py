"""Announced policy changes: warnings about short notice, and the attribution of surges to a change.

announced          effective
   |---- < 72 h -------|                policy.short_notice: raised when announced, cleared when it takes effect
   |------------- 7 days in force --|   a surge in this time names the change (if a tag of it is the category)
"""

from collections.abc import Iterable

import msgspec

from streams.desk.output.change_set import ChangeSet, apply_warning_diff
from streams.desk.output.warnings import raised_by_window_rule
from streams.desk.saved import Entry, PendingEntries
from streams.desk.window_rules.measures import SHORT_NOTICE, Rules
from streams.models.instants import DAY, HOUR
from streams.models.rows import WarningRow, WarningState
from streams.models.tallies import AnnouncementRow

ANNOUNCEMENT = b"a"  # first byte of a changelog key
MIN_NOTICE = 72 * HOUR  # if the policy sets none
ATTRIBUTED_FOR = 7 * DAY  # after a change took effect, surges are attributed to it
KEPT = 60 * DAY  # after it took effect

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AnnouncementRow).decode


class Announcements:
    """All announcements, by change; the latest in business time counts. A saved part.

    `short_notice_warnings`: by change; another part saves them.
    """

    prefix = ANNOUNCEMENT

    def __init__(self) -> None:
        self.short_notice_warnings: dict[str, list[WarningRow]] = {}
        self.pending = PendingEntries()
        self._changes: dict[str, dict[tuple[str, str], AnnouncementRow]] = {}  # by change, and identity of the event
        self._to_judge: set[str] = set()  # changes still to be judged
        self._loaded: dict[bytes, bytes] = {}

    def add(self, row: AnnouncementRow) -> bool:
        """Add an announcement; False if known. Of two with one identity, the earlier counts."""
        if not self._add(row):
            return False
        self.pending.put(_key(row), _encode(row))
        return True

    def _add(self, row: AnnouncementRow) -> bool:
        known = self._changes.setdefault(row.change_id, {})
        before = known.get((row.source, row.id))
        if before is not None and _order(before) <= _order(row):
            return False
        known[row.source, row.id] = row
        self._to_judge.add(row.change_id)
        return True

    def attributed_change(self, category: str, at: int) -> str:
        """The last change in force at `at` that was known then and concerns the category; "" for none."""
        found: AnnouncementRow | None = None
        for known in self._changes.values():
            row = max((row for row in known.values() if row.at <= at), key=_order, default=None)
            if row is None or not row.effective_at <= at < row.effective_at + ATTRIBUTED_FOR:
                continue
            if not _concerns(row, category):
                continue
            if found is None or (row.effective_at, row.change_id) > (found.effective_at, found.change_id):
                found = row
        if found is None:
            return ""
        return f"{found.change_id}: {found.title}" if found.title else found.change_id

    def judge(self, rules: Rules, now: int, change_set: ChangeSet) -> None:
        """Judge the new changes, and those with an open warning, as of `now`; write the differences."""
        for change_id in sorted(self._to_judge | self._with_open_warning()):
            before = self.short_notice_warnings.get(change_id, ())
            self.short_notice_warnings[change_id] = self.warnings(change_id, rules, now)
            apply_warning_diff(change_set, before, self.short_notice_warnings[change_id])
        self._to_judge = {change_id for change_id in self._to_judge if self._is_ahead(change_id, now)}

    def _with_open_warning(self) -> set[str]:
        return {name for name, rows in self.short_notice_warnings.items() if rows and rows[-1].cleared_at is None}

    def _is_ahead(self, change_id: str, now: int) -> bool:
        """Whether an announcement is later than `now`: its partition is ahead of the others."""
        return any(row.at > now for row in self._changes.get(change_id, {}).values())

    def forget(self, now: int) -> list[WarningRow]:
        """Forget the changes that took effect long ago; returns the warnings about them."""
        old = [
            name
            for name, known in self._changes.items()
            if all(row.effective_at + KEPT < now for row in known.values())
        ]
        for name in old:
            for row in self._changes.pop(name).values():
                self.pending.put(_key(row), None)
        return [row for name in old for row in self.short_notice_warnings.pop(name, ())]

    def warnings(self, change_id: str, rules: Rules, now: int) -> list[WarningRow]:
        """The warnings of short notice about one change, as of `now`."""
        made: list[WarningRow] = []
        for row in sorted(self._changes.get(change_id, {}).values(), key=_order):
            if row.at > now:
                break
            in_force = rules.at((SHORT_NOTICE, "all"), row.at)
            notice, least = row.effective_at - row.announced_at, MIN_NOTICE
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

    # Checkpoints

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`."""
        if value is None:
            self._loaded.pop(key, None)
        else:
            self._loaded[key] = value

    def restored(self, warnings: Iterable[WarningRow]) -> None:
        """All entries are loaded. `warnings`: those about short notice."""
        for value in self._loaded.values():
            self._add(_decode(value))
        self._loaded = {}
        for row in warnings:
            self.short_notice_warnings.setdefault(row.value, []).append(row)

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        rows = (row for known in self._changes.values() for row in known.values())
        return next((_encode(row) for row in rows if _key(row) == key), None)

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`."""
        return self.pending.take()


def _warning(row: AnnouncementRow, severity: str, version: str, notice: int, least: int) -> WarningRow:
    measures = {"value": notice // 1000, "raise_at": least // 1000}
    known = {"due_at": row.effective_at, "measures": measures, "cause": row.title}
    return raised_by_window_rule(SHORT_NOTICE, "policy", row.change_id, row.at, severity, version, **known)


def _clear(warning: WarningRow, at: int, by: str) -> None:
    warning.state, warning.cleared_at, warning.cleared_by = WarningState.CLEARED, at, by


def _concerns(row: AnnouncementRow, category: str) -> bool:
    return not row.tags or category.casefold() in {tag.casefold() for tag in row.tags}


def _order(row: AnnouncementRow) -> tuple[int, str, str, str, int]:
    return row.at, row.source, row.id, row.title, row.effective_at


def _key(row: AnnouncementRow) -> bytes:
    return ANNOUNCEMENT + f"{row.source}\0{row.id}".encode()
