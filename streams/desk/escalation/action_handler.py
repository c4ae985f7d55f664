"""The effects of an action on the chain of its warning: acknowledge, snooze, disagree. Pure."""

from streams.desk.escalation import transitions
from streams.desk.escalation.chain import Chain, write_event
from streams.desk.escalation.chains import ChainStore
from streams.desk.escalation.incidents import incident_of
from streams.desk.escalation.outbox import Outbox
from streams.desk.escalation.partition_time import PartitionTime
from streams.desk.escalation.plan import acknowledgement_ms
from streams.desk.escalation.sending import Sender
from streams.desk.policy.versions import Policies
from streams.models.actions import ActionEvent, Disagree, SnoozeEvent
from streams.models.escalations import ChainEvent, WarningStep, WarningStepRow


class ActionHandler:
    """Folds the events of `actions` about known warnings."""

    def __init__(
        self, chains: ChainStore, outbox: Outbox, sender: Sender, time: PartitionTime, policies: Policies
    ) -> None:
        self._chains, self._outbox = chains, outbox
        self._sender, self._time, self._policies = sender, time, policies

    def handle(self, chain: Chain, event: ActionEvent) -> None:
        """Apply an action to a chain, or to the leader of its incident; at most once for each action id."""
        if chain.folded and chain.cleared_at is None:
            chain = self._chains.incidents.leader(incident_of(chain.warning)) or chain
        identity = (event.source, event.id)
        if identity in chain.actions:
            return
        chain.actions = [*chain.actions, identity]
        at = self._instant(chain, event)
        if not self._sender.sends:
            self._sender.pass_time(chain, at)
        if isinstance(event, SnoozeEvent):
            step = WarningStep.SNOOZED
            if chain.cleared_at is None and not chain.stopped and event.until() > at:
                write = self._outbox.write
                transitions.snooze(chain, at, event.until(), write, event.data.by, event.data.note)
        else:
            step = WarningStep.DISAGREED if isinstance(event, Disagree) else WarningStep.ACKNOWLEDGED
            self._stop(chain, event, at)
        data = event.data
        self._outbox.add_warning_step(
            WarningStepRow(warning_id=data.warning_id, step=step, at=at, by=data.by, note=data.note)
        )
        self._chains.touch(chain)

    def _stop(self, chain: Chain, event: ActionEvent, at: int) -> None:
        """Stop the chain: for good if somebody disagreed, else for the policy's duration."""
        write, by, note = self._outbox.write, event.data.by, event.data.note
        is_open = chain.cleared_at is None
        disagrees = isinstance(event, Disagree)
        if disagrees:
            write_event(chain, None, ChainEvent.DISAGREED, at, write, by=by, reason=note)
        elif is_open and not any(step.open for step in chain.steps):
            write_event(chain, None, ChainEvent.ACKNOWLEDGED, at, write, by=by, reason=note)
        if is_open:
            chain.stopped |= disagrees
            warning = chain.warning
            policy = self._policies.at(warning.raised_at)
            lapse_ms = 0 if chain.stopped else acknowledgement_ms(policy, warning.severity, warning.rule)
            transitions.acknowledge(chain, at, lapse_ms, write, by, note)

    def _instant(self, chain: Chain, event: ActionEvent) -> int:
        """The time of the action: not before its warning was raised, and, live, not in the future."""
        at, raised_at, now = max(event.at, chain.warning.raised_at), chain.warning.raised_at, self._time.now
        return min(at, max(now, raised_at)) if self._time.wall and now >= 0 else at
