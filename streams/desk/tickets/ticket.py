"""A ticket: what each of its events does to its properties, and which parts hear of it.

                ┌─ properties  created, assigned, updated
                ├─ ledger      the properties as they stand; rows, facts, warnings
                ├─ clocks      first_response, next_response, resolution
event ─apply──> ├─ life        created, solved, closed, reopened, merged
 time ─fire───> ├─ silence     time without a public update
                ├─ transfers   from team to team
                ├─ risk        signals of the complaint-risk index
                └─ backlog     spans of open, at risk, breached
"""

from collections.abc import Callable
from sys import intern
from typing import Any

from streams.desk.output.change_set import ChangeSet
from streams.desk.policy.versions import Policies
from streams.desk.reviews import in_sample
from streams.desk.tickets.backlog import Backlog
from streams.desk.tickets.clocks import TicketClocks
from streams.desk.tickets.complaint_signals import ComplaintSignals
from streams.desk.tickets.ledger import TicketLedger
from streams.desk.tickets.lifecycle import DONE, LifeCycle
from streams.desk.tickets.properties import Properties
from streams.desk.tickets.warnings.silence import Silence
from streams.desk.tickets.warnings.transfers import Transfers
from streams.models import tickets as events
from streams.models.entities import TicketRow
from streams.models.envelope import Event
from streams.models.instants import NEVER
from streams.models.rows import TIMER, Cause


class Ticket:
    """A ticket as it stands after its events so far. A plain fold: `apply` events in order, `pass_time` in between."""

    __slots__ = (
        "backlog",
        "clocks",
        "fired_at",
        "first_replied_at",
        "id",
        "last_replier",
        "ledger",
        "life",
        "next_at",
        "policies",
        "properties",
        "released_at",
        "replies",
        "risk",
        "sampled",
        "silence",
        "stage",
        "stage_since",
        "transfers",
        "updated_at",
    )

    def __init__(self, ticket_id: str, policies: Policies, change_set: ChangeSet) -> None:
        self.id, self.policies = ticket_id, policies
        ledger = self.ledger = TicketLedger(ticket_id, policies, change_set)
        self.clocks, self.silence = TicketClocks(ledger), Silence(ledger)
        self.transfers, self.risk, self.backlog = Transfers(ledger), ComplaintSignals(ledger), Backlog(ledger)
        self.life = LifeCycle(ledger, self.clocks, self.silence, self.transfers)
        self.properties = Properties(ledger, self.life, self.risk)
        self.stage = ""
        self.sampled: bool | None = None  # in the sample for quality inspection, by the policy of its first event
        self.first_replied_at: int | None = None
        self.updated_at = self.stage_since = 0
        self.replies = 0
        self.last_replier = ""  # the agent who last replied publicly
        self.released_at = NEVER  # when it is held no longer: a copy, it is read at each deadline
        self.next_at = NEVER  # the next instant at which the passing of time does something
        self.fired_at = -1  # the last such instant: an event no later than this is out of order

    # What a partition asks of every subject

    @property
    def created_at(self) -> int | None:
        """When it was created; None for an orphan."""
        return self.life.created_at

    @property
    def customer_id(self) -> str:
        """Whose it is, "" if that is not known."""
        return self.ledger.customer_id

    @property
    def known_at(self) -> int:
        """Since when its customer is known."""
        return self.properties.known_at

    @property
    def survey_agent(self) -> str:
        """For whom a survey counts that names no agent: who last replied publicly, else the assignee."""
        return self.last_replier or self.ledger.agent_id

    @property
    def change_set(self) -> ChangeSet:
        """Where its rows go; a ticket that was folded apart is given the partition's."""
        return self.ledger.change_set

    @change_set.setter
    def change_set(self, change_set: ChangeSet) -> None:
        self.ledger.change_set = change_set

    def apply(self, event: Event, at: int) -> None:
        """Fold an event in, at the instant `at` (its own, or that of the creation if it was timed before it)."""
        life = self.life
        if life.merged_into or at > life.released_at or (not event.rank and life.created_at is not None):
            return
        if self.next_at < at:
            self.pass_time(at)
        if self.sampled is None:
            self.sampled = in_sample(self.id, self.policies.at(at).quality.sample_ppm)
        self.updated_at = at
        data = event.data
        self.ledger.acting_agent = intern(getattr(data, "agent_id", None) or "")
        _APPLY[type(event)](self, data, at, (event.source, event.id))
        self.ledger.acting_agent = ""
        self.released_at = life.released_at
        self._schedule()
        self._update_backlog(at)

    # The passing of time

    def pass_time(self, until: int) -> None:
        """Fire what is due before `until`.

        A switch of the policy comes at the start of its instant, which is the end of the one before:

            instant    |   tau - 1            |   tau            |
                       | events  breach, risk | switch  events   |
            fires with next_at = tau - 1 ─────┴──┘
        """
        silence, clocks, has_switches = self.silence, self.clocks, bool(self.policies.switches)
        while True:
            clock, at = clocks.next_due()
            switch_at = clocks.switch_at() if has_switches else NEVER
            if switch_at <= min(at, silence.falls_due_at) and switch_at <= until:
                self.fired_at = max(self.fired_at, switch_at - 1)
                self._switch_policy(switch_at)
            elif silence.falls_due_at < min(at, until):
                self.fired_at = silence.falls_due_at
                silence.warn(silence.falls_due_at)
            elif clock is not None and at < until:
                self.fired_at = at
                clock.fire(self.ledger)
                self._update_backlog(at)
            else:
                break
        self._schedule()

    def _switch_policy(self, at: int) -> None:
        self.clocks.switches_seen += 1
        policy = self.policies.at(at)
        self.clocks.choose_targets(self.clocks.active_clocks(), policy, at, TIMER)
        self.silence.choose_target(policy, at)
        self.clocks.apply_pause_status(self.life.status, policy, at, TIMER)
        self._update_backlog(at)

    def _update_backlog(self, at: int) -> None:
        life = self.life
        if life.created_at is None or life.status in DONE or life.merged_into:
            self.backlog.close(at)
        else:
            self.backlog.update(life.created_at, at, *self.clocks.exposure())

    def _schedule(self) -> None:
        at = min(self.clocks.next_due()[1], self.silence.falls_due_at)
        if self.policies.switches and (switch_at := self.clocks.switch_at()) < NEVER:
            at = min(at, switch_at - 1)
        self.next_at = at

    # Events

    def reply(self, data: events.Replied, at: int, cause: Cause) -> None:
        """A public, not automatic reply: an agent's fulfils what waits for one, a customer's starts to wait.

        A reply of a bot or of the system does neither.
        """
        if data.public is False or data.auto:
            return
        if data.author == "agent":
            self.replies += 1
            if self.first_replied_at is None:
                self.first_replied_at = at
            self.silence.public_update(at)
            self.last_replier = self.ledger.acting_agent or self.ledger.agent_id
            self.ledger.fact(cause, "replied", 0, at, {"replied": 1}, agent_id=self.ledger.acting_agent)
            self.clocks.agent_reply(at, cause)
        elif data.author == "customer" and self.life.created_at is not None:
            self.clocks.customer_reply(self.life.status, at, cause)

    def set_stage(self, data: events.StageChanged, at: int, cause: Cause) -> None:
        """The complaint procedure goes on: count the time in the stage left."""
        if data.stage == self.stage:
            return
        if self.stage:
            self.ledger.fact(cause, "stage", 0, at, {f"stage_ms.{self.stage}": at - self.stage_since})
        self.stage, self.stage_since = data.stage, at

    def exempt_clock(self, data: events.Exempted, at: int, cause: Cause) -> None:
        """Take a breach out of the rates: of the cycle named, else the latest."""
        for clock in reversed(self.clocks.all):
            if clock.metric == data.metric and data.cycle in (None, clock.cycle):
                clock.exempt(at, cause, self.ledger)
                return

    # Rows

    def entity_row(self) -> TicketRow:
        """The ticket as it stands."""
        ledger, life = self.ledger, self.life
        return TicketRow(
            self.id,
            life.status,
            life.created_at,
            self.first_replied_at,
            life.solved_at,
            life.closed_at,
            self.updated_at,
            *ledger.dims,
            ledger.agent_id,
            self.risk.severity,
            ledger.customer_id,
            self.stage,
            list(ledger.tags),
            ledger.url,
            ledger.parent_id,
            life.merged_into,
            self.replies,
            self.transfers.count,
            self.properties.reassignments,
            life.reopenings,
            int(bool(self.sampled)),
            {clock.metric: clock.outcome() for clock in self.clocks.all if clock.seq},
        )


_APPLY: dict[type[Event], Callable[[Ticket, Any, int, Cause], None]] = {
    events.TicketCreated: lambda ticket, data, at, cause: ticket.properties.create(data, at, cause),
    events.TicketAssigned: lambda ticket, data, at, cause: ticket.properties.assign(data, at, cause),
    events.TicketUpdated: lambda ticket, data, at, cause: ticket.properties.update(data, at, cause),
    events.TicketReplied: Ticket.reply,
    events.TicketStageChanged: Ticket.set_stage,
    events.TicketStatusChanged: lambda ticket, data, at, cause: ticket.life.set_status(data.status, at, cause),
    events.TicketExempted: Ticket.exempt_clock,
    events.TicketMerged: lambda ticket, data, at, cause: ticket.life.merge(data.into, at, cause),
}
"""What each event does."""
