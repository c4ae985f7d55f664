"""Escalation: what a partition's chains hear, of warnings and of people. Pure.

    risk-warnings ──> chain ──step due──> intent (state sending) ──cut──> checkpoint ──> messages() ──> receivers
    actions ───────> ack, snooze, disagree                                                    │
                       ^──────────────── settle(outcome) ─────────────────────────────────────┘

When a step falls due, and how it is sent: see `streams.desk.escalation.sending`.
"""

from collections.abc import Collection, Sequence

import msgspec

from streams.desk.escalation import chain as chains
from streams.desk.escalation import incidents as families
from streams.desk.escalation import messages
from streams.desk.escalation.chain import Chain
from streams.desk.escalation.chains import EARLY
from streams.desk.escalation.incidents import SEVERITY_RANK
from streams.desk.escalation.received_warning import Warned
from streams.desk.escalation.sending import Sending
from streams.desk.policy.versions import Policies, Policy
from streams.models import actions
from streams.models.actions import ActionEvent, Disagree, SnoozeEvent
from streams.models.codec import Rejected
from streams.models.dead_letters import dead_letter
from streams.models.escalations import WarningStepRow
from streams.models.records import Record
from streams.models.topics import ACTIONS, WARNINGS

EARLY_LIMIT = 10_000  # actions kept whose warning is not known (yet)


class Escalations(Sending):
    """The state of one partition (`streams.desk.partition_state.PartitionState`).

    Arguments:
        partitions: how many there are, to hand on actions on warnings of another one.
        addresses: names of the variables (`url_env`) that hold a receiver's address.
        wall: the clock is the wall's; else it is the log's, and only with `notify` anything is sent.
        board_url: where messages link to; "": nowhere.
    """

    def __init__(
        self,
        partition: int,
        partitions: int,
        policies: Policies,
        *,
        addresses: Collection[str],
        wall: bool,
        notify: bool = False,
        board_url: str = "",
    ) -> None:
        sends = wall or notify
        super().__init__(partition, policies, addresses=addresses, wall=wall, sends=sends, board_url=board_url)
        self.partitions = partitions

    # Records

    def feed(self, topic: str, records: Sequence[Record], start: int) -> int:
        """Fold records[start:], or as many of them as fit in a checkpoint; returns the index of the next one."""
        fold = self._fold_warning if topic == WARNINGS else self._fold_action
        for i in range(start, len(records)):
            fold(records[i])
            self._changed = True
            if self.full():
                return i + 1
        return len(records)

    def _fold_warning(self, record: Record) -> None:
        try:
            found = messages.read(record.value)
        except ValueError as error:
            self._refuse(record, f"no message of {WARNINGS}: {error}")
            return
        if isinstance(found, Warned):
            self._warned(found)
        elif found is not None:
            for source, as_of in found.items():
                self.sources[source] = max(as_of, self.sources.get(source, as_of))  # an old one may come late

    def _refuse(self, record: Record, reason: str) -> None:
        self.totals["dead_letters"] += 1
        self._outputs.append(dead_letter(record.topic, record, reason))

    # Warnings

    def _warned(self, warned: Warned) -> None:
        chain = self.chains.get((warned.rule, warned.subject))
        policy = self.policies.at(warned.raised_at)
        over = bool(warned.is_deleted or warned.state == "cleared")
        if chain is None or chain.warned.warning_id != warned.warning_id:
            if chain is not None:
                if warned.raised_at <= chain.warned.raised_at:
                    return  # of the past
                continues = self._continues(chain, warned)
                if chain.cleared_at is None:
                    chains.clear(chain, warned.raised_at, self._write, "raised again")
                self.keys.pop(chain.warned.warning_id, None)
                chain = chain if continues else None
            chain = self._rise(chain, warned, policy)
        elif warned.version <= chain.warned.version:
            return  # told again
        elif chain.cleared_at is not None and not over:
            chain = self._rise(chain, warned, policy)
        warned.parent_id = chain.warned.parent_id  # it stays in its family
        chain.warned = warned
        if over and chain.cleared_at is None:
            self._clear(chain)
        elif not over and warned.severity != chain.severity:
            self._regrade(chain, policy)
        self._touch(chain)
        for raw in self.early.pop(warned.warning_id, ()):
            self._entries[EARLY + warned.warning_id.encode()] = None
            event = actions.decode(raw)
            if not isinstance(event, Rejected):
                self._act(chain, event)

    def _rise(self, own: Chain | None, warned: Warned, policy: Policy) -> Chain:
        """The warning stands: folded into its family's chain, or going on where that or its own stopped, or anew."""
        lead, at = self.families.lead(warned.family), warned.raised_at
        if lead is not None and (lead.folded or lead.key == (warned.rule, warned.subject)):
            lead = None  # nobody, or its own
        if lead is not None and (lead.cleared_at is None or self._continues(lead, warned)):
            chain = families.member(own, warned, policy)
            if lead.cleared_at is None:
                families.fold(chain, lead, at, self._write)
            else:
                families.take_over(chain, lead, policy, at, self._write)
        elif own is None or own.folded:
            same = own is not None and own.warned.warning_id == warned.warning_id
            chain = chains.begin(warned, policy, self._write, own if same else None)
        else:
            chain = own
            chains.go_on(chain, warned, self._write)
        self.chains[chain.key] = chain
        self.keys[warned.warning_id] = chain.key
        self.families.stands(chain)
        if chain.folded:
            self._lead_if_graver(chain, policy)
        return chain

    def _regrade(self, chain: Chain, policy: Policy) -> None:
        """The warning's severity is another."""
        at = max(self.clock, chain.warned.raised_at)
        if not chain.folded:
            chains.replan(chain, policy, at, self._write)
            return
        chain.severity = chain.warned.severity
        self._lead_if_graver(chain, policy)

    def _lead_if_graver(self, chain: Chain, policy: Policy) -> None:
        lead = self.families.lead(chain.warned.family)
        assert lead is not None  # or it would not be folded
        if SEVERITY_RANK.get(chain.warned.severity, 0) > SEVERITY_RANK.get(lead.warned.severity, 0):
            at = max(self.clock, chain.warned.raised_at)
            self._hand_over(lead, chain, policy, at)
            families.fold(lead, chain, at, self._write)
            self.families.stands(lead)

    def _hand_over(self, lead: Chain, heir: Chain, policy: Policy, at: int) -> None:
        self.families.leave(heir)
        families.take_over(heir, lead, policy, at, self._write)
        self.families.stands(heir)
        self._touch(lead)
        self._touch(heir)

    def _continues(self, chain: Chain, warned: Warned) -> bool:
        cleared_at = chain.cleared_at if chain.cleared_at is not None else warned.raised_at
        cooldown = chains.cooldown_of(warned, self.policies.at(warned.raised_at))
        return not chain.warned.is_deleted and warned.raised_at - cleared_at <= cooldown

    def _clear(self, chain: Chain) -> None:
        warned = chain.warned
        at = warned.cleared_at if warned.cleared_at is not None else max(self.clock, warned.raised_at)
        if not self.sends:
            self._pass(chain, at)  # a replay: what fell due before, fell due
        chains.clear(chain, at, self._write, "withdrawn" if warned.is_deleted else f"cleared: {warned.cleared_by}")
        if chain.folded:
            self.families.leave(chain)
            return
        heir = self.families.heir(warned.family)
        if heir is not None:
            self._hand_over(chain, heir, self.policies.at(heir.warned.raised_at), at)

    # Actions

    def _fold_action(self, record: Record) -> None:
        event = actions.decode(record.value, record.headers)
        if isinstance(event, Rejected):
            self._refuse(record, event.reason)
            return
        key = self.keys.get(event.data.warning_id)
        if key is not None:
            self._act(self.chains[key], event)
            return
        raw = messages.plain(record)
        if not messages.handed_on(record):
            self._outputs += messages.hand_on(ACTIONS, record, self.partition, self.partitions)
        known = self.early.setdefault(event.data.warning_id, [])
        if raw not in known:
            known.append(raw)
        self._entries[EARLY + event.data.warning_id.encode()] = msgspec.msgpack.encode(known)
        if len(self.early) > EARLY_LIMIT:
            forgotten = next(iter(self.early))
            del self.early[forgotten]
            self._entries[EARLY + forgotten.encode()] = None

    def _act(self, chain: Chain, event: ActionEvent) -> None:
        if chain.folded and chain.cleared_at is None:
            chain = self.families.lead(chain.warned.family) or chain
        identity = (event.source, event.id)
        if identity in chain.done:
            return
        chain.done = [*chain.done, identity]
        by, note, warned = event.data.by, event.data.note, chain.warned
        at = max(event.at, warned.raised_at)
        if self.wall and self.clock >= 0:
            at = min(at, max(self.clock, warned.raised_at))
        if not self.sends:
            self._pass(chain, at)
        policy = self.policies.at(warned.raised_at)
        stands = chain.cleared_at is None
        if isinstance(event, SnoozeEvent):
            step = "snoozed"
            if stands and not chain.stopped and event.until() > at:
                chains.snooze(chain, at, event.until(), self._write, by, note)
        else:
            step = "disagreed" if isinstance(event, Disagree) else "acknowledged"
            if step == "disagreed":
                chains.write(chain, None, at, self._write, state="disagreed", by=by, why=note)
            elif stands and not any(each.open for each in chain.steps):
                chains.write(chain, None, at, self._write, state="acknowledged", by=by, why=note)
            if stands:
                chain.stopped |= step == "disagreed"
                lapse = 0 if chain.stopped else chains.lapse_of(warned, policy)
                chains.acknowledge(chain, at, lapse, self._write, by, note)
        self._rows.append(WarningStepRow(warning_id=event.data.warning_id, step=step, at=at, by=by, note=note))
        self._touch(chain)
