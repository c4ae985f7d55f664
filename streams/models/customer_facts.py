"""What the desk sends to the stage `customers`: facts of each ticket, call, survey or score about its customer.

A fact is a full snapshot: of one identity (customer, subject) the highest version counts; with `is_deleted` the subject
does not belong to that customer any more. Instants are ms since the epoch.
"""

import msgspec

from streams.models.dimensions import Dimensions, dimensions_of
from streams.models.rows import FactRow

FACTS, LINKS, CHANGES = "deskwatch.customer_facts", "deskwatch.customer_links", "deskwatch.policy_changes"
"""CloudEvents types of the messages, each with many rows."""

Signal = tuple[str, int, float]  # a signal of the complaint-risk index, its instant, and its weight


class Solved(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first solving of a ticket: its dimensions at that instant, and whether it failed first-contact resolution."""

    at: int
    again: bool  # it was reopened, or transferred to another team
    team: str
    channel: str
    priority: str
    kind: str
    segment: str
    category: str
    product: str
    agent_id: str

    def dims(self) -> Dimensions:
        """The dimensions."""
        return Dimensions(self.team, self.channel, self.priority, self.kind, self.segment, self.category, self.product)


def solved_of(fact: FactRow, again: bool) -> Solved:
    """A first solving, from the fact that counted it."""
    return Solved(fact.at, again, *Dimensions._make(dimensions_of(fact)), fact.agent_id)


class CustomerFact(msgspec.Struct, array_like=True, gc=False):
    """What a ticket or call, with the surveys and scores about it, says about its customer.

    Attributes:
        subject: kind and id: `t17`, `c4`; a score (`n`) or answer (`s`) that names its customer is a fact of its own.
        contact_at: the instant of the contact, None if that is not known.
        about: the ticket that a call, score or answer names.
        signals: an instant may lie ahead: the signal is given if nothing changes until then (silence).
        known_at: the instant at which this customer became known.
        held_until: no later event changes the fact.
    """

    customer_id: str
    subject: str
    contact_at: int | None = None
    category: str = ""
    about: str = ""
    is_open: bool = False
    team: str = ""
    url: str = ""
    tags: list[str] = []
    signals: list[Signal] = []
    solved: Solved | None = None
    known_at: int = 0
    held_until: int = 0
    version: int = 0
    is_deleted: int = 0


class CustomerLink(msgspec.Struct, array_like=True, gc=False):
    """Two ids are one customer. `key` identifies the event that says so."""

    key: str
    customer_id: str
    other_id: str
    version: int = 0


class PolicyChange(msgspec.Struct, array_like=True, gc=False):
    """The business announced a change of its rules. `key` identifies the event that says so, `known_at` is its time."""

    key: str
    change_id: str
    title: str
    tags: list[str]
    announced_at: int
    effective_at: int
    known_at: int = 0
    version: int = 0
