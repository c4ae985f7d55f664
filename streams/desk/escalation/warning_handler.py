"""The effects of a warning on the chains: begin, continue, fold, replan or stop one. Pure."""

from streams.desk.escalation import incidents, transitions
from streams.desk.escalation.chain import Chain, StoredWarning
from streams.desk.escalation.chains import ChainStore
from streams.desk.escalation.incidents import incident_of, rank
from streams.desk.escalation.outbox import Outbox
from streams.desk.escalation.partition_time import PartitionTime
from streams.desk.escalation.plan import cooldown_ms
from streams.desk.escalation.sending import Sender
from streams.desk.policy.versions import Policies, Policy
from streams.models.rows import WarningState


class WarningHandler:
    """Folds the messages of `risk-warnings` into the chains."""

    def __init__(
        self, chains: ChainStore, outbox: Outbox, sender: Sender, time: PartitionTime, policies: Policies
    ) -> None:
        self._chains, self._incidents = chains, chains.incidents
        self._write = outbox.write
        self._sender, self._time, self._policies = sender, time, policies

    def handle(self, warning: StoredWarning) -> Chain | None:
        """Fold a warning, and return its chain; None: it is older than what is known, and changes nothing."""
        chain = self._chains.get((warning.rule, warning.subject))
        policy = self._policies.at(warning.raised_at)
        over = bool(warning.is_deleted or warning.state == WarningState.CLEARED)
        if chain is None or chain.warning.warning_id != warning.warning_id:
            if chain is not None:
                if warning.raised_at <= chain.warning.raised_at:
                    return None  # an earlier warning of the same rule and subject
                chain = self._end_former(chain, warning)
            chain = self._raise(chain, warning, policy)
        elif warning.version <= chain.warning.version:
            return None  # known
        elif chain.cleared_at is not None and not over:
            chain = self._raise(chain, warning, policy)
        warning.parent_id = chain.warning.parent_id  # it stays in its incident
        chain.warning = warning
        if over and chain.cleared_at is None:
            self._clear(chain)
        elif not over and warning.severity != chain.severity:
            self._change_severity(chain, policy)
        self._chains.touch(chain)
        return chain

    def _end_former(self, chain: Chain, warning: StoredWarning) -> Chain | None:
        """A new warning replaces the chain's: return the chain if it continues for the new one."""
        continues = self._continues(chain, warning)
        if chain.cleared_at is None:
            transitions.clear(chain, warning.raised_at, self._write, "raised again")
        self._chains.drop_warning(chain.warning.warning_id)
        return chain if continues else None

    def _raise(self, own: Chain | None, warning: StoredWarning, policy: Policy) -> Chain:
        """The warning is open: fold it into its incident's chain, continue that or its `own` chain, or begin one."""
        leader, at = self._incidents.leader(incident_of(warning)), warning.raised_at
        if leader is not None and (leader.folded or leader.key == (warning.rule, warning.subject)):
            leader = None
        if leader is not None and (leader.cleared_at is None or self._continues(leader, warning)):
            chain = incidents.join(own, warning, policy)
            if leader.cleared_at is None:
                incidents.fold(chain, leader, at, self._write)
            else:
                incidents.take_over(chain, leader, policy, at, self._write)
        elif own is None or own.folded:
            same = own is not None and own.warning.warning_id == warning.warning_id
            chain = transitions.begin(warning, policy, self._write, own if same else None)
        else:
            chain = own
            transitions.raise_again(chain, warning, self._write)
        self._chains.put(chain)
        self._incidents.add(chain)
        if chain.folded:
            self._lead_if_more_severe(chain, policy)
        return chain

    def _continues(self, chain: Chain, warning: StoredWarning) -> bool:
        """Whether a warning is raised within the cool-down of the chain's, which was not withdrawn."""
        cleared_at = chain.cleared_at if chain.cleared_at is not None else warning.raised_at
        cooldown = cooldown_ms(self._policies.at(warning.raised_at), warning)
        return not chain.warning.is_deleted and warning.raised_at - cleared_at <= cooldown

    def _change_severity(self, chain: Chain, policy: Policy) -> None:
        if not chain.folded:
            transitions.replan(chain, policy, self._now(chain), self._write)
            return
        chain.severity = chain.warning.severity
        self._lead_if_more_severe(chain, policy)

    def _lead_if_more_severe(self, chain: Chain, policy: Policy) -> None:
        """Let a folded chain lead its incident, if its warning is more severe than the leader's."""
        leader = self._incidents.leader(incident_of(chain.warning))
        assert leader is not None  # a folded chain has a leader
        if rank(chain.warning) > rank(leader.warning):
            at = self._now(chain)
            self._hand_over(leader, chain, policy, at)
            incidents.fold(leader, chain, at, self._write)
            self._incidents.add(leader)

    def _hand_over(self, leader: Chain, successor: Chain, policy: Policy, at: int) -> None:
        self._incidents.remove_folded(successor)
        incidents.take_over(successor, leader, policy, at, self._write)
        self._incidents.add(successor)
        self._chains.touch(leader)
        self._chains.touch(successor)

    def _clear(self, chain: Chain) -> None:
        warning = chain.warning
        at = warning.cleared_at if warning.cleared_at is not None else self._now(chain)
        if not self._sender.sends:
            self._sender.pass_time(chain, at)  # a replay: steps due before the clearing
        reason = "withdrawn" if warning.is_deleted else f"cleared: {warning.cleared_by}"
        transitions.clear(chain, at, self._write, reason)
        if chain.folded:
            self._incidents.remove_folded(chain)
            return
        successor = self._incidents.successor(incident_of(warning))
        if successor is not None:
            self._hand_over(chain, successor, self._policies.at(successor.warning.raised_at), at)

    def _now(self, chain: Chain) -> int:
        """The partition's time, but not before the warning was raised."""
        return max(self._time.now, chain.warning.raised_at)
