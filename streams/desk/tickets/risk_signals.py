"""What a ticket says of its customer's mood: the signals of the complaint-risk index, each at the instant it was given.

created ──────────────── 24 h without a word ──── transferred ──── solved ──── reopened
   └ complaint, severity,         └ silence            └ transfer                  └ reopening
     keyword, vip                   at the target's end
"""

import msgspec

from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies
from streams.desk.tickets.clocks import DONE, TicketClocks
from streams.models.rows import FactRow

SEVERE = {"major": 0.5, "critical": 1.0}  # weight of a severity


class TicketSignals(TicketClocks):
    """The part of a ticket that its customer feels. `signals` is a log: what was felt is not taken back."""

    __slots__ = ("known_at", "marked", "quiet_since", "severe", "severity", "solved_fact")

    def __init__(self, ticket_id: str, policies: Policies, change_set: ChangeSet) -> None:
        super().__init__(ticket_id, policies, change_set)
        self.severity = ""
        self.known_at = 0  # since when this customer is known
        self.marked: tuple[str, ...] = ()  # the signals that a ticket gives once, and gave
        self.severe = 0.0  # the highest weight of a severity so far
        self.quiet_since: int | None = None  # the last public word to the customer, while one is owed
        self.solved_fact: FactRow | None = None  # what its first solving counted

    def know(self, customer_id: str | None, at: int) -> None:
        """The customer is named; a solving that counted as of nobody is the customer's from now on."""
        if not customer_id or customer_id == self.customer_id:
            return
        self.customer_id, self.known_at = customer_id, at
        fact = self.solved_fact
        if fact is not None and "fcr_unknown" in fact.counts:
            self.change_set.uncount(fact)
            self.solved_fact = _without_unknown(fact)
            self.change_set.add(self.solved_fact)

    def mark(self, at: int) -> None:
        """Properties were set: give the signals that they are, each once."""
        _, _, _, kind, segment, _, _ = self.dims
        if kind == "complaint":
            self._mark("complaint", at)
        if segment == "vip":
            self._mark("vip", at)
        if self.severity in SEVERE and (weight := SEVERE[self.severity]) > self.severe:
            self.signal("severity", at, weight - self.severe)
            self.severe = weight
        if self.tags:
            keywords = self.policies.at(at).risk_index.keywords
            if any(word in tag for tag in self.tags for word in keywords):
                self._mark("keyword", at)

    def _mark(self, name: str, at: int) -> None:
        if name not in self.marked:
            self.marked = (*self.marked, name)
            self.signal(name, at)

    def speak(self, at: int) -> None:
        """The customer hears something, or the ticket goes on after a rest: silence begins anew."""
        self.rest(at)
        self.quiet_since = at

    def rest(self, at: int) -> None:
        """No word is owed any more: the ticket waits for the customer, or is done. A silence so far is a signal."""
        if self.quiet_since is not None:
            target = self.policies.at(self.quiet_since).targets(self.dims, self.tags).silence
            # Business time is no longer than time: most gaps need no calendar.
            if target is not None and at - self.quiet_since > target.duration.ms:
                silent_at = self.silent_at()
                if silent_at is not None and silent_at < at:
                    self.signal("silence", silent_at)
        self.quiet_since = None

    def silent_at(self) -> int | None:
        """The first instant after which the customer will have heard nothing for too long, if nothing changes."""
        if self.quiet_since is None:
            return None
        target = self.policies.at(self.quiet_since).targets(self.dims, self.tags).silence
        if target is None:
            return None
        calendar, target_ms = target.resolve(self.quiet_since)
        return calendar.due(self.quiet_since, target_ms) + 1

    def is_open(self) -> bool:
        """Whether the desk has it to do."""
        return self.created_at is not None and self.status not in DONE and not self.merged_into


def _without_unknown(fact: FactRow) -> FactRow:
    counts = {name: number for name, number in fact.counts.items() if name != "fcr_unknown"}
    return msgspec.structs.replace(fact, counts=counts, version=0, is_deleted=0)
