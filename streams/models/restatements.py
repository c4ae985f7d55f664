"""The version of the rules of the fold, and what a release with other rules did to the rows of the one before it.

release 1   rules 1 ── rows ── rows ──┐ checkpoint: rules 1
release 2   rules 2                   └── restatement: the rows of held subjects ── rows ──>
"""

from typing import ClassVar

from streams.models.rows import Identity, Row

RULES = 2
"""The rules of this release. It rises whenever the same events would make other rows than before, so that a release
restates what it takes over (`streams.desk.output.release`).

    1   0.1.0
    2   legs of calls, credit to the agent that an event names, first-contact resolution, desk's own vocabularies
"""

SENDERS = ("sla-ledger", "facts/customers")
"""The names of the progress rows that say by which rules a partition's rows are."""


class RestatementRow(Row):
    """A partition of track, or of the stage customers, was restated by the rules of another release.

    `corrected`, `withdrawn`, `added`: numbers of rows. `kept`: subjects that keep the rows of former rules, since they
    were released before. `refused`: stored events that are none by the new rules.
    """

    table: ClassVar[str] = "restatement_rows"
    topic: ClassVar[str] = "facts"

    stage: str
    partition: int
    rules_from: int
    rules_to: int
    as_of: int
    subjects: int
    corrected: int
    withdrawn: int
    added: int
    kept: int
    refused: int
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The partition, and the rules it has now."""
        return ("restatement", self.stage, self.partition, self.rules_to)


class FormerSubjectRow(Row):
    """A subject that keeps the rows of former rules: its kind's letter and its id (`t17`)."""

    table: ClassVar[str] = "former_subject_rows"
    topic: ClassVar[str] = "facts"

    name: str
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The subject."""
        return ("former subject", self.name)
