"""What the desk tells the stage `customers`: of each ticket, call, survey or score what matters to its customer.

A fact is a full snapshot: of one identity (customer, subject) the highest version stands, and one with `is_deleted`
says that the subject is not that customer's any more. Instants are ms since the epoch.
"""

import msgspec

from streams.models.dimensions import Dimensions, dimensions_of
from streams.models.rows import FactRow

FACTS, LINKS, CHANGES = "deskwatch.customer_facts", "deskwatch.customer_links", "deskwatch.policy_changes"
"""CloudEvents types of the messages, each with many rows."""

Signal = tuple[str, int, float]  # a signal of the complaint-risk index, when it was given, and its weight


class Solved(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A ticket's first solving: the dimensions as they stood, and what is known against first-contact resolution."""

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
    """What a ticket or call (with the surveys and scores about it) says of its customer.

    `subject` is its kind and id: `t17`, `c4`; a score (`n`) or answer (`s`) that names its customer stands alone.
    `contact_at`: when the customer turned to the desk with it, None if that is not known. `about`: the ticket that a
    call, score or answer names. A signal's instant may lie ahead: it is given if nothing changes until then (silence).
    `known_at`: when the first of it was known to be this customer's. `held_until`: no later event changes it.
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
    """Two ids are one person. `key` identifies the event that says so."""

    key: str
    customer_id: str
    other_id: str
    version: int = 0


class PolicyChange(msgspec.Struct, array_like=True, gc=False):
    """The business announced a change of its rules. `key` identifies the event that says so, at `known_at`."""

    key: str
    change_id: str
    title: str
    tags: list[str]
    announced_at: int
    effective_at: int
    known_at: int = 0
    version: int = 0
