"""The effects of a warning on the chains: begin, continue, fold, replan or stop one. Pure.

    receive ──> its next move: joins an incident, leaves it ──> the chain
                  └─ waits for its turn (`streams.desk.escalation.waiting`) ──fold_waiting──^

What waits, and for what:

    in a replay   the moves of tickets' warnings    until all desks have told what came before
    live          to join a parent's incident       for the same, at most MAX_WAIT_MS
                  anything else                     does not wait
"""

from collections.abc import Callable

import msgspec

from streams.desk.escalation import incidents, transitions
from streams.desk.escalation.chain import Chain, StoredWarning, key_of, moves_until, parents_of, write_event
from streams.desk.escalation.chains import ChainStore
from streams.desk.escalation.incidents import incident_of, precedence
from streams.desk.escalation.outbox import Outbox
from streams.desk.escalation.partition_time import PartitionTime
from streams.desk.escalation.plan import cooldown_ms
from streams.desk.escalation.sending import Sender
from streams.desk.escalation.stays import Move, addressed, is_over, next_move
from streams.desk.escalation.waiting import WaitingWarnings
from streams.desk.policy.versions import Policies, Policy
from streams.models.escalations import ChainEvent

LOOK_EVERY = 32
"""Waiting warnings folded between two checks of the checkpoint's size."""


class WarningHandler:
    """Folds warnings into the chains. `on_join` is called with the chain of each warning that joins an incident."""

    def __init__(
        self,
        chains: ChainStore,
        waiting: WaitingWarnings,
        outbox: Outbox,
        sender: Sender,
        time: PartitionTime,
        policies: Policies,
        on_join: Callable[[Chain], None],
    ) -> None:
        self._chains, self._incidents, self._waiting = chains, chains.incidents, waiting
        self._write, self._on_join = outbox.write, on_join
        self._sender, self._time, self._policies = sender, time, policies

    # Messages

    def receive_own(self, warning: StoredWarning) -> None:
        """Fold a message of `risk-warnings`, as far as it concerns the incident of the warning's own subject.

        A warning with a parent concerns it if it once had none. Release 0.1.0 folded children here as well: they stay.
        """
        parent_id = warning.parent_id
        if parent_id:
            if self._holds(warning, parent_id):
                self.receive(msgspec.structs.replace(warning), parent_id)
            if all(former for _, former in parents_of(warning)) and not self._holds(warning, ""):
                return
        self.receive(warning, "")

    def receive(self, warning: StoredWarning, parent_id: str) -> None:
        """Fold a warning, as far as it concerns the incident of this parent."""
        warning = addressed(warning, parent_id)
        waiting, chain = self._waiting.get(warning.warning_id, parent_id), self._chains.get(key_of(warning))
        if waiting is not None and warning.version <= waiting.version:
            return
        same = chain is not None and chain.warning.warning_id == warning.warning_id
        if chain is not None and same and warning.version <= chain.warning.version:
            return
        move = self._next_move(warning, chain)
        if move is not None and not self._waits(warning, move):
            move = self._make(warning, chain, move)
        elif move is None and chain is not None and same:
            self._update(chain, warning)
        self._waiting.put(warning, move)

    def fold_waiting(self, full: Callable[[], bool]) -> bool:
        """Fold what need not wait any longer; False if a checkpoint has to be written first (`full`)."""
        until, folded = self._time.foldable_until(), 0
        while (warning := self._waiting.next(until)) is not None:
            if not folded % LOOK_EVERY and full():
                return False
            folded += 1
            chain = self._chains.get(key_of(warning))
            move = self._next_move(warning, chain)
            if move is not None:
                move = self._make(warning, chain, move)
            self._waiting.queue(warning, move)
        return True

    def restored(self) -> None:
        """All is loaded: queue what waits."""
        for warning in self._waiting.all():
            self._waiting.queue(warning, self._next_move(warning, self._chains.get(key_of(warning))))

    def _holds(self, warning: StoredWarning, parent_id: str) -> bool:
        """Whether the incident of this parent has heard of the warning here."""
        chain = self._chains.get((warning.rule, warning.subject, parent_id))
        known = chain is not None and chain.warning.warning_id == warning.warning_id
        return known or self._waiting.get(warning.warning_id, parent_id) is not None

    def _next_move(self, warning: StoredWarning, chain: Chain | None) -> Move | None:
        """The next move, given the chain with the key of the warning."""
        if chain is not None and chain.warning.warning_id != warning.warning_id:
            if warning.raised_at <= chain.warning.raised_at:
                return None  # an earlier warning of the same rule and subject
            chain = None
        return next_move(warning, chain, self._chains.kept_ms)

    def _waits(self, warning: StoredWarning, move: Move) -> bool:
        if self._time.wall:
            return move.joins and bool(warning.parent_id) and move.at >= self._time.foldable_until()
        return bool(warning.metric) or warning.subject.startswith("ticket/")

    def _make(self, warning: StoredWarning, chain: Chain | None, move: Move) -> Move | None:
        """Make a move, and those after it that need not wait; return the first one that has to."""
        while True:
            if move.joins:
                chain = self._join(chain, warning, move.at)
            else:
                assert chain is not None
                self._leave(chain, warning, move.at)
            self._update(chain, warning)
            following = self._next_move(warning, chain)
            if following is None or self._waits(warning, following):
                return following
            move = following

    def _update(self, chain: Chain, warning: StoredWarning) -> None:
        chain.warning = warning
        if chain.cleared_at is None and not is_over(warning) and warning.severity != chain.severity:
            self._change_severity(chain)
        self._chains.touch(chain)

    # Joining

    def _join(self, former: Chain | None, warning: StoredWarning, at: int) -> Chain:
        """The warning joins its incident at `at`: fold it into that one's chain, continue a chain, or begin one."""
        policy = self._policies.at(at)
        if former is not None and former.warning.warning_id != warning.warning_id:
            former = self._end_former(former, warning, at)
        chain = self._raise(former, warning, policy, at)
        chain.joined_at, chain.left = at, False
        self._chains.put(chain)
        self._incidents.add(chain)
        self._let_first_lead(chain, self._not_before_now(at))
        self._on_join(chain)
        return chain

    def _end_former(self, chain: Chain, warning: StoredWarning, at: int) -> Chain | None:
        """A new warning replaces the chain's: return the chain if it continues for the new one."""
        continues = self._continues(chain, warning, at)
        if chain.cleared_at is None:
            transitions.clear(chain, at, self._write, "raised again")
        self._chains.drop_warning(chain.warning.warning_id)
        return chain if continues else None

    def _raise(self, own: Chain | None, warning: StoredWarning, policy: Policy, at: int) -> Chain:
        leader = self._incidents.leader(incident_of(warning))
        if leader is not None and (leader.folded or leader.key == key_of(warning)):
            leader = None
        if leader is not None and leader.cleared_at is None:
            chain = incidents.join(own, warning, policy, at)
            incidents.fold(chain, leader, at, self._write)
        elif leader is not None and self._continues(leader, warning, at):
            chain = incidents.join(own, warning, policy, at)
            incidents.take_over(chain, leader, policy, at, self._write)
        elif own is None or own.folded:
            same = own is not None and own.warning.warning_id == warning.warning_id
            since = parents_of(warning)[moves_until(warning, at)][0]  # before `at`, if a clearing was withdrawn
            chain = transitions.begin(warning, policy, since, at, self._write, own if same else None)
        else:
            chain = own
            transitions.raise_again(chain, warning, at, self._write)
        if not chain.folded and (moves := moves_until(warning, at)):
            reason = _reason(warning.parents[moves - 1][1], warning.parent_id)
            write_event(chain, None, ChainEvent.LEADS, at, self._write, reason=reason)
        return chain

    def _continues(self, chain: Chain, warning: StoredWarning, at: int) -> bool:
        """Whether a warning joins within the cool-down of the chain's, which was not withdrawn."""
        cleared_at = chain.cleared_at if chain.cleared_at is not None else at
        cooldown = cooldown_ms(self._policies.at(warning.raised_at), warning)
        return not chain.warning.is_deleted and at - cleared_at <= cooldown

    # Leading

    def _change_severity(self, chain: Chain) -> None:
        at = self._not_before_now(chain.warning.raised_at)
        if chain.folded:
            chain.severity = chain.warning.severity
            self._incidents.add(chain)  # its place has changed
        else:
            transitions.replan(chain, self._policies.at(chain.warning.raised_at), at, self._write)
        self._let_first_lead(chain, at)

    def _let_first_lead(self, chain: Chain, at: int) -> None:
        """Let the warning lead the chain's incident that takes precedence."""
        incident = incident_of(chain.warning)
        leader, first = self._incidents.leader(incident), self._incidents.successor(incident)
        if leader is None or first is None or precedence(leader.warning) < precedence(first.warning):
            return
        self._pass_time(leader, at)
        self._hand_over(leader, first, at)
        incidents.fold(leader, first, at, self._write)
        self._incidents.add(leader)

    def _hand_over(self, leader: Chain, successor: Chain, at: int) -> None:
        self._incidents.remove_folded(successor)
        policy = self._policies.at(successor.warning.raised_at)
        incidents.take_over(successor, leader, policy, at, self._write)
        self._incidents.add(successor)
        self._chains.touch(leader)
        self._chains.touch(successor)

    # Leaving

    def _leave(self, chain: Chain, warning: StoredWarning, at: int) -> None:
        """The warning leaves its incident at `at`: it is over, or moves to another one."""
        reason = f"cleared: {warning.cleared_by}"
        if warning.is_deleted:
            reason, at = "withdrawn", self._not_before_now(at)
        elif not is_over(warning) or warning.cleared_at != at:
            chain.left = True
            following = parents_of(warning)[moves_until(warning, chain.joined_at) + 1 :]
            reason = _reason(warning.parent_id, following[0][1] if following else "")
        chain.warning = warning
        self._pass_time(chain, at)
        transitions.clear(chain, at, self._write, reason)
        if chain.folded:
            self._incidents.remove_folded(chain)
        elif (successor := self._incidents.successor(incident_of(warning))) is not None:
            self._hand_over(chain, successor, at)

    # Time

    def _pass_time(self, chain: Chain, at: int) -> None:
        """In a replay, let the steps fall due that come before the instant `at`."""
        if not self._sender.sends:
            self._sender.pass_time(chain, at)

    def _not_before_now(self, at: int) -> int:
        """The instant `at`; live, not before now."""
        return max(self._time.now, at) if self._time.wall else at


def _reason(former: str, parent_id: str) -> str:
    """Why a warning moves from one parent's incident to another's; "": no parent."""
    return f"linked to {parent_id}" if parent_id else f"no longer linked to {former}"
