"""One ticket: what its events do to its dimensions, clocks and counters."""

from dataclasses import dataclass, field

from tests.naive.log import Event, in_effective_order
from tests.naive.policies import Desk
from tests.naive.sla import DIMENSIONS, SlaClocks

DONE = ("solved", "closed")
Fact = tuple[int, dict[str, str], str, int]  # at, dimensions, counter, value


@dataclass
class Standing:
    """A ticket as it stood after an event."""

    at: int
    dims: dict[str, str]
    done_at: int | None
    customer_id: str
    created: bool = True
    merged: bool = False
    status: str | None = None
    tags: list[str] = field(default_factory=list)
    hops: int = 0  # team changes so far
    told: bool = False  # the event was a public update
    hopped: bool = False  # the event was a team change
    reopened: bool = False

    def owes_word(self) -> bool:
        """Whether the customer waits for word from the desk."""
        return self.created and not self.merged and self.status not in ("pending", *DONE)


@dataclass
class Ticket(SlaClocks):
    """The fold of one ticket's events."""

    customer_id: str = ""
    created: bool = False
    merged: bool = False
    done_at: int | None = None
    agent_replied: bool = False
    hops: int = 0
    facts: list[Fact] = field(default_factory=list)
    history: list[Standing] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """One event, in effective order. After a merge, or when released (hold), events change nothing."""
        hold_ms = self.policy(event.at).hold_ms
        if self.merged or (self.done_at is not None and event.at > self.done_at + hold_ms):
            return
        rule = {
            "ticket.created": self.create,
            "ticket.assigned": self.assign,
            "ticket.updated": self.update,
            "ticket.replied": self.reply,
            "ticket.status_changed": self.change_status,
            "ticket.exempted": self.exempt,
            "ticket.merged": self.merge,
        }.get(event.type)
        counted = len(self.facts)
        if rule:
            rule(event)
        counters = {counter for _, _, counter, _ in self.facts[counted:]}
        self.hops += "transferred" in counters
        self.history.append(
            Standing(
                at=event.at,
                dims=dict(self.dims),
                done_at=self.done_at,
                customer_id=self.customer_id,
                created=self.created,
                merged=self.merged,
                status=self.status,
                tags=list(self.tags),
                hops=self.hops,
                told="replied" in counters,
                hopped="transferred" in counters,
                reopened="reopened" in counters,
            )
        )

    def create(self, event: Event) -> None:
        """first_response and resolution start when the ticket is created."""
        self.created = True
        self.status = "new"
        self.dims |= {"priority": "normal", "kind": "question"}
        self.take(event, (*DIMENSIONS, "customer_id", "tags"))
        self.fact(event.at, "created")
        self.start("first_response", event)
        self.start("resolution", event)

    def assign(self, event: Event) -> None:
        """transferred: team changes from one to another; reassigned: agent changes from one to another."""
        before = dict(self.dims)
        self.take(event, ("team", "agent_id", "customer_id"))
        for name, counter in (("team", "transferred"), ("agent_id", "reassigned")):
            if before[name] and self.dims[name] and before[name] != self.dims[name]:
                self.fact(event.at, counter)
        for clock in self.living():
            self.evaluate(clock, event.at, event)

    def update(self, event: Event) -> None:
        """Priority, kind, segment, team or tag changes choose policy and target anew."""
        self.take(event, ("priority", "kind", "category", "tags", "segment", "product", "customer_id"))
        for clock in self.living():
            self.evaluate(clock, event.at, event)

    def reply(self, event: Event) -> None:
        """An agent's public, not automatic reply fulfils; the customer's starts next_response if none is running."""
        author, data = event.data["author"], event.data
        if not data.get("public", True) or data.get("auto", False):
            return
        if author == "agent":
            self.agent_replied = True
            self.fact(event.at, "replied")
            for metric in ("first_response", "next_response"):
                self.end(self.living_clock(metric), "fulfilled", "agent", event)
        first = self.latest("first_response")
        given_up = first is not None and first.life_ended_by == "done"
        may_start = self.created and (self.agent_replied or given_up) and self.living_clock("next_response") is None
        if author == "customer" and may_start:
            self.start("next_response", event)

    def change_status(self, event: Event) -> None:
        """Solving, closing, reopening first; then the pauses of the new status."""
        old, new = self.status, event.data["status"]
        if new == old:
            return
        self.status = new
        if new in DONE and old not in DONE:
            self.fact(event.at, "solved")
            self.end(self.living_clock("first_response"), "cancelled", "done", event)
            self.end(self.living_clock("next_response"), "cancelled", "done", event)
            self.end(self.living_clock("resolution"), "fulfilled", "done", event)
        if new == "closed":
            self.fact(event.at, "closed")
            self.end(self.living_clock("next_response"), "cancelled", "done", event)
        if new not in DONE and old in DONE:
            self.fact(event.at, "reopened")
            self.reopen(event)
        self.done_at = event.at if new in DONE else None
        for clock in self.living():
            self.pause_or_resume(clock, event.at, event)

    def exempt(self, event: Event) -> None:
        """An exemption names a cycle, or means the latest of its metric at that time."""
        metric = event.data["metric"]
        clocks = [clock for clock in self.clocks if clock.metric == metric]
        if "cycle" in event.data:
            clocks = [clock for clock in clocks if clock.cycle == event.data["cycle"]]
        if clocks and clocks[-1].terms and not clocks[-1].exempted:
            clocks[-1].exempted = True
            self.row(clocks[-1], "exempted", event.at, event)

    def merge(self, event: Event) -> None:
        """Merged: every clock that has not ended is cancelled; nothing changes afterwards."""
        for clock in self.living():
            self.end(clock, "cancelled", "merged", event)
        self.merged = True
        self.done_at = event.at

    def standing(self, at: int) -> Standing | None:
        """The ticket as it stood at an instant: after all events up to and including it, or as it came to be."""
        if not self.history:
            return None
        first = [standing for standing in self.history if standing.at == self.history[0].at][-1]
        return next((standing for standing in reversed(self.history) if standing.at <= at), first)

    def take(self, event: Event, names: tuple[str, ...]) -> None:
        """Take over fields of an event; an absent one is unchanged, tags replace."""
        for name in names:
            if name in event.data and name in DIMENSIONS:
                self.dims[name] = event.data[name]
        if "tags" in names:
            self.tags = event.data.get("tags", self.tags)
        if "customer_id" in names:
            self.customer_id = event.data.get("customer_id", self.customer_id)

    def fact(self, at: int, counter: str, value: int = 1) -> None:
        """Something that counts, with the dimensions after the event."""
        self.facts.append((at, dict(self.dims), counter, value))


def fold_ticket(ticket_id: str, events: list[Event], desk: Desk, as_of: int) -> Ticket:
    """The ledger is a pure function of the set of events, the policy and `as_of`."""
    ticket = Ticket(ticket_id, desk)
    for event in in_effective_order(events):
        ticket.pass_time(event.at)
        ticket.apply(event)
    ticket.pass_time(as_of)
    return ticket
