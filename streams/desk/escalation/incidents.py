"""The warnings of tickets with one parent form one incident: one chain leads, the others are folded into it. Pure.

    parent p     raised ──step 1───────────── cleared
    child t1        raised · folded ............ leads ────step 2──── cleared
    child t2             raised · folded .................................. leads ──step 3──>

An incident is a rule and a clock of the parent: the warning `sla.breached` of t1/resolution/1 folds into that of
p/resolution/1. Of the open warnings the most severe leads, of equal ones the least (raised_at, warning_id), in whatever
order they come:

    t2 (raised 10:05)  joins · begins ─step 1─ folded
    t1 (raised 10:02)                  joins · leads ────step 2───      step 1 is not sent again

When the leader is cleared, the next one continues where it stopped. Each message is about an open warning, and an
action on any warning of an incident applies to the incident.
"""

from heapq import heappop, heappush

from streams.desk.escalation.chain import (
    Chain,
    Key,
    StoredWarning,
    WriteRow,
    adopt_steps,
    seq_from,
    skip_open,
    write_event,
)
from streams.desk.escalation.transitions import replan, resume
from streams.desk.policy.versions import Policy
from streams.models.escalations import ChainEvent

Precedence = tuple[int, int, str]
SEVERITY_RANK = {"info": 0, "warning": 1, "critical": 2}


def rank(warning: StoredWarning) -> int:
    """The severity of a warning, as a number."""
    return SEVERITY_RANK.get(warning.severity, 0)


def precedence(warning: StoredWarning) -> Precedence:
    """The order of warnings in an incident: the least leads."""
    return -rank(warning), warning.raised_at, warning.warning_id


def incident_of(warning: StoredWarning) -> Key:
    """The key of the parent's chain or, without a parent, of the warning's own."""
    if not warning.parent_id:
        return warning.rule, warning.subject, ""
    if warning.subject == f"ticket/{warning.ticket_id}":
        return warning.rule, f"ticket/{warning.parent_id}", ""
    return warning.rule, warning.parent_id + warning.subject.removeprefix(warning.ticket_id), ""


class IncidentGroups:
    """The leading chain of each incident, and the chains folded into it, derived from the `chains` of a partition.

    Maintains `folds` of the leaders.
    """

    def __init__(self, chains: dict[Key, Chain]) -> None:
        self._chains = chains
        # The present or last leader of each incident. Without an entry: the chain with the incident's own key.
        self._leaders: dict[Key, Key] = {}
        self._folded: dict[Key, set[Key]] = {}
        self._next: dict[Key, list[tuple[Precedence, Key]]] = {}  # heaps of the folded; other entries are void

    def leader(self, incident: Key) -> Chain | None:
        """Return the leader of an incident, or the last one if it is cleared."""
        return self._chains.get(self._leaders.get(incident, incident))

    def add(self, chain: Chain) -> None:
        """Register a chain with an open warning: as folded, or as the leader."""
        incident = incident_of(chain.warning)
        if chain.folded:
            self._folded.setdefault(incident, set()).add(chain.key)
            heappush(self._next.setdefault(incident, []), (precedence(chain.warning), chain.key))
        elif incident != chain.key or incident in self._leaders:
            self._leaders[incident] = chain.key
        self._count(incident)

    def remove_folded(self, chain: Chain) -> None:
        """Unregister a folded chain."""
        incident = incident_of(chain.warning)
        if incident in self._folded:
            self._folded[incident].discard(chain.key)
            if not self._folded[incident]:
                del self._folded[incident], self._next[incident]
            self._count(incident)

    def successor(self, incident: Key) -> Chain | None:
        """Return the folded chain to lead next."""
        folded, heap = self._folded.get(incident, ()), self._next.get(incident)
        while heap:
            order, key = heap[0]
            if key in folded and precedence(self._chains[key].warning) == order:
                return self._chains[key]
            heappop(heap)
        return None

    def forget(self, chain: Chain) -> None:
        """Forget a cleared chain."""
        incident = incident_of(chain.warning)
        if self._leaders.get(incident) == chain.key:
            del self._leaders[incident]

    def restored(self) -> None:
        """Build the groups from the chains."""

        def since(chain: Chain) -> tuple[bool, int, Key]:
            standing = chain.cleared_at is None
            return standing, chain.warning.raised_at if standing else chain.cleared_at or 0, chain.key

        for chain in sorted(self._chains.values(), key=since):
            if chain.cleared_at is None or not chain.folded:
                self.add(chain)

    def _count(self, incident: Key) -> None:
        leader = self.leader(incident)
        if leader is not None:
            leader.folds = len(self._folded.get(incident, ()))


def join(own: Chain | None, warning: StoredWarning, policy: Policy, at: int) -> Chain:
    """Return the chain of a warning whose incident already has a chain: its `own` former one, if any."""
    if own is None:
        return Chain(warning, at, policy.version, warning.severity, [], seq_from(warning, at, None))
    own.seq = seq_from(warning, at, own)
    own.escalated &= own.warning.warning_id == warning.warning_id
    own.warning = warning
    return own


def fold(chain: Chain, leader: Chain, at: int, write: WriteRow) -> None:
    """Fold the chain into `leader` at `at`: its own steps no longer fall due."""
    skip_open(chain, at, write, "folded")
    chain.folded, chain.cleared_at, chain.exhausted, chain.folds = True, None, False, 0
    chain.acknowledged_at, chain.lapses_at, chain.severity = None, 0, chain.warning.severity
    write_event(chain, None, ChainEvent.FOLDED, at, write, reason=f"folded into {leader.warning.warning_id}")


def take_over(chain: Chain, leader: Chain, policy: Policy, at: int, write: WriteRow) -> None:
    """Let the chain lead from `at` on; it takes the steps, acknowledgement and actions of `leader`."""
    pause = 0 if leader.cleared_at is None else max(0, at - leader.cleared_at)
    adopt_steps(chain, leader)
    chain.folded, chain.cleared_at = False, None
    chain.exhausted, chain.stopped = leader.exhausted, leader.stopped
    chain.severity, chain.policy_version = leader.severity, leader.policy_version
    chain.began_at = leader.began_at + pause
    chain.acknowledged_at = None if leader.acknowledged_at is None else leader.acknowledged_at + pause
    chain.lapses_at = leader.lapses_at + pause if leader.lapses_at else 0
    chain.actions = [*chain.actions, *(each for each in leader.actions if each not in chain.actions)]
    write_event(chain, None, ChainEvent.LEADS, at, write, reason=f"goes on for {leader.warning.warning_id}")
    resume(chain, at, write)
    if chain.warning.severity != chain.severity:
        replan(chain, policy, at, write)
