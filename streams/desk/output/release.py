"""A release with other rules takes a partition over: it restates the rows of the subjects that are held.

    checkpoint    rules 1                                 rules 2: the subjects up to t4 are restated
    said          rows of t1 t4 t7, read back      ──>    ...
    folded        t1 t4 t7 by rules 2                     the differences are written
    subjects      t1   t4 │ checkpoint │ t7
                       ^ done

The former rules are not known any more, so what they made is read back (`streams.desk.output.said_rows`). Until all
subjects are restated, no event is folded and no time passes. A crash in between reads back again, and goes on.
"""

from collections.abc import Callable, Iterable

import msgspec
from msgspec.structs import astuple

from streams.desk.output.change_set import ChangeSet, apply_diff
from streams.desk.output.said_rows import SaidRows
from streams.desk.policy.restatement import Restatement
from streams.models.instants import format_instant
from streams.models.restatements import RULES, FormerSubjectRow, RestatementRow
from streams.models.rows import Identity, Row

MAX_AT_ONCE = 2000
"""Subjects restated before others get their turn (half a second): most write nothing, so no checkpoint is full."""

Say = Callable[[str], None]


def silently(_sentence: str) -> None:
    """Say nothing."""


class Progress(msgspec.Struct, array_like=True):
    """The progress of a restatement, kept in checkpoints: the `former` rules, the last name `done`, and the sums."""

    former: int
    done: str = ""
    subjects: int = 0
    corrected: int = 0
    withdrawn: int = 0
    added: int = 0
    kept: int = 0
    refused: int = 0


class ReleaseRestatement:
    """The restatement of a partition, if its checkpoint names other rules.

    Arguments:
        stage, partition: whose rows they are.
        said: the rows written so far.
        change_set: receives the differences.
        say: called with a sentence when it is done.
    """

    def __init__(self, stage: str, partition: int, said: SaidRows, change_set: ChangeSet, say: Say) -> None:
        self.said = said
        self.progress: Progress | None = None
        self._stage, self._partition, self._change_set, self._say = stage, partition, change_set, say
        self._walk = Restatement()
        self._names: set[str] = set()  # to be walked, those done too

    @property
    def rules(self) -> int:
        """The rules that all rows are of: the former ones, as long as a restatement is under way."""
        return RULES if self.progress is None else self.progress.former

    def restore(self, rules: int, progress: Progress | None) -> None:
        """Take up a checkpoint: the rules of its release, and how far a restatement by them came, if not to its end."""
        if rules == RULES:
            self.progress = progress
        else:  # also if its restatement was not done: what was said is read back
            self.progress = Progress(rules if progress is None else progress.former)

    def to_read(self) -> SaidRows | None:
        """The rows to be read back, if it is under way."""
        return None if self.progress is None else self.said

    def begin(self, names: Iterable[str]) -> None:
        """Everything is restored: walk through these names, except those done."""
        if self.progress is not None:
            self._names = set(names)
            self._walk.begin(self._names, self.progress.done)

    def is_pending(self, name: str) -> bool:
        """Whether the rows of a name are still to be restated."""
        return self.progress is not None and name > self.progress.done and name in self._names

    def go_on(self, restate: Callable[[str], None], full: Callable[[], bool], as_of: int) -> bool:
        """Call `restate` for the remaining names; False: it is to be called again, perhaps after a checkpoint.

        Also False as long as the rows are not read.
        """
        progress = self.progress
        if progress is None:
            return True
        if not self.said.read:
            return False

        def restate_next(names: list[str]) -> None:
            progress.done = names[-1]
            restate(names[-1])

        enough = progress.subjects + MAX_AT_ONCE
        if not self._walk.go_on(restate_next, lambda: progress.subjects >= enough or full()):
            return False
        row = RestatementRow(
            self._stage,
            self._partition,
            progress.former,
            RULES,
            as_of,
            *astuple(progress)[2:],  # the sums
        )
        self._change_set.put(row)
        self._say(sentence(row))
        self.progress = None
        self._names.clear()
        self.said.clear()
        return True

    def write(self, before: dict[Identity, Row], after: dict[Identity, Row]) -> None:
        """Write the difference between the rows that a subject had and those that it has now."""
        progress = self.progress
        assert progress is not None
        progress.subjects += 1
        progress.corrected += sum(after.get(identity, row) != row for identity, row in before.items())
        progress.withdrawn += len(before.keys() - after.keys())
        progress.added += len(after.keys() - before.keys())
        apply_diff(self._change_set, before, after)

    def keep(self, name: str) -> None:
        """A subject keeps the rows that it has."""
        assert self.progress is not None
        self.progress.kept += 1
        self._change_set.put(FormerSubjectRow(name))


def sentence(row: RestatementRow) -> str:
    """What a restatement changed, for the log."""
    until = "" if row.as_of < 0 else f" as of {format_instant(row.as_of)}"
    said = (
        f"Restated {row.stage} {row.partition} by this release's rules ({row.rules_from} -> {row.rules_to}){until}: "
        f"of {row.subjects:,} subjects {row.corrected:,} rows corrected, {row.withdrawn:,} withdrawn, {row.added:,} new"
    )
    if row.kept:
        said += f"; {row.kept:,} released subjects keep their rows"
    if row.refused:
        said += f"; {row.refused:,} stored events are none any more and were dropped"
    return said
