"""The rows that leave the core: what the output topics carry and what the base tables hold.

Each row has an identity and a version. A row with the same identity and a higher version replaces it; one that is
withdrawn comes again with `is_deleted`. On the wire a row is an array in the order of its fields, which is also the
order of the table's columns. Instants are ms since the epoch, durations ms; the views turn them into times and seconds.

Messages are kept for a year, so rows of earlier releases are read by this one, and rows of this one by later ones. The
rule: a field never moves, goes or changes its type; a new one comes last, has a default, and so has its column.
tests/releases/ holds the fields of every release, and messages of it.
"""

from enum import StrEnum
from typing import ClassVar

import msgspec

from streams.models.dimensions import Dimensions

Identity = tuple[object, ...]
Cause = tuple[str, str]
"""Source and id of an event."""

TIMER: Cause = ("", "")
"""The cause of what the passing of time does."""


class Row(msgspec.Struct, array_like=True, gc=False, kw_only=False):
    """Base of all rows. `table` is the ClickHouse table, `topic` the Kafka topic."""

    table: ClassVar[str]
    topic: ClassVar[str]

    def identity(self) -> Identity:
        """What makes this the same row as another one."""
        raise NotImplementedError


class LedgerRow(Row):
    """One transition of an SLA clock (SPEC section 3)."""

    table: ClassVar[str] = "ledger_rows"
    topic: ClassVar[str] = "sla-ledger"

    ticket_id: str
    metric: str
    cycle: int
    seq: int
    transition: str
    at: int
    started_at: int
    elapsed_ms: int
    target_ms: int
    due_at: int | None
    policy: str
    policy_version: str
    calendar: str
    team: str
    channel: str
    priority: str
    kind: str
    segment: str
    category: str
    product: str
    agent_id: str
    cause_source: str
    cause_id: str
    version: int = 0
    is_deleted: int = 0
    by_agent: str = ""  # whom the event names, whoever is assigned

    def identity(self) -> Identity:
        """The clock and the place in its life."""
        return ("ledger", self.ticket_id, self.metric, self.cycle, self.seq)


def ledger_row(
    ticket_id: str,
    metric: str,
    cycle: int,
    seq: int,
    transition: str,
    at: int,
    started_at: int,
    elapsed_ms: int,
    target_ms: int,
    due_at: int | None,
    policy: str,
    policy_version: str,
    calendar: str,
    dims: Dimensions,
    agent_id: str,
    cause: Cause,
    by_agent: str,
) -> LedgerRow:
    """A transition with these dimensions."""
    return LedgerRow(
        ticket_id, metric, cycle, seq, transition, at, started_at, elapsed_ms, target_ms, due_at, policy,
        policy_version, calendar, *dims, agent_id, cause[0], cause[1], by_agent=by_agent,
    )  # fmt: skip


class FactRow(Row):
    """What one cause counted at one instant (SPEC section 4): `counts` has `counter` and what goes with it.

    `subject`: an id; of surveys and reviews what they are about: `ticket/t1`, `call/c1`, `survey/s1` (by the rules 1
    the id alone).
    """

    table: ClassVar[str] = "fact_rows"
    topic: ClassVar[str] = "facts"

    family: str  # ticket, call, survey or review
    subject: str
    cause_source: str
    cause_id: str
    counter: str
    cycle: int
    at: int
    team: str
    channel: str
    priority: str
    kind: str
    segment: str
    category: str
    product: str
    agent_id: str
    queue: str
    metric: str
    counts: dict[str, int]
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """Subject, cause, counter, cycle; and the instant, by which the table is sorted."""
        return (self.family, self.subject, self.cause_source, self.cause_id, self.counter, self.cycle, self.at)


def fact_of(
    family: str,
    subject: str,
    cause: Cause,
    counter: str,
    at: int,
    dims: Dimensions,
    agent_id: str,
    counts: dict[str, int],
    cycle: int = 0,
    queue: str = "",
    metric: str = "",
) -> FactRow:
    """A fact with these dimensions."""
    return FactRow(family, subject, cause[0], cause[1], counter, cycle, at, *dims, agent_id, queue, metric, counts)


class SpanRow(Row):
    """A stretch of time in which a ticket stood in a team's backlog, or a caller waited, without a change."""

    table: ClassVar[str] = "span_rows"
    topic: ClassVar[str] = "facts"

    family: str  # ticket or call
    subject: str
    n: int
    team: str
    opened_at: int
    from_at: int
    to_at: int | None
    at_risk: int
    breached: int
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The subject and the number of the span."""
        return ("span", self.family, self.subject, self.n)


class WarningState(StrEnum):
    """Where a warning is in its life. Escalation and people's answers are rows of their own."""

    RAISED = "raised"
    """Its condition holds."""

    CHANGED = "changed"
    """It is raised, and says something else than before."""

    CLEARED = "cleared"
    """Its condition holds no longer."""


class WarningRow(Row, kw_only=True):
    """A risk warning as it stands (SPEC section 5): one shape for all rules; what a rule has no use for is empty.

    `subject`: `t1/resolution/1` (a clock), `ticket/t1`, `team/after-sales`, `all`, `customer/c9`, `callback/b3`;
    `dimension` and `value` say the same in two parts. `measures` are named numbers (value, raise_at, n ...), `reasons`
    (signal, points, what would lower them), `cause` what lies behind it (a policy change in force, say). `parent_id`
    names the ticket whose warnings a ticket's are folded into; `parents` has all of them in turn, each with the instant
    since when, if it changed while the warning stood ("": none).
    """

    table: ClassVar[str] = "warning_rows"
    topic: ClassVar[str] = "risk-warnings"

    warning_id: str
    rule: str
    subject: str
    state: str  # a WarningState
    severity: str
    raised_at: int
    cleared_at: int | None = None
    cleared_by: str = ""
    ticket_id: str = ""
    metric: str = ""
    cycle: int = 0
    elapsed_ms: int = 0
    target_ms: int = 0
    due_at: int | None = None
    policy: str = ""
    policy_version: str = ""
    team: str = ""
    channel: str = ""
    priority: str = ""
    kind: str = ""
    segment: str = ""
    category: str = ""
    product: str = ""
    agent_id: str = ""
    url: str = ""
    customer_id: str = ""
    dimension: str = ""
    value: str = ""
    measures: dict[str, float] = {}
    reasons: list[tuple[str, float, str]] = []
    cause: str = ""
    parent_id: str = ""
    version: int = 0
    is_deleted: int = 0
    parents: tuple[tuple[int, str], ...] = ()  # a list would be one more object for each warning

    def identity(self) -> Identity:
        """The id, derived from rule, subject and the instant of raising."""
        return ("warning", self.warning_id)


class PaneRow(Row):
    """All of one business minute's counts in one partition, per single dimension: a full snapshot.

    Counts that several keys share stand once, with all these keys.

    `opened` tells apart the panes of a minute that was put away and, late, opened again: their sums add up.
    The dimension `agent` has the day's first minute; `topic` counts what arrived (data quality) by quarters of an hour.
    """

    table: ClassVar[str] = "pane_rows"
    topic: ClassVar[str] = "rollups"

    partition: int
    minute: int
    opened: int
    counts: list[tuple[tuple[tuple[str, str], ...], dict[str, int]]]  # under each (dimension, value): counter -> sum
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The partition's minute, and which opening of it."""
        return ("pane", self.partition, self.minute, self.opened)


class ReleasedRow(Row):
    """A record that came after the release of its subject, and changed nothing."""

    table: ClassVar[str] = "released_rows"
    topic: ClassVar[str] = "facts"

    input_topic: str
    partition: int
    offset: int
    version: int = 0
    is_deleted: int = 0

    def identity(self) -> Identity:
        """The record."""
        return ("released", self.input_topic, self.partition, self.offset)


class ProgressRow(Row):
    """How far a partition's outputs go on one topic: all that comes of the inputs before `offsets`, as of `as_of`.

    Those of a later stage are named `facts/customers`; their `offsets` are by partition of the desk, the version of
    its last checkpoint that went in. `rules`: of the fold that made the rows (`streams.models.restatements`).
    """

    table: ClassVar[str] = "progress_rows"
    topic: ClassVar[str] = ""  # each

    topic_name: str
    partition: int
    as_of: int
    offsets: dict[str, int]
    version: int = 0
    rules: int = 1

    def identity(self) -> Identity:
        """The topic's partition."""
        return ("progress", self.topic_name, self.partition)
