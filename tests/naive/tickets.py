"""One ticket: what its events do to its dimensions, clocks and counters."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tests.naive.log import Event, in_effective_order
from tests.naive.policies import Desk
from tests.naive.sla import DIMENSIONS, SlaClocks, named

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
    replier: str = ""  # who last replied publicly, if that is known

    def owes_word(self) -> bool:
        """Whether the customer waits for word from the desk."""
        return self.created and not self.merged and self.status not in ("pending", *DONE)


class Solving(NamedTuple):
    """A solving: when, with the dimensions (and assignee) after it, who solved it, after how many transfers."""

    at: int
    dims: dict[str, str]
    by: str
    hops: int


@dataclass
class Ticket(SlaClocks):
    """The fold of one ticket's events."""

    customer_id: str = ""
    created: bool = False
    merged: bool = False
    done_at: int | None = None
    merged_into: str = ""
    parent_id: str = ""
    agent_replied: bool = False
    customer_waits: bool = False  # a customer's reply while closed
    replies: int = 0
    replier: str = ""
    hops: int = 0
    last: dict[str, str] = field(default_factory=lambda: {"team": "", "agent_id": ""})  # that was not empty
    solvings: list[Solving] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    history: list[Standing] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """One event, in effective order. After a merge, or when released, events change nothing.

        "A subject is held until 90 days after it was last solved, closed, ended or merged (`hold`). An event *timed*
        after its subject's release changes nothing, in every fold." Reading: a reopened ticket is held.
        """
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
                replier=self.replier,
            )
        )

    def create(self, event: Event) -> None:
        """first_response and resolution start when the ticket is created."""
        self.created = True
        self.status = "new"
        self.dims |= {"priority": "normal", "kind": "question"}
        self.take(event, (*DIMENSIONS, "customer_id", "tags", "parent_id"))
        self.last |= {name: self.dims[name] for name in self.last if self.dims[name]}
        self.fact(event.at, "created")
        self.start("first_response", event)
        self.start("resolution", event)

    def assign(self, event: Event) -> None:
        """transferred: team changes from one to another; reassigned: agent changes from one to another.

        "Clearing a team or agent is neither a transfer nor a reassignment; the next one is compared with the last that
        was not empty."

            team      a       ''      a       ''      b
                          -       -       -       transferred
        """
        self.take(event, ("team", "agent_id", "customer_id"))
        for name, counter in (("team", "transferred"), ("agent_id", "reassigned")):
            now = self.dims[name]
            if now and self.last[name] and now != self.last[name]:
                self.fact(event.at, counter)
            self.last[name] = now or self.last[name]
        for clock in self.living():
            self.evaluate(clock, event.at, event)

    def update(self, event: Event) -> None:
        """Priority, kind, segment, team or tag changes choose policy and target anew; a parent may be named or left."""
        self.take(event, ("priority", "kind", "category", "tags", "segment", "product", "customer_id", "parent_id"))
        for clock in self.living():
            self.evaluate(clock, event.at, event)

    def reply(self, event: Event) -> None:
        """An agent's public, not automatic reply fulfils; the customer's starts next_response if none is running.

        "`next_response` starts at a public, not automatic reply of the customer, if none is running and an agent has
        replied before or first_response was cancelled (also while solved; while closed it starts none, but when such a
        ticket is reopened before an agent's public reply, it starts at the reopening […])".
        "Replied, solved and one-touch count for the agent whom the event names, else for the assignee."
        """
        author, data = event.data["author"], event.data
        if not data["public"] or data["auto"]:
            return
        if author == "agent":
            self.agent_replied, self.customer_waits = True, False
            self.replies += 1
            self.replier = named(event) or self.dims["agent_id"]
            self.fact(event.at, "replied", agent_id=self.replier)
            for metric in ("first_response", "next_response"):
                self.end(self.living_clock(metric), "fulfilled", "agent", event)
        first = self.latest("first_response")
        given_up = first is not None and first.life_ended_by == "done"
        may_start = self.created and (self.agent_replied or given_up) and self.living_clock("next_response") is None
        if author == "customer" and may_start:
            if self.status == "closed":
                self.customer_waits = True
            else:
                self.start("next_response", event)

    def change_status(self, event: Event) -> None:
        """Solving, closing, reopening first; then the pauses of the new status.

        "Reopened, […] closed and fcr are the assignee's"; solved is that of the agent whom the event names, if any.
        """
        old, new = self.status, event.data["status"]
        if new == old:
            return
        self.status = new
        if new in DONE and old not in DONE:
            by = named(event) or self.dims["agent_id"]
            self.fact(event.at, "solved", agent_id=by)
            self.solvings.append(Solving(event.at, dict(self.dims), by, self.hops))
            self.end(self.living_clock("first_response"), "cancelled", "done", event)
            self.end(self.living_clock("next_response"), "cancelled", "done", event)
            self.end(self.living_clock("resolution"), "fulfilled", "done", event)
        if new == "closed":
            self.fact(event.at, "closed")
            self.end(self.living_clock("next_response"), "cancelled", "done", event)
        if new not in DONE and old in DONE:
            self.fact(event.at, "reopened")
            self.reopen(event)
            if self.customer_waits and self.living_clock("next_response") is None:
                self.start("next_response", event)
            self.customer_waits = False
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
        self.merged, self.merged_into = True, event.data["into"]
        self.done_at = event.at

    def standing(self, at: int) -> Standing | None:
        """The ticket as it stood at an instant: after all events up to and including it, or as it came to be."""
        if not self.history:
            return None
        first = [standing for standing in self.history if standing.at == self.history[0].at][-1]
        return next((standing for standing in reversed(self.history) if standing.at <= at), first)

    def take(self, event: Event, names: tuple[str, ...]) -> None:
        """Take over fields of an event; an absent one is unchanged, an empty text clears, tags replace."""
        for name in names:
            if name in event.data and name in DIMENSIONS:
                self.dims[name] = event.data[name]
        if "tags" in names:
            self.tags = event.data.get("tags", self.tags)
        if "customer_id" in names:
            self.customer_id = event.data.get("customer_id", self.customer_id)
        if "parent_id" in names:
            self.parent_id = event.data.get("parent_id", self.parent_id)

    def fact(self, at: int, counter: str, agent_id: str | None = None) -> None:
        """Something that counts, with the dimensions after the event: the assignee's unless an agent is told."""
        self.facts.append((at, self.dims | ({} if agent_id is None else {"agent_id": agent_id}), counter, 1))


def fold_ticket(ticket_id: str, events: list[Event], desk: Desk, as_of: int) -> Ticket:
    """The ledger is a pure function of the set of events, the policy and `as_of`."""
    ticket = Ticket(ticket_id, desk)
    for event in in_effective_order(events):
        ticket.pass_time(event.at)
        ticket.apply(event)
    ticket.pass_time(as_of)
    return ticket
