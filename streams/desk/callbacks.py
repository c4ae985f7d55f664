"""Commitments with a due time: promised callbacks, and agreed improvement actions.

callback    due ───────── rescheduled ───────── due_at x overdue ════ done: cleared
action      opened ──────────────────────────── due_at x overdue ════ done: cleared

Completion exactly at `due_at` is in time. A callback without a due time is due within the policy's [callbacks] within.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from streams.desk.output.change_set import ChangeSet
from streams.desk.output.warnings import cleared, raised
from streams.desk.policy.rules import RuleName
from streams.desk.policy.versions import Policies
from streams.models import signals as events
from streams.models.entities import ActionRow, CallbackRow, DueStatus
from streams.models.envelope import Event
from streams.models.instants import NEVER, parse_instant
from streams.models.rows import Row, WarningRow


class Commitment(ABC):
    """The state of a commitment after its events so far. A plain fold, like a ticket."""

    __slots__ = (
        "change_set",
        "created_at",
        "done_at",
        "due_at",
        "fired_at",
        "id",
        "next_at",
        "policies",
        "released_at",
        "ticket_id",
        "warning",
    )
    kind: ClassVar[str]
    rule: ClassVar[RuleName]
    done: ClassVar[type[Event]]  # the event that completes it

    def __init__(self, commitment_id: str, policies: Policies, change_set: ChangeSet) -> None:
        self.id, self.policies, self.change_set = commitment_id, policies, change_set
        self.created_at: int | None = None
        self.due_at: int | None = None
        self.done_at: int | None = None
        self.ticket_id = ""
        self.warning: WarningRow | None = None
        self.next_at, self.fired_at, self.released_at = NEVER, -1, NEVER

    @property
    def status(self) -> DueStatus:
        """How it stands."""
        if self.done_at is not None:
            return DueStatus.DONE
        return DueStatus.OPEN if self.warning is None else DueStatus.OVERDUE

    @abstractmethod
    def take(self, data: Any, at: int) -> None:
        """Apply the data of an event."""

    @abstractmethod
    def entity_row(self) -> Row:
        """The current row of the commitment."""

    def apply(self, event: Event, at: int) -> None:
        """Fold in an event at the instant `at`."""
        if at > self.released_at or (not event.rank and self.created_at is not None):
            return
        if self.next_at < at:
            self.pass_time(at)
        data = event.data
        self.ticket_id = data.ticket_id or self.ticket_id
        if not event.rank:
            self.created_at = at
        self.take(data, at)
        if self.done_at is not None:
            return
        if isinstance(event, self.done):
            self.done_at, self.next_at = at, NEVER
            self.released_at = at + self.policies.at(at).hold_ms
            self._clear(at, "done")
        elif data.due_at is not None:
            self._fall_due(parse_instant(data.due_at), at)
        elif not event.rank and self.due_at is None and (within := self.within_ms(at)) is not None:
            self._fall_due(at + within, at)

    def within_ms(self, at: int) -> int | None:
        """The time from creation to the default due time (ms); None: no default."""
        return None

    def pass_time(self, until: int) -> None:
        """Let time pass: the due time may be exceeded."""
        if self.next_at < until:
            at, self.next_at = self.next_at, NEVER
            self.fired_at = at
            self._warn(at)

    def _fall_due(self, due_at: int, at: int) -> None:
        self.due_at, self.next_at = due_at, NEVER
        if self.warning is not None and due_at > at:
            self._clear(at, "rescheduled")
        if self.warning is None:
            if due_at < at:
                self._warn(at)
            else:
                self.next_at = due_at

    def _warn(self, at: int) -> None:
        self.warning = raised(
            self.rule,
            f"{self.kind}/{self.id}",
            at,
            self.policies.at(at),
            dimension=self.kind,
            value=self.id,
            ticket_id=self.ticket_id,
            due_at=self.due_at,
            **self.about(),
        )
        self.change_set.put(self.warning)
        self.change_set.urgent = True

    def about(self) -> dict[str, Any]:
        """Further columns of its warning."""
        return {}

    def _clear(self, at: int, by: str) -> None:
        if self.warning is not None:
            self.change_set.put(cleared(self.warning, at, by))
            self.warning = None


class Callback(Commitment):
    """A callback. Every customer of a member segment (the policy's [callbacks] members) has to be called back."""

    __slots__ = ("customer_id", "member", "reached", "recorded", "reschedulings", "segment")
    kind, rule, done = "callback", "callback.overdue", events.CallbackDone

    def __init__(self, commitment_id: str, policies: Policies, change_set: ChangeSet) -> None:
        super().__init__(commitment_id, policies, change_set)
        self.customer_id = self.segment = ""
        self.member = self.reschedulings = 0
        self.reached: bool | None = None
        self.recorded: bool | None = None

    def take(self, data: events.Callback, at: int) -> None:
        """Set the customer; once done, also whether the customer was reached and the call recorded (one yes counts)."""
        self.customer_id, self.segment = data.customer_id or self.customer_id, data.segment or self.segment
        self.member = int(self.segment in self.policies.at(at).callbacks.members)
        if data.reached is not None:
            self.reached = data.reached or bool(self.reached)
        if data.recorded is not None:
            self.recorded = data.recorded or bool(self.recorded)

    def within_ms(self, at: int) -> int:
        """The policy's limit."""
        return self.policies.at(at).callbacks.within_ms

    def _fall_due(self, due_at: int, at: int) -> None:
        self.reschedulings += self.due_at is not None
        super()._fall_due(due_at, at)

    def about(self) -> dict[str, Any]:
        """The customer."""
        return {"customer_id": self.customer_id, "segment": self.segment}

    def entity_row(self) -> CallbackRow:
        """The current row of the callback."""
        return CallbackRow(
            self.id,
            self.status,
            self.created_at,
            self.due_at,
            self.done_at,
            self.customer_id,
            self.segment,
            self.member,
            self.ticket_id,
            None if self.reached is None else int(self.reached),
            None if self.recorded is None else int(self.recorded),
            self.reschedulings,
        )


class ImprovementAction(Commitment):
    """An entry of the improvement register."""

    __slots__ = ("owner", "title")
    kind, rule, done = "action", "action.overdue", events.ActionDone

    def __init__(self, commitment_id: str, policies: Policies, change_set: ChangeSet) -> None:
        super().__init__(commitment_id, policies, change_set)
        self.owner = self.title = ""

    def take(self, data: events.Action, at: int) -> None:
        """The owner and the title."""
        self.owner, self.title = data.owner or self.owner, data.title or self.title

    def about(self) -> dict[str, Any]:
        """The owner and the title."""
        return {"agent_id": self.owner, "cause": self.title}

    def entity_row(self) -> ActionRow:
        """The current row of the action."""
        return ActionRow(
            self.id, self.status, self.created_at, self.due_at, self.done_at, self.owner, self.title, self.ticket_id
        )
