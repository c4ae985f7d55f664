"""A ticket's silence: how long the customer has waited for a public update, the warning about it, and the risk signal.

created        reply (public, agent's)      silent: warning     reply: cleared, and the risk signal is given
|----- 24h ... |------------- 24h ----------x================|

A silence counts only while the ticket is open. No update is owed while it waits for the customer (pending), as in
Zendesk's "periodic update"; after that the silence begins anew.

The warning follows the SLA as it changes. The risk signal is decided when the silence ends, by the policy of the last
public update: what the customer was promised then.
"""

from typing import Final

from streams.desk.policy.sla_targets import Target
from streams.desk.policy.versions import Policy
from streams.desk.tickets.ledger import TicketLedger
from streams.models.instants import NEVER

SILENT: Final = "ticket.silent"


class Silence:
    """`since`: the last public update, None while none is owed. `falls_due_at`: when it lasts too long."""

    __slots__ = ("falls_due_at", "ledger", "since", "target")

    def __init__(self, ledger: TicketLedger) -> None:
        self.ledger = ledger
        self.since: int | None = None
        self.target: Target | None = None
        self.falls_due_at = NEVER

    def expect_update(self, at: int) -> None:
        """From now on the customer waits for an update."""
        self.since = at
        self.choose_target(self.ledger.policies.at(at), at)

    def public_update(self, at: int) -> None:
        """The customer hears something: the silence begins anew."""
        if self.since is None:
            return
        self._signal_if_long(at)
        self.since = at
        if self.target is not None:
            self.ledger.clear(SILENT, at, "replied")
            self.falls_due_at = _due(self.target, at)

    def stop(self, at: int, by: str) -> None:
        """No update is owed: the ticket is done, or waits for the customer."""
        self._signal_if_long(at)
        self.since, self.target, self.falls_due_at = None, None, NEVER
        self.ledger.clear(SILENT, at, by)

    # The warning

    def choose_target(self, policy: Policy, at: int) -> None:
        """Properties or policy changed: another silence may be allowed, counted from the last update on."""
        if self.since is None:
            return
        before, target = self.target, policy.targets(self.ledger.dims, self.ledger.tags).silence
        if target is before or (before and target and target.signature == before.signature):
            return
        self.target, self.falls_due_at = target, NEVER
        due = NEVER if target is None else _due(target, self.since)
        warned = self.ledger.warns(SILENT)
        if warned and due > at:
            self.ledger.clear(SILENT, at, "retargeted")
            warned = False
        if not warned:
            self.falls_due_at = due
            if due < at:
                self.warn(at)

    def warn(self, at: int) -> None:
        """The silence lasts too long."""
        target, since = self.target, self.since
        assert target is not None
        assert since is not None
        calendar, length = target.resolve(since)
        self.falls_due_at = NEVER
        elapsed, due_at = calendar.between(since, at), calendar.due(since, length)
        self.ledger.warn(SILENT, at, target, elapsed_ms=elapsed, target_ms=length, due_at=due_at)

    # The risk signal

    def signal_at(self) -> int | None:
        """When the risk signal is given, if nothing changes: the first instant after the silence gets too long."""
        target = self._promised()
        return None if target is None or self.since is None else _due(target, self.since) + 1

    def _promised(self) -> Target | None:
        if self.since is None:
            return None
        return self.ledger.policies.at(self.since).targets(self.ledger.dims, self.ledger.tags).silence

    def _signal_if_long(self, at: int) -> None:
        target = self._promised()
        # Business time is no longer than time: most gaps need no calendar.
        if target is None or self.since is None or at - self.since <= target.duration.ms:
            return
        silent_at = _due(target, self.since) + 1
        if silent_at < at:
            self.ledger.signal("silence", silent_at)


def _due(target: Target, since: int) -> int:
    calendar, length = target.resolve(since)
    return calendar.due(since, length)
