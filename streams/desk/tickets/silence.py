"""The warnings about a ticket as a whole: the customer hears nothing of it, or it is passed from team to team.

silence        created        reply (public, agent's)         silent: raised    reply: cleared
               |----- 24h ... |------------- 24h -------------x=================|
transfers      A -> B -> C -> D: 3 changes, raised; cleared when the ticket is done

Both stand only while the ticket is open. No word is owed while it waits for the customer (pending), as in Zendesk's
"periodic update"; after that the silence begins anew.
"""

from typing import Final

from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.rules import TRANSFERS
from streams.desk.policy.sla_targets import Target
from streams.desk.policy.versions import Policies, Policy
from streams.desk.tickets.ledger import TicketLedger
from streams.models.instants import NEVER

SILENT: Final = "ticket.silent"
LOOP: Final = "transfer.loop"


class TicketWarnings(TicketLedger):
    """The part of a ticket that its silence and its transfers are told from."""

    __slots__ = ("hops", "quiet_until", "silence", "tags", "told_at")

    def __init__(self, ticket_id: str, policies: Policies, change_set: ChangeSet) -> None:
        super().__init__(ticket_id, policies, change_set)
        self.tags: tuple[str, ...] = ()
        self.hops = 0  # team changes
        self.told_at: int | None = None  # the last public update; None: nobody waits for one
        self.silence: Target | None = None
        self.quiet_until = NEVER  # when the silence gets too long, if nothing changes

    def await_update(self, at: int) -> None:
        """From now on the customer waits for word of the ticket."""
        self.told_at = at
        self.choose_silence(self.policies.at(at), at)

    def tell(self, at: int) -> None:
        """A public update: the silence begins anew."""
        if self.told_at is None:
            return
        self.told_at = at
        if self.silence is not None:
            self.clear(self, SILENT, at, "replied")
            self.quiet_until = self._silent_from(self.silence)

    def choose_silence(self, policy: Policy, at: int) -> None:
        """Properties or policy changed: another silence may be allowed, counted from the last update on."""
        if self.told_at is None:
            return
        before, target = self.silence, policy.targets(self.dims, self.tags).silence
        if target is before or (before and target and target.signature == before.signature):
            return
        self.silence, self.quiet_until = target, NEVER
        due = NEVER if target is None else self._silent_from(target)
        stands = self.warnings is not None and SILENT in self.warnings
        if stands and due > at:
            self.clear(self, SILENT, at, "retargeted")
            stands = False
        if not stands:
            self.quiet_until = due
            if due < at:
                self.fall_silent(at)

    def _silent_from(self, target: Target) -> int:
        assert self.told_at is not None
        calendar, length = target.resolve(self.told_at)
        return calendar.due(self.told_at, length)

    def fall_silent(self, at: int) -> None:
        """The silence lasts too long."""
        target, told_at = self.silence, self.told_at
        assert target is not None
        assert told_at is not None
        calendar, length = target.resolve(told_at)
        self.quiet_until = NEVER
        elapsed = calendar.between(told_at, at)
        due_at = calendar.due(told_at, length)
        self.warn(SILENT, at, target, elapsed_ms=elapsed, target_ms=length, due_at=due_at)

    def watch_transfers(self, at: int) -> None:
        """Warn when an open ticket has been passed on too often; tell it again at each further time."""
        rule = self.policies.at(at).rule(LOOP)
        limit = TRANSFERS if rule is None or rule.raise_at is None else rule.raise_at
        if self.hops >= limit:
            self.warn(LOOP, at, measures={"value": float(self.hops), "raise_at": float(limit)})

    def stop_waiting(self, at: int, by: str) -> None:
        """The ticket is done, or waits for the customer: no word is owed."""
        self.told_at, self.silence, self.quiet_until = None, None, NEVER
        self.clear(self, SILENT, at, by)
